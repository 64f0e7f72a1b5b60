import { describe, expect, it } from 'vitest';
import {
  ask,
  finalItem,
  type Json,
  lipsync,
  listVideos,
  openSandbox,
  STUDIO,
  sourceId,
} from './client.ts';

const email = `?email=${encodeURIComponent(STUDIO)}`;

describe('videos', () => {
  it('are listed newest first, forty by default, with offset as a position', async () => {
    const sandbox = await openSandbox({ accounts: [{ email: STUDIO, maxJobs: 8 }] });
    const made: string[] = [];
    for (let n = 0; n < 6; n++) made.unshift(String((await lipsync(sandbox)).json.video_id));
    const ids = async (query: string) => {
      const { json } = await ask(sandbox, `GET /videos${query}`);
      return (json.data as Json[]).map((item) => item.video_id);
    };
    expect((await ids('')).slice(0, 6)).toEqual(made);
    expect(await ids('?limit=2&offset=1')).toEqual(made.slice(1, 3));
    expect(await ids('?offset=1000')).toEqual([]);
    expect((await ask(sandbox, 'GET /videos?limit=x')).status).toBe(400);
  });

  it('of the library have playable urls and posters', async () => {
    const sandbox = await openSandbox();
    const videos = await listVideos(sandbox);
    expect(videos.length).toBeGreaterThanOrEqual(3);
    for (const video of videos) {
      expect(video).toMatchObject({ video_status: 1, original_video_id: 0, lip_sync: {} });
      expect(video.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const poster = await fetch(String(video.img_url));
      expect(poster.headers.get('content-type')).toBe('image/webp');
      await poster.body?.cancel();
    }
  });

  it('are listed from the start; GET of one answers 404 until it is final', async () => {
    const sandbox = await openSandbox({ queuedMs: 60_000 });
    const { video_id } = (await lipsync(sandbox)).json;
    const reply = await ask(sandbox, `GET /videos/${video_id}`);
    expect(reply.status).toBe(404);
    expect(reply.json.code).toBe(404);
    const [item] = await listVideos(sandbox);
    expect(item).toMatchObject({
      video_id,
      video_status: 5,
      video_status_name: 'QUEUED',
      video_status_final: false,
      output_width: 0,
      url: '',
    });
  });

  it('are not found by a percent-encoded id, but refused with 400', async () => {
    const sandbox = await openSandbox();
    const id = encodeURIComponent(await sourceId(sandbox));
    expect((await ask(sandbox, `GET /videos/${id}`)).status).toBe(400);
    expect((await ask(sandbox, `DELETE /videos/${id}`)).status).toBe(400);
    expect((await ask(sandbox, `DELETE /scheduler/${id}`)).status).toBe(400);
  });

  it('are deleted with an empty 204: generated ones and those of the library', async () => {
    const sandbox = await openSandbox();
    const made = (await lipsync(sandbox)).json.video_id;
    const item = await finalItem(sandbox, made);
    for (const id of [made, await sourceId(sandbox)]) {
      const reply = await ask(sandbox, `DELETE /videos/${id}`);
      expect([reply.status, reply.text]).toEqual([204, '']);
      expect((await ask(sandbox, `GET /videos/${id}`)).status).toBe(404);
      expect((await ask(sandbox, `DELETE /videos/${id}`)).status).toBe(404);
      expect((await listVideos(sandbox)).map((video) => video.video_id)).not.toContain(id);
    }
    expect((await fetch(String(item.url))).status).toBe(404);
  });

  it('are listed without an e-mail only while one account is configured', async () => {
    const sandbox = await openSandbox();
    for (const path of ['/videos', '/videos/voices', '/features']) {
      const reply = await ask(sandbox, `GET ${path}`);
      expect([path, reply.status, reply.json.code]).toEqual([path, 400, 400]);
      expect((await ask(sandbox, `GET ${path}/?email=no@one.example`)).status).toBe(404);
    }
    const single = await openSandbox({ accounts: [{ email: STUDIO, maxJobs: 1 }] });
    expect((await ask(single, 'GET /videos/')).status).toBe(200);
    expect((await ask(single, 'GET /features')).status).toBe(200);
  });
});

describe('voices', () => {
  it('are fourteen with string ids, and a newline after the third url', async () => {
    const sandbox = await openSandbox();
    const { json } = await ask(sandbox, `GET /videos/voices/${email}`);
    const voices = json.tts_list as Json[];
    expect(voices).toHaveLength(14);
    expect(voices[0]).toMatchObject({ speaker_id: '1', display_name: 'Emily' });
    expect(voices.filter((voice) => String(voice.url).endsWith('\n'))).toEqual([voices[2]]);
    const preview = await fetch(String(voices[2]?.url).trim());
    expect(preview.headers.get('content-type')).toBe('audio/mpeg');
    expect((await preview.arrayBuffer()).byteLength).toBeGreaterThan(1000);
  });
});
