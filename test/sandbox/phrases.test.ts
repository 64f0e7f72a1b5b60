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

/** The test of one phrase. `send` sends the lip-sync with the phrase, a reference and a callback URL. */
type PhraseTest = {
  sandbox: Sandbox;
  receiver: Receiver;
  send(init?: { signal?: AbortSignal }): Promise<Reply>;
};

const refuses =
  (status: number, error?: string) =>
  async ({ sandbox, send }: PhraseTest) => {
    const reply = await send();
    expect(reply.status).toBe(status);
    expect(Object.keys(reply.json)).toEqual(['error']);
    if (error) expect(reply.json.error).toBe(error);
    expect(await jobs(sandbox)).toEqual([]);
    expect((await send()).status).toBe(200);
  };

const ends = (status: string) => async (phraseTest: PhraseTest) => {
  const { video_id } = (await phraseTest.send()).json;
  const item = await finalItem(phraseTest.sandbox, video_id);
  expect(item).toMatchObject({ video_status_name: status, video_status_final: true });
  return item;
};

/** Waits until every callback of the job was sent, and returns their bodies. */
async function callbacksOf({ sandbox, receiver, send }: PhraseTest) {
  await send();
  await vi.waitFor(async () => expect((await jobs(sandbox))[0]?.isAnnounced).toBe(true), 60_000);
  return receiver.bodies;
}

/** Waits until the newest list item has the status. */
async function runningItem(sandbox: Sandbox, status: number) {
  return vi.waitFor(
    async () => {
      const [item] = await listVideos(sandbox);
      expect(item?.video_status).toBe(status);
      return item;
    },
    { timeout: 60_000, interval: 5 },
  );
}

const statusNames = (bodies: Record<string, unknown>[]) =>
  bodies.map((body) => body.video_status_name);

const phraseTests: Record<string, (phraseTest: PhraseTest) => Promise<unknown>> = {
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
  async unavailable({ sandbox, send }) {
    expect((await send()).status).toBe(200);
    await vi.waitFor(() => expect(listVideos(sandbox)).rejects.toThrow(), 60_000);
    const [job] = await vi.waitFor(() => jobs(sandbox), 60_000);
    await finalItem(sandbox, job?.video_id);
  },
  async html({ sandbox, send }) {
    const reply = await send();
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toContain('text/html');
    expect(reply.text).toMatch(/^<!doctype html>/);
    expect(await jobs(sandbox)).toEqual([]);
  },
  async empty({ sandbox, send }) {
    const reply = await send();
    expect([reply.status, reply.text]).toEqual([200, '']);
    expect(await jobs(sandbox)).toEqual([]);
  },
  async 'no-id'({ sandbox, send }) {
    const reply = await send();
    expect([reply.status, reply.json]).toEqual([200, {}]);
    expect(await jobs(sandbox)).toMatchObject([{ replyRef: 'mine' }]);
  },
  async cut({ sandbox, send }) {
    await expect(send()).rejects.toThrow();
    const [job] = await jobs(sandbox);
    expect(job?.replyRef).toBe('mine');
    expect((await finalItem(sandbox, job?.video_id)).video_status).toBe(1);
  },
  async 'cut-early'({ sandbox, send }) {
    await expect(send()).rejects.toThrow();
    expect(await jobs(sandbox)).toEqual([]);
  },
  async hang({ sandbox, send }) {
    const client = new AbortController();
    const hanging = send({ signal: client.signal });
    const refused = expect(hanging).rejects.toThrow();
    await vi.waitFor(
      async () => expect((await jobs(sandbox))[0]?.status).toBe('COMPLETED'),
      60_000,
    );
    client.abort();
    await refused;
  },
  async slow({ sandbox, send }) {
    const startedAt = performance.now();
    const { video_id } = (await send()).json;
    await finalItem(sandbox, video_id);
    expect(performance.now() - startedAt).toBeGreaterThan(5 * 60);
  },
  async moderated(phraseTest) {
    const before = (await control(phraseTest.sandbox, 'GET /jobs')).json.accounts;
    const item = await ends('MODERATED')(phraseTest);
    expect(item).toMatchObject({ video_status: 7, url: '' });
    expect((await control(phraseTest.sandbox, 'GET /jobs')).json.accounts).toMatchObject({
      [STUDIO]: { credits: (before as Record<string, { credits: number }>)[STUDIO]?.credits },
    });
  },
  async failed(phraseTest) {
    expect(await ends('FAILED')(phraseTest)).toMatchObject({ video_status: 8, url: '' });
  },
  async 'no-callback'(phraseTest) {
    expect(await callbacksOf(phraseTest)).toEqual([]);
  },
  async doubled(phraseTest) {
    const statuses = statusNames(await callbacksOf(phraseTest));
    expect(statuses).toEqual(['GENERATING', 'GENERATING', 'COMPLETED', 'COMPLETED']);
  },
  async reordered(phraseTest) {
    expect(statusNames(await callbacksOf(phraseTest))).toEqual([
      'COMPLETED',
      'GENERATING',
      'QUEUED',
    ]);
  },
  async early({ receiver, send }) {
    const { video_id } = (await send()).json;
    expect(receiver.bodies[0]).toMatchObject({ video_id, video_status_name: 'QUEUED' });
  },
  async forged(phraseTest) {
    const bodies = await callbacksOf(phraseTest);
    const [job] = await jobs(phraseTest.sandbox);
    expect(bodies).toHaveLength(4);
    expect(bodies[0]).toMatchObject({ video_id: job?.video_id, video_status_name: 'COMPLETED' });
    expect(bodies[1]?.video_id).not.toBe(job?.video_id);
    expect(bodies[2]).toMatchObject({ video_status_name: 'FAILED' });
    expect(bodies.every((body) => String(body.url).includes('forged'))).toBe(true);
    expect(job?.status).toBe('COMPLETED');
  },
  async 'running-200'({ sandbox, send }) {
    await control(sandbox, 'PUT /switches', { queuedMs: 60_000 });
    const { video_id } = (await send()).json;
    const reply = await ask(sandbox, `GET /videos/${video_id}`);
    expect(reply.status).toBe(200);
    expect(reply.json.video_status_final).toBe(false);
  },
  async 'queued-final'({ sandbox, send }) {
    await control(sandbox, 'PUT /switches', { queuedMs: 60_000 });
    await send();
    const [item] = await listVideos(sandbox);
    expect(item).toMatchObject({ video_status_name: 'QUEUED', video_status_final: true });
  },
  async 'url-early'({ sandbox, send }) {
    await control(sandbox, 'PUT /switches', { generatingMs: 60_000 });
    await send();
    const item = await runningItem(sandbox, 10);
    expect(item?.url).toMatch(/^http/);
  },
  async 'unknown-status'({ sandbox, send }) {
    await control(sandbox, 'PUT /switches', { generatingMs: 60_000 });
    const { video_id } = (await send()).json;
    const item = await runningItem(sandbox, 42);
    expect(item).not.toHaveProperty('video_status_name');
    expect(item).not.toHaveProperty('video_status_final');
    await control(sandbox, `POST /jobs/${video_id}/finish`, { status: 'COMPLETED' });
    expect((await finalItem(sandbox, video_id)).video_status).toBe(1);
  },
  async never({ sandbox, send }) {
    await send();
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
      const phraseTest = phraseTests[phrase];
      if (!phraseTest) throw new Error(`The phrase ${phrase} has no test.`);
      const sandbox = await openSandbox({ outageMs: 10_000 });
      const receiver = await openReceiver();
      const video_id = await sourceId(sandbox);
      const body = {
        video_id,
        prompt: `Good [[${phrase}]] evening.`,
        replyRef: 'mine',
        replyUrl: receiver.url,
      };
      await phraseTest({
        sandbox,
        receiver,
        send: (init) => ask(sandbox, 'POST /videos/lipsync', { body, ...init }),
      });
      for (const job of await jobs(sandbox)) expect(job.spoken).not.toContain('[');
      expect((await lipsync(sandbox)).status).toBe(200);
    },
  );

  it('have a test and a sentence each', () => {
    expect(Object.keys(phraseTests).sort()).toEqual(phrases.map(({ phrase }) => phrase).sort());
    for (const { effect } of phrases) expect(effect).toMatch(/^[A-Z].*\.$/);
  });

  it('are removed from the spoken text, and unknown ones are not', () => {
    const { found, spoken } = readPhrases('Good [[slow]]  evening[[failed]]. [[what]]');
    expect(found.map(({ phrase }) => phrase)).toEqual(['slow', 'failed']);
    expect(spoken).toBe('Good evening . [[what]]');
  });

  it('refuse once per reference', async () => {
    const sandbox = await openSandbox();
    const send = (replyRef: string) => lipsync(sandbox, { prompt: '[[429]]', replyRef });
    const statuses = [await send('a'), await send('a'), await send('b')].map(
      ({ status }) => status,
    );
    expect(statuses).toEqual([429, 200, 429]);
  });
});
