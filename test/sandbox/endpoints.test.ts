import { describe, expect, it, vi } from 'vitest';
import {
  ask,
  BACKLOT,
  control,
  finalItem,
  type Json,
  jobs,
  lipsync,
  listVideos,
  makeWav,
  openSandbox,
  STUDIO,
  sourceId,
  upload,
} from './client.ts';

const email = `?email=${encodeURIComponent(STUDIO)}`;

describe('lip-syncs', () => {
  it("accepts the request of the documentation's example", async () => {
    const sandbox = await openSandbox();
    const video_id = await sourceId(sandbox);
    const audio_path = await upload(sandbox, makeWav(1), 'audio/wav');
    const reply = await ask(sandbox, 'POST /videos/lipsync', {
      headers: { accept: 'application/json' },
      body: { audio_path, video_id },
    });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.json)).toEqual(['video_id', 'cost_credits']);
    expect(reply.json.video_id).toMatch(
      /^user:1001-pixverse:studio@sandbox\.example-video:\d{15}$/,
    );
    const item = await finalItem(sandbox, reply.json.video_id);
    expect(item).toMatchObject({ video_status: 1, video_status_name: 'COMPLETED' });
    expect(item.original_video_id).toBe(video_id);
    expect(item.lip_sync).toBeNull();
  });

  it('of the documentation of 2024 contain no cost, and none contain it with the switch off', async () => {
    const sandbox = await openSandbox();
    const video_id = await sourceId(sandbox);
    const keysOf = async () =>
      Object.keys(
        (await ask(sandbox, 'POST /videos/lipsync', { body: { video_id, prompt: 'A' } })).json,
      );
    await control(sandbox, 'PUT /switches', { costCredits: false });
    expect(await keysOf()).toEqual(['video_id']);
    await control(sandbox, 'PUT /switches', { costCredits: null, profile: '2024-12' });
    expect(await keysOf()).toEqual(['video_id']);
  });

  it('accepts multipart, with numbers and booleans as text', async () => {
    const sandbox = await openSandbox();
    const form = new FormData();
    form.set('video_id', await sourceId(sandbox));
    form.set('prompt', 'Hello');
    form.set('speaker_id', '4');
    form.set('off_peak_mode', 'true');
    form.set('maxJobs', '2');
    const reply = await ask(sandbox, 'POST /videos/lipsync/', { body: form });
    expect(reply.status).toBe(200);
    const [job] = await jobs(sandbox);
    expect(job).toMatchObject({ request: { speakerId: '4', offPeak: true, maxJobs: 2 } });
  });

  it.each<[string, Json]>([
    ['neither sound nor text', { prompt: '' }],
    ['a text over 200 characters', { prompt: 'a'.repeat(201) }],
    ['a replyRef over 1024 characters', { replyRef: 'a'.repeat(1025) }],
    ['a replyUrl over 1024 characters', { replyUrl: `https://a.example/${'a'.repeat(1024)}` }],
    ['maxJobs of 0', { maxJobs: 0 }],
    ['maxJobs of 9', { maxJobs: 9 }],
    ['an unknown voice', { speaker_id: 12345 }],
    ['an unknown upload', { audio_path: 'upload/none.mp3' }],
    ['a malformed video_id', { video_id: 'video:1' }],
  ])('refuses %s with 400 and an error without code', async (_, fields) => {
    const sandbox = await openSandbox();
    const reply = await lipsync(sandbox, fields);
    expect(reply.status).toBe(400);
    expect(Object.keys(reply.json)).toEqual(['error']);
    expect(await jobs(sandbox)).toEqual([]);
  });

  it('refuses incomplete JSON, and a video that is unknown or not finished', async () => {
    const sandbox = await openSandbox({ generatingMs: 60_000 });
    const headers = { 'content-type': 'application/json' };
    const body = new TextEncoder().encode('{"video_id": ');
    expect((await ask(sandbox, 'POST /videos/lipsync', { body, headers })).status).toBe(400);
    const unknown = (await sourceId(sandbox)).replace(/\d+$/, '123');
    expect((await lipsync(sandbox, { video_id: unknown })).status).toBe(404);
    const { json } = await lipsync(sandbox);
    expect((await lipsync(sandbox, { video_id: json.video_id })).status).toBe(400);
  });

  it('refuses a wrong token: without a code at the lip-sync endpoint, with one elsewhere', async () => {
    const sandbox = await openSandbox();
    const reply = await lipsync({ ...sandbox, token: 'user:1-wrong' }, { video_id: 'x' });
    expect(reply.status).toBe(401);
    expect(reply.text).toBe('{"error":"Unauthorized"}');
    const other = await ask({ ...sandbox, token: 'user:1-wrong' }, 'GET /scheduler');
    expect(other.text).toBe('{"error":"Unauthorized","code":401}');
  });

  it('uses an uploaded video as the picture, in any account or the requested one', async () => {
    const sandbox = await openSandbox();
    const [source] = await listVideos(sandbox);
    const bytes = new Uint8Array(await (await fetch(String(source?.url))).arrayBuffer());
    const video_path = await upload(sandbox, bytes, 'video/mp4');
    const made = await lipsync(sandbox, { video_path, email: BACKLOT });
    expect(made.json.video_id).toContain(BACKLOT);
    expect(await finalItem(sandbox, made.json.video_id)).toMatchObject({
      video_status: 1,
      output_width: source?.output_width,
    });
    expect((await lipsync(sandbox, { video_path })).status).toBe(200);
    expect((await lipsync(sandbox, { video_path, email: 'no@one.example' })).status).toBe(400);
  });
});

describe('accounts and features', () => {
  it('list accounts by e-mail with masked secrets', async () => {
    const sandbox = await openSandbox();
    const { json } = await ask(sandbox, 'GET /accounts');
    expect(Object.keys(json)).toEqual([STUDIO, BACKLOT]);
    const one = await ask(sandbox, `GET /accounts/${STUDIO}`);
    expect(one.json).toEqual(json[STUDIO]);
    expect(one.json).toMatchObject({ password: '…secured…', maxJobs: 3 });
    expect((await ask(sandbox, 'GET /accounts/no@one.example')).status).toBe(404);
  });

  it('add, change and remove an account', async () => {
    const sandbox = await openSandbox({ accounts: [] });
    const path = '/accounts/new+one@sandbox.example';
    expect((await ask(sandbox, 'GET /accounts')).status).toBe(404);
    const bodies = [{}, { password: 'x' }, { password: 'x', maxJobs: 9 }];
    for (const body of bodies) {
      expect((await ask(sandbox, `POST ${path}`, { body })).status).toBe(400);
    }
    const form = new FormData();
    form.set('password', 'x');
    form.set('maxJobs', '2');
    expect((await ask(sandbox, `POST ${path}`, { body: form })).status).toBe(201);
    expect((await ask(sandbox, `GET ${path}`)).json.maxJobs).toBe(2);
    expect((await ask(sandbox, 'GET /videos')).json.data).not.toEqual([]);
    expect((await ask(sandbox, `DELETE ${path}`)).status).toBe(204);
    expect((await ask(sandbox, `DELETE ${path}`)).status).toBe(404);
  });

  it('show credits that decrease with each lip-sync', async () => {
    const sandbox = await openSandbox();
    const credits = async () => {
      const { json } = await ask(sandbox, `GET /features${email}`);
      expect(json.price).toBe('30');
      return Number(json.credit_daily) + Number(json.credit_monthly) + Number(json.credit_package);
    };
    const before = await credits();
    await lipsync(sandbox);
    expect(await credits()).toBeLessThan(before);
  });
});

describe('scheduler', () => {
  it('lists a running job with its reference, with the field names of the profile', async () => {
    const sandbox = await openSandbox({ queuedMs: 60_000, profile: '2024-12' });
    const { video_id } = (await lipsync(sandbox, { replyRef: 'mine' })).json;
    const old = await ask(sandbox, 'GET /scheduler/');
    expect(old.json).toMatchObject([{ videoId: video_id, replyRef: 'mine' }]);
    const available = await ask(sandbox, 'GET /scheduler/available/');
    expect(available.json).toMatchObject({
      executing: [{ video_id, replyRef: 'mine' }],
      available: [{ email: STUDIO, maxJobs: 3, executing: 1, available: 2 }, { email: BACKLOT }],
    });
    const [item] = await listVideos(sandbox);
    expect(item?.video_status_final).toBe(true);
    expect((await ask(sandbox, 'POST /videos/lipsync', { body: {} })).status).toBe(400);

    const newer = await openSandbox({ queuedMs: 60_000 });
    const made = (await lipsync(newer)).json;
    expect((await ask(newer, 'GET /scheduler')).json).toMatchObject([
      { id: made.video_id, type: 'video', elapsed: expect.stringMatching(/^\d\d:\d\d$/) },
    ]);
  });

  it('releases the slot when tracking is stopped, and the job continues', async () => {
    const sandbox = await openSandbox({ queuedMs: 60_000 });
    const { video_id } = (await lipsync(sandbox)).json;
    expect((await ask(sandbox, `DELETE /scheduler/${video_id}`)).status).toBe(204);
    expect((await ask(sandbox, 'GET /scheduler')).text).toBe('[]');
    const again = await ask(sandbox, `DELETE /scheduler/${video_id}`);
    expect(again.status).toBe(404);
    expect(again.json.error).toBe(`Unable to locate running ${video_id}`);
    await control(sandbox, `POST /jobs/${video_id}/finish`, { status: 'COMPLETED' });
    expect((await finalItem(sandbox, video_id)).video_status).toBe(1);
  });

  it('does not track off-peak jobs', async () => {
    const sandbox = await openSandbox({ queuedMs: 60_000 });
    const { video_id } = (await lipsync(sandbox, { off_peak_mode: true })).json;
    expect((await ask(sandbox, 'GET /scheduler')).text).toBe('[]');
    const [item] = await listVideos(sandbox);
    expect(item).toMatchObject({ video_id, off_peak: 1 });
  });
});

describe('the port', () => {
  it('answers 404 to an unknown path and 405 to a wrong method', async () => {
    const sandbox = await openSandbox();
    expect((await ask(sandbox, 'GET /nothing')).status).toBe(404);
    expect((await ask(sandbox, 'PUT /videos')).status).toBe(405);
    expect((await fetch(`${sandbox.origin}/`)).status).toBe(404);
  });

  it('closes at once, with a running request and job', async () => {
    const sandbox = await openSandbox({ generatingMs: 60_000 });
    await lipsync(sandbox);
    const hanging = lipsync(sandbox, { prompt: '[[hang]]' }).catch(() => 'cut');
    await vi.waitFor(async () => expect(await jobs(sandbox)).toHaveLength(2), { timeout: 60_000 });
    const startedAt = performance.now();
    await sandbox.close();
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(await hanging).toBe('cut');
  });
});
