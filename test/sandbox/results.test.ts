import { readdir, readFile, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import { describe, expect, it, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { MEDIA_DIR } from '../../src/sandbox/storage/library.ts';
import {
  control,
  finalItem,
  type Json,
  jobs,
  lipsync,
  listVideos,
  makeWav,
  openSandbox,
  temporaryFolder,
  upload,
} from './client.ts';

type Demuxed = {
  video: string | null;
  audio: string | null;
  seconds: number;
  soundSeconds: number;
};

/** Reads the video as a player does: exactly one track of each kind, with every packet readable. */
async function demux(url: unknown): Promise<Demuxed> {
  const bytes = await (await fetch(String(url))).arrayBuffer();
  const input = new Input({ source: new BufferSource(bytes), formats: ALL_FORMATS });
  const tracks = await input.getTracks();
  expect(tracks.map((track) => track.type).sort()).toEqual(['audio', 'video']);
  const [video, audio] = [await input.getPrimaryVideoTrack(), await input.getPrimaryAudioTrack()];
  if (!(video && audio)) throw new Error('A track is missing.');
  let read = 0;
  for (const track of [video, audio]) {
    for await (const packet of new EncodedPacketSink(track).packets()) read += packet.data.length;
  }
  expect(read).toBeGreaterThan(1000);
  return {
    video: await video.getCodec(),
    audio: await audio.getCodec(),
    seconds: await input.computeDuration(),
    soundSeconds: await audio.computeDuration(),
  };
}

async function finish(sandbox: Sandbox, fields: Json) {
  const { json } = await lipsync(sandbox, fields);
  return finalItem(sandbox, json.video_id);
}

const MEBIBYTE = 1024 ** 2;
/** Several times the longest source video, so that the picture must be repeated. */
const LONG_SECONDS = 20;

describe('a finished video', () => {
  it.each([
    ['shorter than the picture', 1.5, 44_100],
    ['longer than the picture', LONG_SECONDS, 44_100],
    ['with a sample rate that MP3 does not support', 2, 96_000],
  ])('contains a whole WAV %s', async (_, seconds, sampleRate) => {
    const sandbox = await openSandbox();
    const audio_path = await upload(sandbox, makeWav(seconds, sampleRate), 'audio/wav');
    const item = await finish(sandbox, { audio_path });
    const found = await demux(item.url);
    expect(found).toMatchObject({ video: 'avc', audio: 'mp3' });
    expect(Math.abs(found.seconds - seconds)).toBeLessThan(0.3);
    expect(Math.abs(found.soundSeconds - seconds)).toBeLessThan(0.3);
    expect(item.duration).toBe(Math.round(seconds));
  });

  it('contains an MP3 unchanged, with every source video of the library', async () => {
    const sandbox = await openSandbox();
    const mp3 = await readFile(`${MEDIA_DIR}/voices/1.mp3`);
    const sent = new Input({ source: new BufferSource(mp3), formats: ALL_FORMATS });
    const seconds = await sent.computeDuration();
    const audio_path = await upload(sandbox, new Uint8Array(mp3));
    for (const source of await listVideos(sandbox)) {
      const item = await finish(sandbox, { audio_path, video_id: source.video_id });
      const found = await demux(item.url);
      expect(found).toMatchObject({ video: 'avc', audio: 'mp3' });
      expect(Math.abs(found.seconds - seconds)).toBeLessThan(0.3);
      expect(item).toMatchObject({
        output_width: source.output_width,
        output_height: source.output_height,
        img_url: source.img_url,
      });
    }
  });

  it('contains placeholder speech as long as its text', async () => {
    const sandbox = await openSandbox();
    const prompt = 'The quick brown fox jumps over the lazy dog, again and again.';
    const found = await demux((await finish(sandbox, { prompt, speaker_id: '2' })).url);
    expect(found).toMatchObject({ video: 'avc', audio: 'mp3' });
    expect(Math.abs(found.seconds - prompt.length / 14)).toBeLessThan(0.3);
  });

  it('can be the source of another video', async () => {
    const sandbox = await openSandbox();
    const first = await finish(sandbox, {});
    const second = await finish(sandbox, { video_id: first.video_id, prompt: 'And once more.' });
    expect((await demux(second.url)).video).toBe('avc');
    expect(second).toMatchObject({ original_video_id: first.video_id, img_url: first.img_url });
  });

  it('is rendered once for the same picture and sound', async () => {
    const sandbox = await openSandbox();
    const [first, second] = [await finish(sandbox, {}), await finish(sandbox, {})];
    expect(first.url).not.toBe(second.url);
    const files = (await jobs(sandbox)).map((job) => (job as { result?: Json }).result?.file);
    expect(new Set(files).size).toBe(1);
  });

  it('is not made from audio over 60 seconds or unreadable files: the job is FAILED', async () => {
    const sandbox = await openSandbox();
    const text = new TextEncoder().encode('this is not a media file');
    const broken: Json[] = [
      { audio_path: await upload(sandbox, makeWav(61, 8000), 'audio/wav') },
      { audio_path: await upload(sandbox, text, 'audio/mpeg') },
      { video_path: await upload(sandbox, text, 'video/mp4'), prompt: 'Hello' },
      { video_path: await upload(sandbox, makeWav(1), 'video/mp4'), prompt: 'Hello' },
    ];
    for (const fields of broken) {
      expect(await finish(sandbox, fields)).toMatchObject({ video_status: 8, url: '' });
    }
    const reasons = (await jobs(sandbox)).map((job) => job.reason);
    expect(reasons[0]).toContain('60 seconds');
    expect(reasons.every(Boolean)).toBe(true);
  });

  it.each([
    ['the RIFF size', 4, 0xffffffff],
    ['the size of the samples', 40, 0x7fffffff],
    ['the size of the samples, which is 0', 40, 0],
  ])('is not made from a WAV in which %s is wrong', async (_, position, size) => {
    const sandbox = await openSandbox();
    const wrong = Buffer.from(makeWav(1));
    wrong.writeUInt32LE(size, position);
    const audio_path = await upload(sandbox, wrong, 'audio/wav');
    expect(await finish(sandbox, { audio_path })).toMatchObject({ video_status: 8, url: '' });
  });
});

describe('media files', () => {
  it('are served to any origin: whole, by range and with HEAD', async () => {
    const sandbox = await openSandbox();
    const [video] = await listVideos(sandbox);
    const url = String(video?.url);
    const whole = await fetch(url);
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(whole.headers.get('access-control-allow-origin')).toBe('*');
    const bytes = Buffer.from(await whole.arrayBuffer());
    const part = await fetch(url, { headers: { range: 'bytes=4-7' } });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 4-7/${bytes.length}`);
    expect(await part.text()).toBe('ftyp');
    const tail = await fetch(url, { headers: { range: 'bytes=-3' } });
    expect(Buffer.from(await tail.arrayBuffer())).toEqual(bytes.subarray(-3));
    const past = await fetch(url, { headers: { range: `bytes=${bytes.length}-` } });
    expect(past.status).toBe(416);
    const head = await fetch(url, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(bytes.length));
    expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204);
  });

  it('are served from their folders only', async () => {
    const sandbox = await openSandbox();
    for (const path of ['/media/..%2fsandbox.ts', '/media/README.md', '/uploads/a.mp3']) {
      expect((await fetch(`${sandbox.origin}${path}`)).status).toBe(404);
    }
  });
});

describe('uploads', () => {
  it('are answered flat for audio and video, nested for images, and are served again', async () => {
    const sandbox = await openSandbox({ accounts: [{ email: 'a@b.example', maxJobs: 1 }] });
    const send = (type: string, body: Uint8Array<ArrayBuffer>) =>
      fetch(`${sandbox.baseUrl}/files/`, {
        method: 'POST',
        headers: { authorization: `Bearer ${sandbox.token}`, 'content-type': type },
        body,
      });
    const bytes = new Uint8Array(100_000).fill(7);
    const flat = (await (await send('AUDIO/wav; codecs=1', bytes)).json()) as Json;
    expect(Object.keys(flat).sort()).toEqual(['path', 'url']);
    const kept = await fetch(String(flat.url));
    expect(kept.headers.get('content-type')).toBe('audio/wav');
    expect(new Uint8Array(await kept.arrayBuffer())).toEqual(bytes);
    const nested = (await (await send('image/png', bytes)).json()) as { result: Json[] };
    expect(nested.result[0]).toMatchObject({ size: bytes.length, err_msg: '' });
    for (const reply of [
      await send('audio/aac', bytes),
      await send('audio/wav', new Uint8Array()),
    ]) {
      expect([reply.status, ((await reply.json()) as Json).code]).toEqual([400, 400]);
    }
  });

  it('are streamed with backpressure, and a broken upload leaves no file', async () => {
    const dataDir = await temporaryFolder();
    const sandbox = await openSandbox({
      dataDir,
      accounts: [{ email: 'a@b.example', maxJobs: 1 }],
    });
    await control(sandbox, 'PUT /switches', { trickleBytesPerSecond: 4 * MEBIBYTE });
    let sent = 0;
    async function* endless() {
      for (;;) {
        sent += 1;
        yield new Uint8Array(MEBIBYTE);
      }
    }
    const sending = request(`${sandbox.baseUrl}/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sandbox.token}`, 'content-type': 'video/mp4' },
    });
    const broken = expect(pipeline(endless, sending)).rejects.toThrow();
    const bytesOnDisk = async () => {
      const names = await readdir(`${dataDir}/uploads`);
      const sizes = names.map(async (name) => (await stat(`${dataDir}/uploads/${name}`)).size);
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    };
    await vi.waitFor(async () => expect(await bytesOnDisk()).toBeGreaterThan(2 * MEBIBYTE), 60_000);
    // Without backpressure the endless body would be hundreds of megabytes ahead.
    expect(sent).toBeLessThan(40);
    sending.destroy();
    await broken;
    await vi.waitFor(async () => expect(await readdir(`${dataDir}/uploads`)).toEqual([]), 60_000);
  });
});
