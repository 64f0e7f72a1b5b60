import { parentPort, workerData } from 'node:worker_threads';
import { readCafPackets, rewriteAsMp4 } from './caf-packets.ts';
import { decodeAiff } from './decode-aiff.ts';
import { decodeAlacInCaf } from './decode-alac.ts';
import { decodeCaf, readCafCodec } from './decode-caf.ts';
import { decodeBlob, decodeContainer, SilentVideo } from './decode-packets.ts';
import type { DecodeJob, DecodeResult } from './job.ts';
import { EmptyClip, TooLongSound, WavWriter } from './wav-writer.ts';

/*
 * The entry of a worker thread, which decodes one file and ends. A decoder's error is of no use to the caller, and a hostile
 * file can harm only this thread.
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
  if (container === 'AIFF') return await decodeAiff(inputPath, writer);
  if (container === 'OTHER') return await decodeContainer(inputPath, window, writer);
  switch (await readCafCodec(inputPath)) {
    case 'alac':
      return await decodeAlacInCaf(await readCafPackets(inputPath), writer);
    case 'aac ':
    case 'opus':
      return await decodeBlob(await rewriteAsMp4(await readCafPackets(inputPath)), window, writer);
    default:
      return await decodeCaf(inputPath, writer);
  }
}

function toResult(error: unknown): DecodeResult {
  if (error instanceof TooLongSound) return { kind: 'too-long' };
  if (error instanceof EmptyClip) return { kind: 'empty-clip' };
  return { kind: error instanceof SilentVideo ? 'video-without-sound' : 'broken' };
}

parentPort?.postMessage(await decode(workerData).catch(toResult));
