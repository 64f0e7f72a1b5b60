import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

const email = 'studio@sandbox.example';
const pollMs = 15_000;

let app: LipsyncApp;
let video: string;
beforeEach(async () => {
  app = await startLipsyncApp({
    env: {
      POLL_INTERVAL_MS: String(pollMs),
      MAX_JOB_MS: String(360_000_000),
      UPSTREAM_TIMEOUT_MS: '6000',
    },
    intervals: shortIntervals,
    sandbox: { accounts: [{ email, maxJobs: 3 }], queuedMs: 10, generatingMs: 3_600_000 },
  });
  [video = ''] = await app.listVideoIds();
  await app.sendFinalCallbacksOnly();
});
afterEach(async () => {
  // The stop waits for a POST that hangs, until its connection is closed.
  await app.sandbox.close();
  await app.stop();
});

const say = async (n: number) =>
  idOf(await app.create({ video: { videoId: video }, text: `Number ${n}` }));

async function callUpstream(method: string, path: string, body: object): Promise<void> {
  const { baseUrl, token } = app.sandbox;
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
}

/** A job of another client in the same account, which the product does not know. */
async function occupySlot(): Promise<void> {
  const key = keyOf('Video', video) ?? '';
  const videoId = await app.services.videos.ids.toUpstream(key);
  await callUpstream('POST', '/videos/lipsync', { video_id: videoId, prompt: 'stranger' });
}

async function endForeignJobs(): Promise<void> {
  for (const { video_id, replyRef } of await app.jobs()) {
    if (replyRef !== undefined) continue;
    const path = `jobs/${encodeURIComponent(video_id)}/finish`;
    await fetch(`${app.sandbox.origin}/_sandbox/${path}`, {
      method: 'POST',
      body: JSON.stringify({ status: 'FAILED' }),
    });
  }
}

async function readExternalLoad(): Promise<number | undefined> {
  type Data = { accounts: { nodes: { externalJobCount: number }[] } };
  const { accounts } = await app.askForData<Data>(
    '{ accounts { ... on AccountList { nodes { externalJobCount } } } }',
  );
  return accounts.nodes[0]?.externalJobCount;
}

const statusesOf = async (ids: string[]) =>
  (await Promise.all(ids.map((id) => app.read(id)))).map((found) => found?.status);

const ownPosts = async () => (await app.posts()).filter(({ body }) => body?.replyRef);

describe('the slots of an account', () => {
  // They were once found out by one 429 after another.
  it('exclude those that other clients use, which cost one 429 at most', async () => {
    await occupySlot();
    const ids = [await say(1), await say(2), await say(3)];
    expect(await app.read(ids[2] ?? '')).toMatchObject({ status: 'QUEUED' });
    await vi.waitFor(async () => expect(await readExternalLoad()).toBe(1), longWait);
    for (let half = 0; half < 2; half += 1) {
      app.clock.aheadMs += 31_000;
      // The load is read at the first of them; a reading is valid for a minute.
      await app.passTicks(3);
    }
    expect((await ownPosts()).map(({ status }) => status)).toEqual([200, 200, 429]);
    // Only the scheduler's list shows that the other client's job ended.
    await endForeignJobs();
    app.clock.aheadMs += pollMs;
    await app.waitForStatus(ids[2] ?? '', ['SUBMITTED', 'GENERATING']);
    expect((await ownPosts()).map(({ status }) => status)).toEqual([200, 200, 429, 200]);
    expect((await app.accounts())[email]?.highWater).toBe(3);
  });

  it('are all used again if the load of other clients could not be read for a minute', async () => {
    await occupySlot();
    const ids = [await say(1), await say(2), await say(3)];
    await vi.waitFor(async () => expect(await readExternalLoad()).toBe(1), longWait);
    await endForeignJobs();
    await app.turn({
      failPath: { path: '/scheduler/available', status: 503, times: 1_000 },
    });
    app.clock.aheadMs += 61_000;
    await app.waitForStatus(ids[2] ?? '', ['SUBMITTED', 'GENERATING']);
  });

  it.each([
    ['shows everything', {}],
    ['shows no replyRef', { replyRefInScheduler: false }],
    ['is that of 2024', { profile: '2024-12' }],
  ])('are all used if only our jobs run, and the scheduler %s', async (_, how) => {
    await app.turn(how);
    const ids = [await say(1), await say(2), await say(3), await say(4), await say(5)];
    const asked = () => app.requests('GET /scheduler/available');
    await vi.waitFor(async () => expect(await asked()).toHaveLength(1), longWait);
    // One more POST is under way during the next read.
    await app.turn({ hangNext: 1 });
    await app.finishJob(ids[0] ?? '', 'FAILED');
    app.clock.aheadMs += pollMs;
    await vi.waitFor(async () => expect(await asked()).toHaveLength(2), longWait);
    await app.passTicks(1);
    expect(await readExternalLoad()).toBe(0);
    // The sandbox notes the status a moment after it has read the body.
    await vi.waitFor(async () => {
      expect((await ownPosts()).map(({ status }) => status)).toEqual([200, 200, 200, 'hang']);
    }, longWait);
  });

  it('are computed from any values that the scheduler may report', async () => {
    const ids = [await say(1), await say(2), await say(3), await say(4)];
    for (const [reported, load] of [
      // As in the documented example: fewer are available than are free.
      [{ executing: 0, available: 1 }, 2],
      [{ executing: 0, available: 3 }, 0],
      [{ executing: '2' }, 2],
      [{ executing: 0, available: 7 }, 0],
      [{ maxJobs: null, available: 2 }, 1],
      // Without values nothing changes.
      [{}, 1],
    ] as const) {
      await app.forgetRequests();
      await app.turn({
        failPath: {
          path: '/scheduler/available',
          status: 200,
          body: { executing: [null, {}], available: [null, { email, maxJobs: 3, ...reported }] },
          times: 1_000,
        },
      });
      app.clock.aheadMs += pollMs;
      await vi.waitFor(async () => {
        expect(await app.requests('GET /scheduler/available')).not.toEqual([]);
        expect(await readExternalLoad()).toBe(load);
      }, longWait);
    }
    expect(await statusesOf(ids.slice(3))).toEqual(['QUEUED']);
  });

  it('are used as soon as the account accepts more, while lip-syncs wait and no request comes', async () => {
    const ids = [await say(1), await say(2), await say(3), await say(4), await say(5)];
    expect(await statusesOf(ids.slice(3))).toEqual(['QUEUED', 'QUEUED']);
    await callUpstream('POST', `/accounts/${email}`, { email, password: 'any', maxJobs: 5 });
    app.clock.aheadMs += 61_000;
    for (const id of ids.slice(3)) await app.waitForStatus(id, ['SUBMITTED', 'GENERATING']);
    expect((await ownPosts()).map(({ status }) => status)).toEqual(Array(5).fill(200));
  });

  it('cost no upstream call while nothing waits', async () => {
    await say(1);
    await app.forgetRequests();
    app.clock.aheadMs += pollMs;
    await app.passTicks(2);
    expect(await app.requests('scheduler')).toEqual([]);
    expect(await app.requests('accounts')).toEqual([]);
  });
});
