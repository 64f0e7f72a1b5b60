import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMp3, frameSeconds, mp3Frame, mp3Frames, variableMp3 } from '../../support/mp3.ts';
import { readWav } from '../../support/wav.ts';
import { inPieces, openUploadHarness, put, type UploadHarness } from './upload-harness.ts';

const speech = readFileSync(new URL('../../../src/demo-media/speech.mp3', import.meta.url));
const sound = (name: string) => readFileSync(new URL(`./sounds/${name}`, import.meta.url));

const tone = await encodeMp3(2.5, 24_000);
const longTone = await encodeMp3(60.5, 44_100);

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

async function send(bytes: Uint8Array, options: { clip?: object; isStreamed?: boolean } = {}) {
  const { clip, isStreamed = false } = options;
  const input = { kind: 'AUDIO', contentType: 'audio/mpeg', clip } as const;
  const { upload, uploadUrl } = await harness.create(input);
  const answer = await put(uploadUrl, isStreamed ? inPieces(bytes) : bytes);
  return { answer, id: upload.id, row: await harness.find(upload.id) };
}

/** The files that the upstream has kept: it drops a request that ends early. */
const countKept = async () =>
  (await harness.sentFiles()).filter(({ status }) => status === 200).length;

const tagged = (tagBytes: number, mp3: Uint8Array) => {
  const tag = Buffer.alloc(10 + tagBytes);
  tag.write('ID3\x04\x00\x00', 'latin1');
  for (let at = 0; at < 4; at += 1) tag[6 + at] = (tagBytes >> (7 * (3 - at))) & 0x7f;
  return Buffer.concat([tag, mp3]);
};

const framesOf = (seconds: number) => Math.round(seconds / frameSeconds);
const twice = (bytes: Uint8Array) => Buffer.concat([bytes, bytes]);

/** Decoders that search for the next header play these frames. */
function separatedFrames(frames: number): Buffer<ArrayBuffer> {
  const frame = Buffer.concat([Buffer.alloc(1), mp3Frame()]);
  return Buffer.concat([mp3Frames(3), ...Array.from({ length: frames }, () => frame)]);
}

describe('works', () => {
  // The seconds are of FFmpeg, for a file that was joined of its parts.
  it.each([
    ['an MP3', speech, 7.86],
    ['an MP3 without a Xing header', sound('plain.mp3'), 1.08],
    ['an MP3 with a cover of 12 MB', tagged(12 * 1024 ** 2, speech), 7.86],
    ['an MP3 with two tags', tagged(20_000, tagged(30_000, speech)), 7.86],
    ['two MP3 in one file', twice(speech), 15.75],
    [
      'two MP3 in one file, the second with a tag',
      Buffer.concat([speech, tagged(999, speech)]),
      15.75,
    ],
    ['an MP3 with a tag at its end', Buffer.concat([speech, Buffer.alloc(50_000, 'TAG')]), 7.86],
    ['two MP3 of a variable bit rate', twice(variableMp3(framesOf(25))), 50.03],
    ['an MP3 whose Xing header claims two hours', variableMp3(framesOf(20), framesOf(7_200)), 20],
  ])('sends %s as it is, and knows its duration', async (...[, bytes, seconds]) => {
    const { answer, id, row } = await send(bytes);
    expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(seconds, 1) });
    expect(row).toMatchObject({ contentType: 'audio/mpeg', storedContentType: 'audio/mpeg' });
    expect((await harness.received(id)).equals(bytes)).toBe(true);
  });

  it.each([
    ['speech', speech],
    ['a file without a Xing header', sound('plain.mp3')],
    ['an encoded tone', tone],
  ])('knows the duration of %s that a decoder gives', async (_, bytes) => {
    const { answer } = await send(bytes);
    const { id } = await send(bytes, { clip: {} });
    const decoded = readWav(await harness.received(id)).seconds;
    expect(answer.durationSeconds).toBeCloseTo(decoded, 1);
  });

  it.each([44_100, 16_000, 8_000])(
    'takes 60 seconds of %i Hz, which encoders make slightly longer',
    async (sampleRate) => {
      const { answer } = await send(await encodeMp3(60, sampleRate));
      expect(answer).toMatchObject({ status: 200, durationSeconds: 60 });
    },
  );
});

describe('refuses', () => {
  it.each([
    ['by its frames', mp3Frames(framesOf(61))],
    ['that an encoder made', longTone],
    ['of two files of a constant bit rate', twice(mp3Frames(framesOf(40)))],
    ['of two files of a variable bit rate', twice(variableMp3(framesOf(40)))],
    ['whose Xing header claims a second', variableMp3(framesOf(70), framesOf(1))],
    ['of many rates', Buffer.concat([mp3Frames(framesOf(40)), speech, speech, speech])],
    ['of single frames between other bytes', separatedFrames(framesOf(70))],
    ['by its size', Buffer.concat([speech, Buffer.alloc(25 * 1024 ** 2)])],
  ])('more than 60 seconds %s, and the upstream keeps nothing', async (_, bytes) => {
    const before = await countKept();
    const { answer, row } = await send(bytes, { isStreamed: true });
    expect(answer).toMatchObject({ status: 422, code: 'INVALID_INPUT', issueCode: 'TOO_LONG' });
    expect(row).toMatchObject({ state: 'FAILED', path: null });
    expect(await countKept()).toBe(before);
  });

  it('more than 60 seconds by its size, before the whole file has arrived', async () => {
    const { promise: isAnswered, resolve: answered } = Promise.withResolvers<void>();
    async function* endless() {
      yield speech;
      for (let pieces = 0; pieces < 25 * 16; pieces += 1) yield Buffer.alloc(65_536);
      await isAnswered;
    }
    const { uploadUrl } = await harness.create({ kind: 'AUDIO', contentType: 'audio/mpeg' });
    const answer = await put(uploadUrl, endless());
    answered();
    expect(answer).toMatchObject({ status: 422, issueCode: 'TOO_LONG' });
  });

  it.each([
    ['an MP3 that contains only a tag', tagged(5_000, Buffer.alloc(9_000))],
    [
      'a header without a frame',
      Buffer.concat([mp3Frames(1).subarray(0, 100), Buffer.alloc(9_000)]),
    ],
    ['frames without an end', Buffer.alloc(90_000, mp3Frames(1, [128]).subarray(0, 4))],
  ])('%s, and the upstream keeps nothing', async (_, bytes) => {
    const before = await countKept();
    const { answer, row } = await send(bytes);
    expect(answer).toMatchObject({ status: 415, issueCode: 'WRONG_KIND' });
    expect(row).toMatchObject({ state: 'FAILED', path: null });
    expect(await countKept()).toBe(before);
  });
});
