import { describe, expect, it, vi } from 'vitest';
import {
  ask,
  BACKLOT,
  control,
  type Json,
  lipsync,
  listVideos,
  openSandbox,
  STUDIO,
  sourceId,
  upload,
} from './client.ts';

/** Jobs stay QUEUED for the whole test. */
const QUEUED_ONLY = { queuedMs: 60_000 };

describe('slots of an account', () => {
  it('limit the number of jobs, also with simultaneous requests', async () => {
    const sandbox = await openSandbox(QUEUED_ONLY);
    const video_id = await sourceId(sandbox);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => lipsync(sandbox, { video_id })),
    );
    const taken = replies.filter(({ status }) => status === 200);
    expect(taken).toHaveLength(3);
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(17);
    for (const reply of refused) {
      expect(reply.text).toBe(`{"error":"Account ${STUDIO} is busy executing 3 tasks."}`);
      expect(reply.headers.has('retry-after')).toBe(false);
    }
    expect((await control(sandbox, 'GET /jobs')).json).toMatchObject({
      accounts: { [STUDIO]: { highWater: 3, executing: 3 }, [BACKLOT]: { executing: 0 } },
    });
  });

  it("are lowered, never raised, by a request's maxJobs", async () => {
    const sandbox = await openSandbox(QUEUED_ONLY);
    expect((await lipsync(sandbox, { maxJobs: 1 })).status).toBe(200);
    const second = await lipsync(sandbox, { maxJobs: 1 });
    expect(second.json.error).toBe(`Account ${STUDIO} is busy executing 1 tasks.`);
    expect((await lipsync(sandbox)).status).toBe(200);
    expect((await lipsync(sandbox, { maxJobs: 8 })).status).toBe(200);
    expect((await lipsync(sandbox, { maxJobs: 8 })).status).toBe(429);
  });

  it('are used across accounts for uploaded videos, until all accounts are full', async () => {
    const sandbox = await openSandbox(QUEUED_ONLY);
    const [source] = await listVideos(sandbox);
    const bytes = new Uint8Array(await (await fetch(String(source?.url))).arrayBuffer());
    const video_path = await upload(sandbox, bytes, 'video/mp4');
    for (let n = 0; n < 6; n++) expect((await lipsync(sandbox, { video_path })).status).toBe(200);
    const last = await lipsync(sandbox, { video_path });
    expect(last.status).toBe(429);
    expect(last.json.error).toBe('All configured accounts are running at maximum capacity.');
    const { json } = await ask(sandbox, 'GET /scheduler/available');
    expect((json.available as Json[]).map((each) => each.available)).toEqual([0, 0]);
  });

  it('are not used by off-peak jobs, and are free again after the job ended', async () => {
    const sandbox = await openSandbox({ accounts: [{ email: STUDIO, maxJobs: 1 }] });
    await control(sandbox, 'PUT /switches', QUEUED_ONLY);
    const { video_id } = (await lipsync(sandbox)).json;
    expect((await lipsync(sandbox)).status).toBe(429);
    expect((await lipsync(sandbox, { off_peak_mode: true })).status).toBe(200);
    await control(sandbox, `POST /jobs/${video_id}/finish`, { status: 'FAILED' });
    expect((await lipsync(sandbox)).status).toBe(200);
  });
});

describe('credits', () => {
  it('run out, and are refunded for a moderated job', async () => {
    const sandbox = await openSandbox({ accounts: [{ email: STUDIO, maxJobs: 8, credits: 30 }] });
    await control(sandbox, 'PUT /switches', QUEUED_ONLY);
    const { video_id } = (await lipsync(sandbox)).json;
    const refused = await lipsync(sandbox);
    expect(refused.status).toBe(412);
    expect(refused.text).toBe(
      '{"error":"All Credits have been used up. Please upgrade your membership or purchase credits."}',
    );
    await control(sandbox, `POST /jobs/${video_id}/finish`, { status: 'MODERATED' });
    await vi.waitFor(async () => expect((await lipsync(sandbox)).status).toBe(200), {
      timeout: 60_000,
    });
  });
});
