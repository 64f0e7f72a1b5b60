import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mp3Frames } from '../../support/mp3.ts';
import { readWav } from '../../support/wav.ts';
import { inPieces, openUploadHarness, put, type UploadHarness } from './upload-harness.ts';
import { encodeWav } from './wav-layouts.ts';

const sound = (name: string) => readFileSync(new URL(`./sounds/${name}`, import.meta.url));

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

type Options = { clip?: object | undefined; isStreamed?: boolean };

async function send(bytes: Uint8Array, { clip, isStreamed = false }: Options = {}) {
  const input = { kind: 'AUDIO', contentType: 'audio/mpeg', clip } as const;
  const { upload, uploadUrl } = await harness.create(input);
  const answer = await put(uploadUrl, isStreamed ? inPieces(bytes) : bytes);
  return { answer, id: upload.id, row: await harness.find(upload.id) };
}

/** An ID3 tag of this length with its header, and what follows it. */
function tagged(tagBytes: number, rest: Uint8Array) {
  const tag = Buffer.alloc(tagBytes);
  tag.write('ID3\x04\x00\x00', 'latin1');
  for (let at = 0; at < 4; at += 1) tag[6 + at] = ((tagBytes - 10) >> (7 * (3 - at))) & 0x7f;
  return Buffer.concat([tag, rest]);
}

const zeros = (count: number, rest: Uint8Array) => Buffer.concat([Buffer.alloc(count), rest]);

const mp3 = sound('plain.mp3');
const flac = sound('sound.flac');
const aac = sound('sound.aac');

describe('works', () => {
  it.each([
    ['a FLAC behind a tag of 5,000 bytes', tagged(5_000, flac), 'audio/flac', 1],
    ['a FLAC behind a tag of 4,098 bytes', tagged(4_098, flac), 'audio/flac', 1],
    ['a FLAC behind a tag of 3 MB', tagged(3 * 1024 ** 2, flac), 'audio/flac', 1],
    ['a FLAC behind two tags', tagged(3_000, tagged(90_000, flac)), 'audio/flac', 1],
    ['AAC behind a tag of 20,000 bytes', tagged(20_000, aac), 'audio/aac', 1.088],
    ['AAC behind a tag of 4,100 bytes', tagged(4_100, aac), 'audio/aac', 1.088],
    ['a WAV behind a tag of 20,000 bytes', tagged(20_000, encodeWav()), 'audio/wav', 1],
    ['an MP3 behind 5,000 zeros', zeros(5_000, mp3), 'audio/mpeg', 1.045],
    ['an MP3 behind 60,000 zeros', zeros(60_000, mp3), 'audio/mpeg', 1.045],
    ['an MP3 behind a tag and zeros', tagged(1_000, zeros(3_000, mp3)), 'audio/mpeg', 1.045],
  ] as const)('decodes %s', async (...[, bytes, contentType, seconds]) => {
    for (const options of [{}, { isStreamed: true }, { clip: {} }]) {
      const { answer, id, row } = await send(bytes, options);
      expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(seconds, 1) });
      expect(row).toMatchObject({
        contentType,
        storedContentType: 'audio/wav',
        size: bytes.byteLength,
      });
      expect(readWav(await harness.received(id)).peak).toBeGreaterThan(0.1);
    }
  });

  it.each([4_098, 4_099, 4_100, 4_101, 70_000, 5 * 1024 ** 2])(
    'sends an MP3 behind a tag of %i bytes as it is',
    async (tagBytes) => {
      const bytes = tagged(tagBytes, mp3);
      for (const isStreamed of [false, true]) {
        const { answer, id, row } = await send(bytes, { isStreamed });
        expect(answer).toMatchObject({ status: 200, durationSeconds: expect.closeTo(1.08, 1) });
        expect(row).toMatchObject({ contentType: 'audio/mpeg', storedContentType: 'audio/mpeg' });
        expect((await harness.received(id)).equals(bytes)).toBe(true);
      }
    },
  );
});

describe('refuses', () => {
  it.each([
    ['zeros', Buffer.alloc(200_000)],
    ['an MP3 behind 300,000 zeros', zeros(300_000, mp3)],
    ['a tag of 4,099 bytes and a text', tagged(4_099, Buffer.alloc(90_000, 'text'))],
    ['a tag without an end', tagged(200_000, mp3).subarray(0, 100_000)],
    ['a single frame behind zeros', zeros(5_000, mp3Frames(1).subarray(0, 100))],
  ])('%s, and the upstream keeps nothing', async (_, bytes) => {
    const { answer, row } = await send(bytes);
    expect(answer).toMatchObject({ status: 415, issueCode: 'WRONG_KIND' });
    expect(row).toMatchObject({ state: 'FAILED', path: null });
  });
});
