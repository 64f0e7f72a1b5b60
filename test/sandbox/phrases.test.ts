import { describe, expect, it, vi } from 'vitest';
import { phrases, readPhrases } from '../../src/sandbox/faults/phrases.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import {
  ask,
  control,
  finalItem,
  jobs,
  lipsync,
  listVideos,
  openReceiver,
  openSandbox,
  type Receiver,
  type Reply,
  STUDIO,
  sourceId,
} from './client.ts';

/** What one phrase is to do, asked over HTTP. `say` sends it with a reference and a callback URL. */
type Scene = {
  sandbox: Sandbox;
  receiver: Receiver;
  say(init?: { signal?: AbortSignal }): Promise<Reply>;
};

const refuses =
  (status: number, error?: string) =>
  async ({ sandbox, say }: Scene) => {
    const reply = await say();
    expect(reply.status).toBe(status);
    expect(Object.keys(reply.json)).toEqual(['error']);
    if (error) expect(reply.json.error).toBe(error);
    expect(await jobs(sandbox)).toEqual([]);
    expect((await say()).status).toBe(200);
  };

const ends = (status: string) => async (scene: Scene) => {
  const { video_id } = (await scene.say()).json;
  const item = await finalItem(scene.sandbox, video_id);
  expect(item).toMatchObject({ video_status_name: status, video_status_final: true });
  return item;
};

/** Waits for the callbacks of the job to be through, and returns what they said. */
async function callbacksOf({ sandbox, receiver, say }: Scene) {
  await say();
  await vi.waitFor(async () => expect((await jobs(sandbox))[0]?.isAnnounced).toBe(true), 5000);
  return receiver.bodies;
}

/** The list item once it has reached the status. */
async function runningItem(sandbox: Sandbox, status: number) {
  return vi.waitFor(
    async () => {
      const [item] = await listVideos(sandbox);
      expect(item?.video_status).toBe(status);
      return item;
    },
    { timeout: 5000, interval: 5 },
  );
}

const names = (bodies: Record<string, unknown>[]) => bodies.map((body) => body.video_status_name);

const scenes: Record<string, (scene: Scene) => Promise<unknown>> = {
  '400': refuses(400),
  '401': refuses(401, 'Unauthorized'),
  '402': refuses(402),
  '404': refuses(404),
  '412': refuses(412),
  '422': refuses(422, 'Your prompt has triggered our AI moderator, please re-enter your prompt'),
  '429': refuses(429, `Account ${STUDIO} is busy executing 3 tasks.`),
  '429-all': refuses(429, 'All configured accounts are running at maximum capacity.'),
  '429-provider': refuses(429, 'Reached the limit for concurrent generations.'),
  '596': refuses(
    596,
    'Your PixVerse account has pending error. Please address this issue at https://useapi.net/docs/api-pixverse-v2/post-pixverse-accounts-email before making any new API calls.',
  ),
  '500': refuses(500),
  '503': refuses(503),
  async unavailable({ sandbox, say }) {
    expect((await say()).status).toBe(200);
    await vi.waitFor(() => expect(listVideos(sandbox)).rejects.toThrow(), 1000);
    const [job] = await vi.waitFor(() => jobs(sandbox), 5000);
    await finalItem(sandbox, job?.video_id);
  },
  async html({ sandbox, say }) {
    const reply = await say();
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toContain('text/html');
    expect(reply.text).toMatch(/^<!doctype html>/);
    expect(await jobs(sandbox)).toEqual([]);
  },
  async empty({ sandbox, say }) {
    const reply = await say();
    expect([reply.status, reply.text]).toEqual([200, '']);
    expect(await jobs(sandbox)).toEqual([]);
  },
  async 'no-id'({ sandbox, say }) {
    const reply = await say();
    expect([reply.status, reply.json]).toEqual([200, {}]);
    expect(await jobs(sandbox)).toMatchObject([{ replyRef: 'mine' }]);
  },
  async cut({ sandbox, say }) {
    await expect(say()).rejects.toThrow();
    const [job] = await jobs(sandbox);
    expect(job?.replyRef).toBe('mine');
    expect((await finalItem(sandbox, job?.video_id)).video_status).toBe(1);
  },
  async 'cut-early'({ sandbox, say }) {
    await expect(say()).rejects.toThrow();
    expect(await jobs(sandbox)).toEqual([]);
  },
  async hang({ sandbox, say }) {
    const leave = new AbortController();
    const hanging = say({ signal: leave.signal });
    const refused = expect(hanging).rejects.toThrow();
    await vi.waitFor(async () => expect((await jobs(sandbox))[0]?.status).toBe('COMPLETED'), 5000);
    leave.abort();
    await refused;
  },
  async slow({ sandbox, say }) {
    const startedAt = performance.now();
    const { video_id } = (await say()).json;
    await finalItem(sandbox, video_id);
    expect(performance.now() - startedAt).toBeGreaterThan(5 * 60);
  },
  async moderated(scene) {
    const before = (await control(scene.sandbox, 'GET /jobs')).json.accounts;
    const item = await ends('MODERATED')(scene);
    expect(item).toMatchObject({ video_status: 7, url: '' });
    expect((await control(scene.sandbox, 'GET /jobs')).json.accounts).toMatchObject({
      [STUDIO]: { credits: (before as Record<string, { credits: number }>)[STUDIO]?.credits },
    });
  },
  async failed(scene) {
    expect(await ends('FAILED')(scene)).toMatchObject({ video_status: 8, url: '' });
  },
  async 'no-callback'(scene) {
    expect(await callbacksOf(scene)).toEqual([]);
  },
  async doubled(scene) {
    const said = names(await callbacksOf(scene));
    expect(said).toEqual(['GENERATING', 'GENERATING', 'COMPLETED', 'COMPLETED']);
  },
  async reordered(scene) {
    expect(names(await callbacksOf(scene))).toEqual(['COMPLETED', 'GENERATING', 'QUEUED']);
  },
  async early({ receiver, say }) {
    const { video_id } = (await say()).json;
    expect(receiver.bodies[0]).toMatchObject({ video_id, video_status_name: 'QUEUED' });
  },
  async forged(scene) {
    const bodies = await callbacksOf(scene);
    const [job] = await jobs(scene.sandbox);
    expect(bodies).toHaveLength(4);
    expect(bodies[0]).toMatchObject({ video_id: job?.video_id, video_status_name: 'COMPLETED' });
    expect(bodies[1]?.video_id).not.toBe(job?.video_id);
    expect(bodies[2]).toMatchObject({ video_status_name: 'FAILED' });
    expect(bodies.every((body) => String(body.url).includes('forged'))).toBe(true);
    expect(job?.status).toBe('COMPLETED');
  },
  async 'running-200'({ sandbox, say }) {
    await control(sandbox, 'PUT /switches', { queuedMs: 60_000 });
    const { video_id } = (await say()).json;
    const reply = await ask(sandbox, `GET /videos/${video_id}`);
    expect(reply.status).toBe(200);
    expect(reply.json.video_status_final).toBe(false);
  },
  async 'queued-final'({ sandbox, say }) {
    await control(sandbox, 'PUT /switches', { queuedMs: 60_000 });
    await say();
    const [item] = await listVideos(sandbox);
    expect(item).toMatchObject({ video_status_name: 'QUEUED', video_status_final: true });
  },
  async 'url-early'({ sandbox, say }) {
    await control(sandbox, 'PUT /switches', { generatingMs: 60_000 });
    await say();
    const item = await runningItem(sandbox, 10);
    expect(item?.url).toMatch(/^http/);
  },
  async 'unknown-status'({ sandbox, say }) {
    await control(sandbox, 'PUT /switches', { generatingMs: 60_000 });
    const { video_id } = (await say()).json;
    const item = await runningItem(sandbox, 42);
    expect(item).not.toHaveProperty('video_status_name');
    expect(item).not.toHaveProperty('video_status_final');
    await control(sandbox, `POST /jobs/${video_id}/finish`, { status: 'COMPLETED' });
    expect((await finalItem(sandbox, video_id)).video_status).toBe(1);
  },
  async never({ sandbox, say }) {
    await say();
    await runningItem(sandbox, 10);
    const other = await lipsync(sandbox);
    await finalItem(sandbox, other.json.video_id);
    expect((await jobs(sandbox))[0]?.status).toBe('GENERATING');
  },
};

describe('phrases', () => {
  it.each(phrases.map(({ phrase, effect }) => ({ phrase, effect })))(
    '[[$phrase]]: $effect',
    async ({ phrase }) => {
      const scene = scenes[phrase];
      if (!scene) throw new Error(`The phrase ${phrase} has no test.`);
      const sandbox = await openSandbox({ outageMs: 300 });
      const receiver = await openReceiver();
      const video_id = await sourceId(sandbox);
      const body = {
        video_id,
        prompt: `Good [[${phrase}]] evening.`,
        replyRef: 'mine',
        replyUrl: receiver.url,
      };
      await scene({
        sandbox,
        receiver,
        say: (init) => ask(sandbox, 'POST /videos/lipsync', { body, ...init }),
      });
      for (const job of await jobs(sandbox)) expect(job.spoken).not.toContain('[');
      expect((await lipsync(sandbox)).status).toBe(200);
    },
  );

  it('has no test for a phrase that is not there, and a sentence for each that is', () => {
    expect(Object.keys(scenes).sort()).toEqual(phrases.map(({ phrase }) => phrase).sort());
    for (const { effect } of phrases) expect(effect).toMatch(/^[A-Z].*\.$/);
  });

  it('are left out of what is spoken, and unknown ones are spoken', () => {
    const { found, spoken } = readPhrases('Good [[slow]]  evening[[failed]]. [[what]]');
    expect(found.map(({ phrase }) => phrase)).toEqual(['slow', 'failed']);
    expect(spoken).toBe('Good evening . [[what]]');
  });

  it('refuse again for another reference', async () => {
    const sandbox = await openSandbox();
    const say = (replyRef: string) => lipsync(sandbox, { prompt: '[[429]]', replyRef });
    const statuses = [await say('a'), await say('a'), await say('b')].map(({ status }) => status);
    expect(statuses).toEqual([429, 200, 429]);
  });
});
