import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type Planes, UnreadableSound } from './wav-writer.ts';

const require = createRequire(import.meta.url);

type FfmpegModule = typeof import('@humansignal/audio-file-decoder');

/**
 * Decodes one stream with FFmpeg's libavcodec in WebAssembly. Runs in a worker only: the package is written for
 * browsers and reads the globals of CommonJS under Node.
 *
 * @param maxSeconds bounds the memory, whatever length the stream declares
 */
export async function decodeWithFfmpeg(
  stream: ArrayBuffer,
  maxSeconds: number,
): Promise<{ planes: Planes; rate: number }> {
  const [{ getAudioDecoder }, wasm] = await Promise.all([loadFfmpeg(), readWasm()]);
  const decoder = await getAudioDecoder(wasm, stream).catch(() => {
    throw new UnreadableSound();
  });
  const { sampleRate: rate, channelCount } = decoder;
  const channels = channelCount === 2 ? 2 : 1;
  const samples = decoder.decodeAudioData(0, maxSeconds, { multiChannel: channels === 2 });
  return { planes: splitChannels(samples, channels), rate };
}

async function loadFfmpeg(): Promise<FfmpegModule> {
  Object.assign(globalThis, { require, __dirname: dirname(import.meta.dirname) });
  return await import('@humansignal/audio-file-decoder');
}

/** As a data URL: the package fetches the address, and Node's `fetch` reads no files. */
async function readWasm(): Promise<string> {
  const path = require.resolve('@humansignal/audio-file-decoder/decode-audio.wasm');
  return `data:application/wasm;base64,${await readFile(path, 'base64')}`;
}

function splitChannels(samples: Float32Array, channels: number): Planes {
  if (channels === 1) return [samples];
  const frames = Math.floor(samples.length / channels);
  return Array.from({ length: channels }, (_, channel) => {
    const plane = new Float32Array(frames);
    for (let at = 0; at < frames; at += 1) plane[at] = samples[at * channels + channel] ?? 0;
    return plane;
  });
}
