import { registerMp3Encoder } from '@mediabunny/mp3-encoder';
import { AudioSample, AudioSampleSource, BufferTarget, Mp3OutputFormat, Output } from 'mediabunny';

/** The tests' own writer of MP3: frames of silence, as long as their headers say. MPEG-1 layer III, mono, 44.1 kHz. */

const bitRates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
export const frameSeconds = 1_152 / 44_100;

/** @param kbits 0 = the free format, here with 500 bytes */
export function mp3Frame(kbits = 64): Buffer<ArrayBuffer> {
  const frame = Buffer.alloc(kbits === 0 ? 500 : Math.floor((144_000 * kbits) / 44_100));
  frame.set([0xff, 0xfb, bitRates.indexOf(kbits) << 4, 0xc0]);
  return frame;
}

/** Frames of these bit rates in turn. */
export function mp3Frames(count: number, kbits: readonly number[] = [64]): Buffer<ArrayBuffer> {
  const each = kbits.map(mp3Frame);
  return Buffer.concat(
    Array.from({ length: count }, (_, at) => each[at % each.length] ?? []) as Buffer[],
  );
}

/** The frame that encoders put first: it has no sound, and says how many frames follow. */
export function infoFrame(
  frames: number,
  { name = 'Xing', at = 21 }: { name?: 'Xing' | 'Info' | 'VBRI'; at?: number } = {},
): Buffer<ArrayBuffer> {
  const frame = mp3Frame();
  frame.write(name, at, 'latin1');
  const countAt = name === 'VBRI' ? at + 14 : at + 8;
  frame.writeUInt32BE(frames, countAt);
  if (name === 'VBRI') return frame;
  // The fields that follow are the number of frames and that of bytes; readers believe only both.
  frame.writeUInt32BE(3, at + 4);
  frame.writeUInt32BE(frames * frame.byteLength, at + 12);
  return frame;
}

/** With a variable bit rate. */
export function variableMp3(frames: number, claimedFrames = frames): Buffer<ArrayBuffer> {
  return Buffer.concat([infoFrame(claimedFrames), mp3Frames(frames, [64, 128, 32])]);
}

/** Encodes a tone of 440 Hz with LAME. */
export async function encodeMp3(seconds: number, sampleRate: number): Promise<Uint8Array> {
  registerMp3Encoder();
  const target = new BufferTarget();
  const output = new Output({ format: new Mp3OutputFormat(), target });
  const source = new AudioSampleSource({ codec: 'mp3', bitrate: 64_000 });
  output.addAudioTrack(source);
  await output.start();
  const data = Int16Array.from({ length: Math.round(seconds * sampleRate) }, (_, at) =>
    Math.round(16_000 * Math.sin((2 * Math.PI * 440 * at) / sampleRate)),
  );
  const layout = { format: 's16', numberOfChannels: 1, sampleRate, timestamp: 0 } as const;
  const sample = new AudioSample({ data, ...layout });
  await source.add(sample);
  sample.close();
  source.close();
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}
