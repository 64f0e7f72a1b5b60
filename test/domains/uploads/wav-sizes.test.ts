import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav } from '../../support/wav.ts';
import { inPieces, openUploadHarness, put, type UploadHarness } from './upload-harness.ts';
import { chunk, encodeWav } from './wav-layouts.ts';

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

type Options = { clip?: { startSeconds?: number } | undefined; isStreamed?: boolean };

async function send(bytes: Uint8Array, { clip, isStreamed = false }: Options = {}) {
  const input = { kind: 'AUDIO', contentType: 'audio/wav', clip } as const;
  const { upload, uploadUrl } = await harness.create(input);
  const answer = await put(uploadUrl, isStreamed ? inPieces(bytes) : bytes);
  return { answer, id: upload.id };
}

const dataBytes = 32_000;

/** An RF64 whose chunk for sizes has this size of the samples. */
function withLargeSize(size: number) {
  const wav = encodeWav({ container: 'RF64' });
  wav.writeBigUInt64LE(BigInt(size), 28);
  return wav;
}

/** A chunk of an odd length without the byte that fills it up. */
const unpadded = (name: string, bytes: number) => chunk(name, Buffer.alloc(bytes)).subarray(0, -1);

describe('works', () => {
  describe.each([
    ['with a known length', false],
    ['without a length', true],
  ])('a clip of a streamed WAV %s', (_, isStreamed) => {
    it.each([
      ['0', 0, 0],
      ['0 for the samples', dataBytes + 36, 0],
      ['0 for the file', 0, dataBytes],
      ['10 for the file', 10, dataBytes],
      ['2,000,000,000', 2_000_000_036, 2_000_000_000],
      ['0xFFFFFFFF', 0xffffffff, 0xffffffff],
    ])('whose size is %s, is decoded', async (__, riff, data) => {
      const wav = encodeWav({ claims: { riff, data } });
      const { answer, id } = await send(wav, { clip: { startSeconds: 0.25 }, isStreamed });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 0.75 });
      expect(readWav(await harness.received(id)).hertz).toBeCloseTo(440, -1);
    });
  });

  it.each([
    ['a WAV of 24 bits', encodeWav({ bits: 24 })],
    ['a WAV of floats', encodeWav({ tag: 3, bits: 32, channels: 2 })],
    ['a WAV with µ-law', encodeWav({ tag: 7, bits: 8 })],
    ['a WAV with the extensible format', encodeWav({ isExtensible: true, bits: 24, channels: 2 })],
    ['a WAV with chunks around its samples', around(encodeWav({ extra: chunk('LIST', texts()) }))],
  ])('a clip of %s is decoded', async (_, bytes) => {
    const { answer, id } = await send(bytes, { clip: { startSeconds: 0.25 } });
    expect(answer).toMatchObject({ status: 200, durationSeconds: 0.75 });
    expect(readWav(await harness.received(id)).hertz).toBeCloseTo(440, -1);
  });

  it.each([0, dataBytes, dataBytes + 40])('decodes an RF64 whose size is %i', async (size) => {
    for (const clip of [undefined, {}]) {
      const { answer } = await send(withLargeSize(size), { clip });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    }
  });

  describe.each([1, 36, 44, 45])('a WAV whose samples lack %i bytes', (excess) => {
    const claims = { riff: dataBytes + 36, data: dataBytes + excess };

    it('gets its real sizes', async () => {
      const { answer, id } = await send(encodeWav({ claims }));
      expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
      expect(await harness.received(id)).toEqual(encodeWav());
    });

    it('gets silence instead of them if its length is not known', async () => {
      const { answer, id } = await send(encodeWav({ claims }), { isStreamed: true });
      expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(1, 2) });
      const received = await harness.received(id);
      const padded = encodeWav({ claims: { riff: dataBytes + 36 + excess, data: claims.data } });
      expect(received).toEqual(Buffer.concat([padded, Buffer.alloc(excess)]));
    });

    it('is decoded if only a part is used', async () => {
      const { answer } = await send(encodeWav({ claims }), { clip: {} });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    });
  });

  it.each([
    ['JUNK', unpadded('JUNK', 301)],
    ['LIST', unpadded('LIST', 9_001)],
    ['two chunks', Buffer.concat([unpadded('bext', 603), unpadded('JUNK', 77)])],
  ])('decodes a WAV with an odd chunk that is not filled up: %s', async (_, extra) => {
    // The first byte of the size is printable, so that the padded position has a printable name too.
    const wav = encodeWav({ extra, sampleRate: 16_016 });
    for (const clip of [undefined, {}]) {
      const { answer, id } = await send(wav, { clip });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
      expect(readWav(await harness.received(id)).hertz).toBeCloseTo(440, -1);
    }
  });
});

describe('refuses', () => {
  it.each([
    ['with a known length', false],
    ['without a length', true],
  ])('a WAV %s that lacks more of its samples', async (_, isStreamed) => {
    const claims = { riff: dataBytes + 36, data: dataBytes + 46 };
    const { answer } = await send(encodeWav({ claims }), { isStreamed });
    expect(answer).toMatchObject({ status: 415, issueCode: 'WRONG_KIND' });
  });

  it('a WAV of which nothing but the header is there', async () => {
    const claims = { riff: 76, data: 40 };
    const { answer } = await send(encodeWav({ seconds: 0, claims }));
    expect(answer).toMatchObject({ status: 415, issueCode: 'WRONG_KIND' });
  });
});

function texts() {
  return Buffer.concat([Buffer.from('INFO'), chunk('INAM', Buffer.from('A tone'))]);
}

function around(wav: Buffer) {
  return Buffer.concat([wav, chunk('id3 ', Buffer.alloc(3_000, 'x'))]);
}
