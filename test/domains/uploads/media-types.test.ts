import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { detectMediaType, readContentType } from '../../../src/domains/uploads/media-types.ts';
import { wav } from './upload-harness.ts';

const mp3 = await readFile(new URL('../../../src/demo-media/speech.mp3', import.meta.url));
const mp4 = await readFile(new URL('../../../src/sandbox/media/source-1.mp4', import.meta.url));
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const jpegHead = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex');

describe('works', () => {
  it.each([
    ['AUDIO', 'audio/wav', 'audio/wav'],
    ['AUDIO', 'Audio/X-Wav', 'audio/wav'],
    ['AUDIO', 'audio/wave; codecs=1', 'audio/wav'],
    ['AUDIO', ' audio/mp3 ', 'audio/mpeg'],
    ['VIDEO', 'VIDEO/MP4', 'video/mp4'],
    ['VIDEO', 'video/mp2t', 'video/MP2T'],
  ] as const)('reads the %s type %s as %s', (kind, declared, read) => {
    expect(readContentType(kind, declared)).toBe(read);
  });

  it.each([
    ['a WAV', wav(1), { kind: 'AUDIO', contentType: 'audio/wav' }],
    ['an MP3', mp3.subarray(0, 4_100), { kind: 'AUDIO', contentType: 'audio/mpeg' }],
    ['an MP4', mp4.subarray(0, 4_100), { kind: 'VIDEO', contentType: 'video/mp4' }],
    [
      'an FLV',
      Buffer.from('464c56010500000009', 'hex'),
      { kind: 'VIDEO', contentType: 'video/x-flv' },
    ],
  ])('detects %s by its bytes', async (_, bytes, media) => {
    expect(await detectMediaType(bytes, 'audio/mpeg')).toEqual(media);
  });

  it('detects a JPEG as a video only if motion JPEG was declared', async () => {
    const media = { kind: 'VIDEO', contentType: 'video/x-motion-jpeg' };
    expect(await detectMediaType(jpegHead, 'video/x-motion-jpeg')).toEqual(media);
    expect(await detectMediaType(jpegHead, 'video/mp4')).toBeNull();
  });
});

describe('refuses', () => {
  it.each([
    ['AUDIO', 'video/mp4'],
    ['VIDEO', 'audio/wav'],
    ['AUDIO', 'audio/aac'],
    ['AUDIO', 'audio/ogg'],
    ['VIDEO', 'image/png'],
    ['AUDIO', ''],
    ['AUDIO', 'constructor'],
  ] as const)('the %s type "%s"', (kind, declared) => {
    expect(readContentType(kind, declared)).toBeNull();
  });

  it.each([
    ['a PNG', png],
    ['a text', Buffer.from('This is a text, not audio.')],
    ['a FLAC', Buffer.from('664c614300000022', 'hex')],
    ['one byte', Buffer.from('R')],
    ['nothing', Buffer.alloc(0)],
  ])('%s', async (_, bytes) => {
    expect(await detectMediaType(bytes, 'audio/mpeg')).toBeNull();
  });
});
