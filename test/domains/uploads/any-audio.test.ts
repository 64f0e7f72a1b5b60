import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav } from '../../support/wav.ts';
import { encodeAacCaf } from './caf-layout.ts';
import { inPieces, openUploadHarness, put, type UploadHarness } from './upload-harness.ts';
import { chunk, encodeWav, mp3InWav } from './wav-layouts.ts';

const speech = readFileSync(new URL('../../../src/demo-media/speech.mp3', import.meta.url));
const sound = (name: string) => readFileSync(new URL(`./sounds/${name}`, import.meta.url));

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

type Clip = { startSeconds?: number; durationSeconds?: number };

async function send(
  bytes: Uint8Array,
  options: {
    contentType?: string;
    clip?: Clip | undefined;
    isStreamed?: boolean;
    size?: number;
  } = {},
) {
  const { contentType = 'audio/wav', clip, isStreamed = false, size } = options;
  const input = { kind: 'AUDIO', contentType, clip, size } as const;
  const { upload, uploadUrl } = await harness.create(input);
  const answer = await put(uploadUrl, isStreamed ? inPieces(bytes) : bytes);
  return { answer, id: upload.id, row: await harness.find(upload.id) };
}

const tagged = (tagBytes: number, mp3: Uint8Array) => {
  const tag = Buffer.alloc(10 + tagBytes);
  tag.write('ID3\x04\x00\x00', 'latin1');
  for (let at = 0; at < 4; at += 1) tag[6 + at] = (tagBytes >> (7 * (3 - at))) & 0x7f;
  return Buffer.concat([tag, mp3]);
};

type WavFields = { byteRate?: number; blockAlign?: number; bits?: number };

/** A WAV with these fields in its header, whose format begins at this position. */
function withFields(bytes: Buffer<ArrayBuffer>, fields: WavFields, formatAt = 20) {
  const { byteRate, blockAlign, bits } = fields;
  const changed = Buffer.from(bytes);
  if (byteRate !== undefined) changed.writeUInt32LE(byteRate, formatAt + 8);
  if (blockAlign !== undefined) changed.writeUInt16LE(blockAlign, formatAt + 12);
  if (bits !== undefined) changed.writeUInt16LE(bits, formatAt + 14);
  return changed;
}

/** With a chunk of 36 bytes before the format. */
function withChunkFirst(bytes: Buffer<ArrayBuffer>) {
  const moved = Buffer.concat([
    bytes.subarray(0, 12),
    chunk('JUNK', Buffer.alloc(28)),
    bytes.subarray(12),
  ]);
  moved.writeUInt32LE(moved.byteLength - 8, 4);
  return moved;
}

/** Within the last frame, which encoders fill up. */
const closeTo = (seconds: number) => expect.closeTo(seconds, 1);

describe('works', () => {
  it.each([
    ['a voice memo of a phone', 'voicememo.m4a', 'audio/mp4', 2],
    ['a recording of a browser, without a duration', 'recorder.webm', 'audio/webm', 2],
    ['AAC in a fragmented MP4', 'fragmented.mp4', 'audio/mp4', 1.064],
    ['AAC in stereo', 'stereo.m4a', 'audio/mp4', 1],
    ['AAC in a QuickTime file', 'sound.mov', 'audio/mp4', 1],
    ['AAC as ADTS', 'sound.aac', 'audio/aac', 1.088],
    ['Opus in OGG', 'opus.ogg', 'audio/ogg', 1],
    ['Opus in MP4', 'opus.mp4', 'audio/mp4', 1],
    ['Vorbis in OGG', 'vorbis.ogg', 'audio/ogg', 1],
    ['Vorbis in WebM', 'vorbis.webm', 'audio/webm', 1],
    ['FLAC', 'sound.flac', 'audio/flac', 1],
    ['AIFF', 'pcm.aiff', 'audio/aiff', 1],
    ['PCM in CAF', 'pcm.caf', 'audio/x-caf', 1],
    ['µ-law in CAF', 'mulaw.caf', 'audio/x-caf', 1],
    ['ALAC in CAF', 'alac.caf', 'audio/x-caf', 1],
    ['ALAC in MP4', 'alac.m4a', 'audio/mp4', 1],
    ['ALAC in CAF with a last packet that is not full', 'alac-partial.caf', 'audio/x-caf', 1],
    ['Opus in CAF, an audio message of a phone', 'opus.caf', 'audio/x-caf', 1.02],
    ['A-law in CAF', 'alaw.caf', 'audio/x-caf', 1],
    ['floats in CAF', 'float.caf', 'audio/x-caf', 1],
    ['AIFF of 24 bits', 'pcm24.aiff', 'audio/aiff', 1],
    ['AIFF-C with the bytes of Intel', 'sowt.aifc', 'audio/aiff', 1],
    ['AIFF-C of floats', 'float.aifc', 'audio/aiff', 1],
    ['FLAC of 24 bits', 'flac24.flac', 'audio/flac', 1],
    ['FLAC of unknown length', 'piped.flac', 'audio/flac', 1],
    ['M4A with a cover', 'cover.m4a', 'audio/mp4', 1],
    ['M4A with an edit list', 'edited.m4a', 'audio/mp4', 1.01],
    ['M4A with two tracks, of which the first is used', 'two-tracks.m4a', 'audio/mp4', 1],
    ['the sound of an MP4 video', 'video.mp4', 'audio/mp4', 1],
    ['the sound of a WebM video', 'video.webm', 'audio/webm', 1],
  ])('decodes %s and sends it as WAV', async (...[, name, contentType, seconds]) => {
    const bytes = sound(name);
    const { answer, id, row } = await send(bytes, { contentType });
    expect(answer).toMatchObject({ status: 200, durationSeconds: closeTo(seconds) });
    expect(row).toMatchObject({
      contentType,
      storedContentType: 'audio/wav',
      size: bytes.byteLength,
      durationSeconds: answer.durationSeconds,
    });
    const received = readWav(await harness.received(id));
    expect(received.seconds).toBeCloseTo(answer.durationSeconds ?? 0, 2);
    if (name !== 'voicememo.m4a' && name !== 'recorder.webm') {
      // Encoders surround the tone with silence and noise.
      expect(received.hertz).toBeGreaterThan(405);
      expect(received.hertz).toBeLessThan(455);
    }
    expect(received.channels).toBe(name === 'stereo.m4a' ? 2 : 1);
    expect(received.peak).toBeGreaterThan(0.1);
  });

  it.each([
    ['Opus', 'opus.ogg'],
    ['Vorbis', 'vorbis.ogg'],
  ])('decodes all streams of an OGG of several, with %s', async (_, name) => {
    const bytes = Buffer.concat([sound(name), sound(name), sound(name)]);
    expect((await send(bytes)).answer).toMatchObject({ status: 200, durationSeconds: 3 });
    const { answer } = await send(bytes, { clip: { startSeconds: 1.5, durationSeconds: 1 } });
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    const late = await send(bytes, { clip: { startSeconds: 2.75 } });
    expect(late.answer).toMatchObject({ status: 200, durationSeconds: closeTo(0.25) });
  });

  it.each([
    ['an MP3 in a WAV', mp3InWav(sound('plain.mp3')), 'audio/wav', 1.045],
    [
      'an MP3 after other bytes',
      Buffer.concat([Buffer.alloc(777, 'x'), sound('plain.mp3')]),
      'audio/mpeg',
      1.045,
    ],
    ['AAC as ADTS with a tag', tagged(500, sound('sound.aac')), 'audio/aac', 1.088],
    ['AAC in CAF', encodeAacCaf(sound('sound.aac'), 16_000), 'audio/x-caf', 1.088],
  ] as const)('decodes %s', async (...[, bytes, contentType, seconds]) => {
    const { answer, id, row } = await send(bytes);
    expect(answer).toMatchObject({ status: 200, durationSeconds: closeTo(seconds) });
    expect(row).toMatchObject({ contentType, storedContentType: 'audio/wav' });
    expect(readWav(await harness.received(id)).peak).toBeGreaterThan(0.1);
  });

  it.each([
    'Audio/WebM; codecs=opus',
    'video/webm',
    'audio/x-m4a',
    'audio/vnd.wave',
    'application/octet-stream',
  ])('takes %s as the type, and lets the content decide', async (contentType) => {
    const { answer, row } = await send(sound('opus.ogg'), { contentType });
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    expect(row).toMatchObject({ contentType: 'audio/ogg' });
  });

  it.each([
    ['WAV', encodeWav()],
    ['WAV of 8 bits', encodeWav({ bits: 8 })],
    ['WAV of 24 bits', encodeWav({ bits: 24 })],
    ['WAV of 32 bits', encodeWav({ bits: 32, channels: 2 })],
    ['WAV of floats', encodeWav({ tag: 3, bits: 32 })],
    ['WAV of large floats', encodeWav({ tag: 3, bits: 64 })],
    ['WAV with µ-law', encodeWav({ tag: 7, bits: 8, sampleRate: 8_000 })],
    ['WAV with the extensible format', encodeWav({ isExtensible: true, bits: 24, channels: 2 })],
    ['WAV of 24 bits in four bytes each', withFields(encodeWav({ bits: 32 }), { bits: 24 })],
    ['WAV with other chunks', encodeWav({ extra: chunk('LIST', Buffer.alloc(9_001)) })],
    ['WAV with chunks after the samples', Buffer.concat([encodeWav(), chunk('id3 ', speech)])],
  ])('sends %s as it is', async (_, bytes) => {
    const { answer, id, row } = await send(bytes);
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    expect(row).toMatchObject({ contentType: 'audio/wav', storedContentType: 'audio/wav' });
    expect((await harness.received(id)).equals(bytes)).toBe(true);
  });

  it('decodes an RF64, which few readers know', async () => {
    const { answer, id } = await send(encodeWav({ container: 'RF64' }));
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    expect(readWav(await harness.received(id))).toMatchObject({ seconds: 1, sampleRate: 16_000 });
  });

  describe.each([
    ['with a known length', false],
    ['without a length', true],
  ])('a streamed WAV %s', (_, isStreamed) => {
    it.each([
      ['0xFFFFFFFF', 0xffffffff, 0xffffffff],
      ['0x7FFFFFFF', 0x7fffffff, 0x7fffffff - 36],
      ['2,000,000,000', 2_000_000_036, 2_000_000_000],
      ['0', 0, 0],
    ])('gets its real sizes instead of %s', async (__, riff, data) => {
      const { answer, id } = await send(encodeWav({ claims: { riff, data } }), { isStreamed });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
      expect(await harness.received(id)).toEqual(encodeWav());
    });

    it('loses the half sample at its end', async () => {
      const odd = Buffer.concat([encodeWav({ claims: { riff: 0, data: 0 } }), Buffer.alloc(1)]);
      const { id } = await send(odd, { isStreamed });
      expect(await harness.received(id)).toEqual(encodeWav());
    });
  });

  it.each([
    ['0xFFFFFFFF', 0xffffffff],
    ['0x7FFFFFFF', 0x7fffffff],
    ['0', 0],
    ['one that ends before the samples', 1_000],
  ])(
    'corrects the size %s of a streamed WAV that knows the length of its samples',
    async (_, riff) => {
      const wav = encodeWav({ claims: { riff, data: 32_000 } });
      for (const isStreamed of [false, true]) {
        const { answer, id } = await send(wav, { isStreamed });
        expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
        expect(await harness.received(id)).toEqual(encodeWav());
      }
      // The length of what follows is not known before it has arrived.
      const { id } = await send(Buffer.concat([wav, chunk('id3 ', speech)]), { isStreamed: true });
      expect(await harness.received(id)).toEqual(encodeWav());
    },
  );

  describe('a WAV with a wrong field in its format', () => {
    const stereo = encodeWav({ channels: 2 });
    it.each([
      // A code snippet that many Android recorders copied has 4 for mono too.
      ['block align', encodeWav(), withFields(encodeWav(), { blockAlign: 4 })],
      ['block align', stereo, withFields(stereo, { blockAlign: 2 })],
      ['byte rate', encodeWav(), withFields(encodeWav(), { byteRate: 0 })],
      [
        'block align, behind another chunk',
        withChunkFirst(encodeWav()),
        withFields(withChunkFirst(encodeWav()), { blockAlign: 4 }, 56),
      ],
    ])('gets its real %s', async (_, correct, wrong) => {
      for (const isStreamed of [false, true]) {
        const { answer, id } = await send(wrong, { isStreamed });
        expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
        expect((await harness.received(id)).equals(correct)).toBe(true);
      }
    });

    it('gets its real sizes too', async () => {
      const wrong = withFields(encodeWav({ claims: { riff: 0, data: 0 } }), { blockAlign: 4 });
      for (const isStreamed of [false, true]) {
        const { answer, id } = await send(wrong, { isStreamed });
        expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
        expect(await harness.received(id)).toEqual(encodeWav());
      }
    });

    it.each([
      ['block align', withFields(encodeWav({ seconds: 70 }), { blockAlign: 4 })],
      ['byte rate', withFields(encodeWav({ seconds: 70 }), { byteRate: 0 })],
      [
        'number of bits for samples of four bytes',
        withFields(encodeWav({ seconds: 70, bits: 32 }), { bits: 24 }),
      ],
    ])('is cut where it should be, with a wrong %s', async (_, bytes) => {
      const clip = { startSeconds: 65, durationSeconds: 2.5 };
      const { answer, id } = await send(bytes, { clip });
      expect(answer).toMatchObject({ status: 200, durationSeconds: 2.5 });
      const received = readWav(await harness.received(id));
      expect(received.seconds).toBeCloseTo(2.5, 3);
      expect(received.hertz).toBeCloseTo(440, -1);
    });

    it('is too long by its real length', async () => {
      const { answer } = await send(withFields(encodeWav({ seconds: 61 }), { blockAlign: 4 }));
      expect(answer).toMatchObject({ status: 422, issueCode: 'TOO_LONG' });
    });
  });

  it('sends a streamed WAV with correct sizes and chunks after the samples as it is', async () => {
    const body = Buffer.concat([encodeWav(), chunk('id3 ', speech)]);
    body.writeUInt32LE(body.byteLength - 8, 4);
    const { id } = await send(body, { isStreamed: true });
    expect((await harness.received(id)).equals(body)).toBe(true);
  });

  it.each([
    ['a WAV', encodeWav({ seconds: 70 }), { startSeconds: 65, durationSeconds: 2.5 }, 2.5],
    ['the end of a WAV', encodeWav({ seconds: 3 }), { startSeconds: 2 }, 1],
    ['an MP3', speech, { durationSeconds: 0.5 }, 0.5],
    ['an M4A', sound('voicememo.m4a'), { startSeconds: 1, durationSeconds: 0.25 }, 0.25],
    ['an ALAC', sound('alac.caf'), { startSeconds: 0.4, durationSeconds: 0.5 }, 0.5],
    ['a FLAC of hours', sound('silence-of-hours.flac'), { startSeconds: 6_000 }, 60],
  ] as const)('cuts a part out of %s', async (...[, bytes, clip, seconds]) => {
    const { answer, id } = await send(bytes, { clip });
    expect(answer).toMatchObject({ status: 200, durationSeconds: seconds });
    expect(readWav(await harness.received(id)).seconds).toBeCloseTo(seconds, 3);
  });

  it('cuts the part at its position in the source', async () => {
    const quiet = encodeWav({ seconds: 2 });
    quiet.fill(0, 44, 44 + 32_000);
    const beginning = await send(quiet, { clip: { durationSeconds: 1 } });
    const end = await send(quiet, { clip: { startSeconds: 1 } });
    expect(readWav(await harness.received(beginning.id)).hertz).toBe(0);
    expect(readWav(await harness.received(end.id)).hertz).toBeCloseTo(440, -1);
  });
});

describe('refuses', () => {
  /** A WAV of 16 kHz whose block align and byte rate agree with each other. */
  const withAlign = (bytes: Buffer<ArrayBuffer>, blockAlign: number) =>
    withFields(bytes, { blockAlign, byteRate: blockAlign * 16_000 });
  const half = (bytes: Buffer) => bytes.subarray(0, bytes.byteLength / 2);
  it.each([
    ['a text', Buffer.from('This is a text, and no sound at all.')],
    ['an empty page', Buffer.from('<!doctype html><title>Not found</title>')],
    ['a video without sound', sound('silent-video.mp4')],
    ['a WAV with ADPCM', sound('adpcm.wav')],
    ['ALAC in CAF that is cut', half(sound('alac.caf'))],
    ['Opus in CAF that is cut', half(sound('opus.caf'))],
    ['a cut WAV', half(encodeWav())],
    ['a WAV without samples', encodeWav({ seconds: 0 })],
    ['a WAV whose samples have another length than its bits', withAlign(encodeWav(), 4)],
    ['a WAV of floats in half their length', withAlign(encodeWav({ tag: 3, bits: 32 }), 2)],
    ['a WAV in stereo with samples of one channel', withAlign(encodeWav({ channels: 2 }), 2)],
    ['a WAV with µ-law of two bytes', withAlign(encodeWav({ tag: 7, bits: 8 }), 2)],
    ['a WAV with a codec', encodeWav({ tag: 17 })],
    [
      'a WAV without a format',
      Buffer.concat([Buffer.from('RIFF\x10\0\0\0WAVEdata\x04\0\0\0abcd', 'latin1')]),
    ],
    ['a cut M4A', half(sound('voicememo.m4a'))],
    [
      'an OGG of noise',
      Buffer.concat([sound('opus.ogg').subarray(0, 60), Buffer.alloc(4_000, 'x')]),
    ],
    ['an AIFF without samples', sound('pcm.aiff').subarray(0, 40)],
    ['a clip after the end', encodeWav(), { startSeconds: 5 }],
  ])('%s, before anything is sent', async (_, bytes, clip?: Clip) => {
    const before = (await harness.sentFiles()).length;
    const { answer, row } = await send(bytes, { clip });
    expect(answer).toMatchObject({ status: 415, code: 'INVALID_INPUT' });
    expect(row).toMatchObject({ state: 'FAILED', path: null });
    expect(await harness.sentFiles()).toHaveLength(before);
  });

  it('a cut WAV of unknown length, of which the upstream gets no whole file', async () => {
    const { answer, row } = await send(half(encodeWav()), { isStreamed: true });
    expect(answer).toMatchObject({ status: 415 });
    expect(row).toMatchObject({ state: 'FAILED', path: null });
  });

  it('AMR, and says what the file is', async () => {
    const { answer } = await send(Buffer.concat([Buffer.from('#!AMR\n'), Buffer.alloc(320, 4)]));
    expect(answer).toMatchObject({
      status: 415,
      message: expect.stringMatching(/type amr, which is not audio of an accepted type: WAV, MP3/),
    });
  });

  it.each([
    ['a tiny file that decodes to hours', sound('silence-of-hours.flac'), false],
    ['a streamed WAV', encodeWav({ seconds: 62, claims: { riff: 0, data: 0 } }), true],
    [
      'a streamed WAV that is slightly longer',
      encodeWav({ seconds: 60.5, claims: { riff: 0, data: 0 } }),
      true,
    ],
    ['a WAV', encodeWav({ seconds: 60.5 }), false],
    ['an RF64', encodeWav({ seconds: 61, container: 'RF64' }), false],
  ])('more than 60 seconds of %s', async (_, bytes, isStreamed) => {
    const before = (await harness.sentFiles()).length;
    const { answer } = await send(bytes, { isStreamed });
    expect(answer).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
    expect(await harness.sentFiles()).toHaveLength(before);
  });

  it('a file to decode of more than 256 MB, by its declared size', async () => {
    const { uploadUrl } = await harness.create({
      kind: 'AUDIO',
      contentType: 'audio/flac',
      size: 300 * 1024 ** 2,
    });
    const flac = sound('sound.flac');
    const answer = await put(uploadUrl, inPieces(flac));
    expect(answer).toMatchObject({ status: 413, code: 'INVALID_INPUT' });
  });

  it.each([
    [{ startSeconds: -1 }],
    [{ durationSeconds: 61 }],
    [{ durationSeconds: 0 }],
    [{ startSeconds: Number.POSITIVE_INFINITY }],
  ])('the clip %j', async (clip) => {
    const created = harness.create({ kind: 'AUDIO', contentType: 'audio/wav', clip });
    await expect(created).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('a clip of a video', async () => {
    const clip = { durationSeconds: 5 };
    const created = harness.create({ kind: 'VIDEO', contentType: 'video/mp4', clip });
    await expect(created).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('keeps out', () => {
  it('more files than are decoded at the same time, with an error that is retryable', async () => {
    const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
    const { promise: hasStarted, resolve: start } = Promise.withResolvers<void>();
    const limited = await openUploadHarness({
      decodings: { all: 2, perOwner: 1 },
      converter: {
        async convert() {
          start();
          await isReleased;
          return { kind: 'broken' };
        },
      },
    });
    const flac = sound('sound.flac');
    const create = () => limited.create({ kind: 'AUDIO', contentType: 'audio/flac' });
    const first = put((await create()).uploadUrl, flac);
    await hasStarted;
    const second = await put((await create()).uploadUrl, flac);
    expect(second).toMatchObject({ status: 429, code: 'QUOTA_EXCEEDED' });
    expect(second.headers.get('retry-after')).toBe('10');
    release();
    expect(await first).toMatchObject({ status: 415 });
    await limited.close();
  });
});
