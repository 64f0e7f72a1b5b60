import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav } from '../../support/wav.ts';
import { aiffChunk, encodeAiff } from './aiff-layouts.ts';
import { openUploadHarness, put, type UploadHarness } from './upload-harness.ts';

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

async function send(bytes: Uint8Array, clip?: { startSeconds: number }) {
  const { upload, uploadUrl } = await harness.create({
    kind: 'AUDIO',
    contentType: 'audio/aiff',
    clip,
  });
  return { answer: await put(uploadUrl, bytes), id: upload.id };
}

/** Bytes that would be heard. */
const cover = (bytes: number) => aiffChunk('ID3 ', Buffer.alloc(bytes, '\x11\xaa\x77'));

describe('works', () => {
  it.each([
    ['a cover behind the samples', encodeAiff({ extra: cover(200_000) }), 2],
    ['a long cover behind a long sound', encodeAiff({ seconds: 59, extra: cover(2 ** 20) }), 59],
    ['samples before the format', encodeAiff({ isSoundFirst: true, extra: cover(99) }), 2],
    ['a cover before the samples', insertChunk(encodeAiff(), cover(300_001)), 2],
    ['sizes and frames of 0', encodeAiff({ unknown: 0, seconds: 20 }), 20],
    ['sizes and frames of 0x7FFFFFFF', encodeAiff({ unknown: 0x7fffffff, seconds: 20 }), 20],
    ['samples of 8 bits', encodeAiff({ bits: 8 }), 2],
    ['samples of 24 bits', encodeAiff({ bits: 24 }), 2],
    ['samples of 32 bits', encodeAiff({ bits: 32 }), 2],
    ['AIFF-C with sowt', encodeAiff({ name: 'sowt', extra: cover(200_000) }), 2],
    ['AIFF-C with sowt of 8 bits', encodeAiff({ name: 'sowt', bits: 8 }), 2],
    ['AIFF-C with twos', encodeAiff({ name: 'twos' }), 2],
    ['AIFF-C with NONE of 8 bits', encodeAiff({ name: 'NONE', bits: 8 }), 2],
    ['AIFF-C with raw', encodeAiff({ name: 'raw ', bits: 8 }), 2],
    ['AIFF-C with in24', encodeAiff({ name: 'in24', bits: 24 }), 2],
    ['AIFF-C with 42ni', encodeAiff({ name: '42ni', bits: 24 }), 2],
    ['AIFF-C with fl32', encodeAiff({ name: 'fl32', bits: 32, extra: cover(200_000) }), 2],
    ['AIFF-C with FL32', encodeAiff({ name: 'FL32', bits: 32 }), 2],
  ])('decodes an AIFF with %s', async (_, bytes, seconds) => {
    const { answer, id } = await send(bytes);
    expect(answer).toMatchObject({ status: 200, durationSeconds: seconds });
    const received = readWav(await harness.received(id));
    expect(received.seconds).toBe(seconds);
    expect(received.hertz).toBeCloseTo(440, -1);
    expect(received.peak).toBeCloseTo(0.5, 1);
  });

  it.each(['ulaw', 'alaw', 'ALAW'])('decodes AIFF-C with %s, one byte each', async (name) => {
    const { answer } = await send(encodeAiff({ name, bits: 8, extra: cover(300_000) }));
    expect(answer).toMatchObject({ status: 200, durationSeconds: 2 });
  });

  it('cuts the part at its position in the source', async () => {
    const bytes = encodeAiff({ seconds: 30, extra: cover(200_000) });
    const { answer } = await send(bytes, { startSeconds: 28.5 });
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1.5 });
  });

  it('uses what is there of a file that is cut', async () => {
    const { answer } = await send(encodeAiff({ seconds: 20 }).subarray(0, 54 + 320_000));
    expect(answer).toMatchObject({ status: 200, durationSeconds: 10 });
  });
});

describe('refuses', () => {
  it.each([
    ['without samples', encodeAiff({ seconds: 0, extra: cover(200_000) })],
    ['without a chunk of samples', encodeAiff({ extra: cover(9) }).subarray(0, 38)],
    ['with an unknown compression', encodeAiff({ name: 'QDM2' })],
    ['with thousands of empty chunks', insertChunk(encodeAiff(), manyChunks(2_000))],
    ['without channels', withoutChannels()],
  ])('an AIFF %s', async (_, bytes) => {
    const { answer } = await send(bytes);
    expect(answer).toMatchObject({ status: 415, issueCode: 'WRONG_KIND' });
  });
});

/** Before the first chunk. */
function insertChunk(aiff: Buffer, chunk: Buffer) {
  return Buffer.concat([aiff.subarray(0, 12), chunk, aiff.subarray(12)]);
}

function manyChunks(count: number) {
  return Buffer.concat(Array.from({ length: count }, () => aiffChunk('APPL', Buffer.alloc(0))));
}

function withoutChannels() {
  const aiff = encodeAiff();
  aiff.writeUInt16BE(0, 20);
  return aiff;
}
