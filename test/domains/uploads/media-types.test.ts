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

const flac = { kind: 'AUDIO', contentType: 'audio/flac', container: 'OTHER' } as const;
const m4a = { kind: 'AUDIO', contentType: 'audio/mp4', container: 'OTHER' } as const;

describe('works', () => {
  it.each([
    ['AUDIO', 'audio/wav', 'audio/wav'],
    ['AUDIO', 'Audio/X-Wav', 'audio/wav'],
    ['AUDIO', 'audio/wave; codecs=1', 'audio/wav'],
    ['AUDIO', ' audio/mp3 ', 'audio/mpeg'],
    ['VIDEO', 'VIDEO/MP4', 'video/mp4'],
    ['VIDEO', 'video/mp2t', 'video/MP2T'],
    ['AUDIO', 'audio/x-m4a', 'audio/mp4'],
    ['AUDIO', 'audio/webm;codecs=opus', 'audio/webm'],
    ['AUDIO', 'application/ogg', 'audio/ogg'],
    ['AUDIO', 'audio/x-caf', 'audio/x-caf'],
    ['AUDIO', 'application/octet-stream', 'application/octet-stream'],
    ['VIDEO', 'application/octet-stream', 'application/octet-stream'],
  ] as const)('reads the %s type %s as %s', (kind, declared, read) => {
    expect(readContentType(kind, declared)).toBe(read);
  });

  // As Windows, Safari, Linux desktops and other tools call them.
  it.each([
    ['VIDEO', 'video/avi', 'video/x-msvideo'],
    ['VIDEO', 'video/x-m4v', 'video/mp4'],
    ['VIDEO', 'video/vnd.dlna.mpeg-tts', 'video/MP2T'],
    ['VIDEO', 'video/matroska', 'video/x-matroska'],
    ['VIDEO', 'video/3gpp2', 'video/3gpp'],
    ['VIDEO', 'binary/octet-stream', 'application/octet-stream'],
    ['AUDIO', 'audio/matroska', 'audio/webm'],
    ['AUDIO', 'video/matroska', 'audio/webm'],
    ['AUDIO', 'audio/x-opus+ogg', 'audio/ogg'],
    ['AUDIO', 'audio/x-flac+ogg', 'audio/ogg'],
    ['AUDIO', 'audio/x-wave', 'audio/wav'],
    ['AUDIO', 'audio/x-mpeg3', 'audio/mpeg'],
    ['AUDIO', 'application/x-flac', 'audio/flac'],
    ['AUDIO', 'audio/x-aifc', 'audio/aiff'],
  ] as const)('reads another name of the %s type, %s, as %s', (kind, declared, read) => {
    expect(readContentType(kind, declared)).toBe(read);
  });

  it.each([
    ['a WAV', wav(1), { kind: 'AUDIO', contentType: 'audio/wav', container: null }],
    [
      'an MP3',
      mp3.subarray(0, 4_100),
      { kind: 'AUDIO', contentType: 'audio/mpeg', container: null },
    ],
    [
      'an MP4',
      mp4.subarray(0, 4_100),
      { kind: 'VIDEO', contentType: 'video/mp4', container: null },
    ],
    [
      'an FLV',
      Buffer.from('464c56010500000009', 'hex'),
      { kind: 'VIDEO', contentType: 'video/x-flv', container: null },
    ],
    ['a FLAC', Buffer.from('664c614300000022', 'hex'), flac],
    ['a sound in an MP4', mp4.subarray(0, 4_100), m4a],
  ] as const)('detects %s by its bytes', async (_, bytes, media) => {
    expect(await detectMediaType(media.kind, bytes, 'audio/mpeg')).toEqual(media);
  });

  it('detects a JPEG as a video only if motion JPEG was declared', async () => {
    const media = { kind: 'VIDEO', contentType: 'video/x-motion-jpeg', container: null };
    expect(await detectMediaType('VIDEO', jpegHead, 'video/x-motion-jpeg')).toEqual(media);
    expect(await detectMediaType('VIDEO', jpegHead, 'video/mp4')).toEqual({ found: 'jpg' });
  });
});

describe('refuses', () => {
  it.each([
    ['AUDIO', 'video/mpeg'],
    ['VIDEO', 'audio/wav'],
    ['AUDIO', 'audio/midi'],
    ['AUDIO', 'audio/amr'],
    ['VIDEO', 'image/png'],
    ['VIDEO', 'image/jpeg'],
    ['VIDEO', 'text/html'],
    ['AUDIO', 'text/html'],
    ['AUDIO', ''],
    ['AUDIO', 'constructor'],
  ] as const)('the %s type "%s"', (kind, declared) => {
    expect(readContentType(kind, declared)).toBeNull();
  });

  it.each([
    ['a PNG', png],
    ['a text', Buffer.from('This is a text, not audio.')],
    ['one byte', Buffer.from('R')],
    ['nothing', Buffer.alloc(0)],
  ])('%s', async (_, bytes) => {
    expect(await detectMediaType('AUDIO', bytes, 'audio/mpeg')).toHaveProperty('found');
  });
});
