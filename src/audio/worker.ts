import { parentPort, workerData } from 'node:worker_threads';
import { decodeAlacInCaf } from './decode-alac.ts';
import { decodeAppleFile, readCafCodec } from './decode-apple.ts';
import { decodeContainer, VideoFile } from './decode-packets.ts';
import type { DecodeJob, DecodeResult } from './job.ts';
import { EmptyClip, TooLongSound, WavWriter } from './wav-writer.ts';

/*
 * The entry of a worker thread, which decodes one file and ends. What a decoder throws says nothing useful to the caller, and
 * everything that a hostile file does ends with this thread.
 */

async function decode(job: DecodeJob): Promise<DecodeResult> {
  const writer = await WavWriter.create(job.outputPath, job.window);
  try {
    await decodeInto(writer, job);
    await writer.finish();
    return { kind: 'decoded', durationSeconds: writer.durationSeconds };
  } finally {
    await writer.close();
  }
}

async function decodeInto(writer: WavWriter, { inputPath, container, window }: DecodeJob) {
  if (container === 'AIFF') return await decodeAppleFile(inputPath, 'AIFF', writer);
  if (container === 'CAF') {
    return (await readCafCodec(inputPath)) === 'alac'
      ? await decodeAlacInCaf(inputPath, writer)
      : await decodeAppleFile(inputPath, 'CAF', writer);
  }
  await decodeContainer(inputPath, window, writer);
}

function toResult(error: unknown): DecodeResult {
  if (error instanceof TooLongSound) return { kind: 'too-long' };
  if (error instanceof EmptyClip) return { kind: 'empty-clip' };
  return { kind: error instanceof VideoFile ? 'video' : 'broken' };
}

parentPort?.postMessage(await decode(workerData).catch(toResult));
