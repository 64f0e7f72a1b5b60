import { readFileSync } from 'node:fs';
import {
  ALL_FORMATS,
  BufferSource,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  Input,
  MkvOutputFormat,
  Mp4OutputFormat,
  Output,
  type OutputFormat,
} from 'mediabunny';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav } from '../../support/wav.ts';
import { openUploadHarness, put, type UploadHarness } from './upload-harness.ts';
import { chunk, mp3InWav } from './wav-layouts.ts';

const sound = (name: string) => readFileSync(new URL(`./sounds/${name}`, import.meta.url));

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

async function send(bytes: Uint8Array, clip?: object) {
  const input = { kind: 'AUDIO', contentType: 'audio/mp4', clip } as const;
  const { upload, uploadUrl } = await harness.create(input);
  return { answer: await put(uploadUrl, bytes), id: upload.id };
}

/** The packets of a file, so often in a row, with pauses of 70 seconds: as of a recorder that was paused. */
async function withPauses(
  bytes: Uint8Array,
  format: OutputFormat,
  { times, pauses }: { times: number; pauses: number },
): Promise<Uint8Array> {
  const input = new Input({ source: new BufferSource(bytes), formats: ALL_FORMATS });
  const track = await input.getPrimaryAudioTrack();
  const codec = await track?.getCodec();
  const decoderConfig = await track?.getDecoderConfig();
  if (track === null || codec == null || decoderConfig == null) throw new Error('No sound.');
  const packets = await Array.fromAsync(new EncodedPacketSink(track).packets());
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const source = new EncodedAudioPacketSource(codec);
  output.addAudioTrack(source);
  await output.start();
  let timestamp = 0;
  for (let time = 0; time < times; time += 1) {
    for (const packet of packets) {
      await source.add(packet.clone({ timestamp }), { decoderConfig });
      timestamp += packet.duration;
    }
    if (time < pauses) timestamp += 70;
  }
  source.close();
  await output.finalize();
  input.dispose();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}

const mp4 = () => new Mp4OutputFormat();
const fragmented = () => new Mp4OutputFormat({ fastStart: 'fragmented' });
const mkv = () => new MkvOutputFormat();

describe('works', () => {
  it.each([
    ['AAC in MP4', 'sound.aac', mp4, 3 * 1.088],
    ['AAC in a fragmented MP4', 'sound.aac', fragmented, 3 * 1.088],
    ['AAC in Matroska', 'sound.aac', mkv, 3 * 1.088],
    ['MP3 in MP4', 'plain.mp3', mp4, 3 * 1.08],
    ['FLAC in Matroska', 'sound.flac', mkv, 3],
    ['Vorbis in Matroska', 'vorbis.webm', mkv, 3],
    ['Opus in Matroska', 'opus.ogg', mkv, 3],
  ] as const)('keeps the sound after the pauses of %s', async (...[, name, format, seconds]) => {
    const bytes = await withPauses(sound(name), format(), { times: 3, pauses: 2 });
    const { answer, id } = await send(bytes);
    expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(seconds, 0) });
    const { hertz } = readWav(await harness.received(id));
    // Encoders surround each part of the tone with silence and noise.
    expect(hertz).toBeGreaterThan(400);
    expect(hertz).toBeLessThan(550);
  });

  it('fills a clip with the sound on both sides of a pause', async () => {
    const bytes = await withPauses(sound('sound.aac'), mp4(), { times: 4, pauses: 1 });
    const { answer } = await send(bytes, { startSeconds: 0.5, durationSeconds: 3 });
    expect(answer).toMatchObject({ status: 200, durationSeconds: 3 });
  });

  it.each([8_000, 100_001])('decodes an MP3 in a WAV behind %i other bytes', async (bytes) => {
    const wav = mp3InWav(sound('plain.mp3'));
    const filler = chunk('JUNK', Buffer.alloc(bytes));
    const moved = Buffer.concat([wav.subarray(0, 12), filler, wav.subarray(12)]);
    const { answer } = await send(moved);
    expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(1.045, 1) });
  });
});

describe('refuses', () => {
  it.each([0, 1, 40])('more than 60 seconds of sound with %i pauses', async (pauses) => {
    const bytes = await withPauses(sound('sound.aac'), mp4(), { times: 57, pauses });
    const { answer } = await send(bytes);
    expect(answer).toMatchObject({ status: 422, issueCode: 'TOO_LONG' });
  });
});
