import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeToken } from '../../../support/fake-upstream/behaviour.ts';
import { startFakeUpstream } from '../../../support/fake-upstream/server.ts';
import {
  idOf,
  type LipsyncApp,
  progressSubscription,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';

const [left, right] = ['left@sandbox.example', 'right@sandbox.example'];
const intervalMs = 500;

let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { POLL_INTERVAL_MS: String(intervalMs) },
    sandbox: {
      accounts: [
        { email: left, maxJobs: 8 },
        { email: right, maxJobs: 8 },
      ],
    },
  });
  await app.turn({ callbacks: 'none' });
});
afterAll(() => app.stop());
beforeEach(() => app.forgetRequests());

async function run(email: string, count: number): Promise<string[]> {
  const [video] = await app.listVideoIds(email);
  const made = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      app.create({ video: { videoId: video }, text: `[[never]] ${email} ${n}` }),
    ),
  );
  for (const each of made) await app.waitForStatus(idOf(each), 'GENERATING');
  return made.map(idOf);
}

type Read = { sequence: number; at: string; path: string; status: number };

/** The reads of an account's list of videos, oldest first. */
async function listReads(email: string): Promise<Read[]> {
  const reads = (await app.requests('GET /videos/?')) as unknown as Read[];
  return reads.filter(({ path }) => path.includes(encodeURIComponent(email)));
}

async function lastSequence(): Promise<number> {
  return (await app.requests()).at(-1)?.sequence ?? 0;
}

/** Checks that no read after the first one that showed each end was necessary. */
async function expectEndedByFirstRead(ids: string[], after: { email: string; sequence: number }) {
  const reads = (await listReads(after.email)).filter(
    ({ sequence, status }) => sequence > after.sequence && status === 200,
  );
  for (const id of ids) {
    const { lipsync } = await app.askForData<{ lipsync: { finishedAt: string } }>(
      'query ($id: ID!) { lipsync(id: $id) { finishedAt } }',
      { id },
    );
    const endedAt = Date.parse(lipsync.finishedAt);
    // None if the end was seen by a read before `sequence` was read, or by a read of the one video.
    expect(reads.filter(({ at }) => Date.parse(at) <= endedAt).length).toBeLessThanOrEqual(1);
  }
}

/** The delays in milliseconds of the polls that are scheduled for an account, by pace. */
async function nextDelays(): Promise<number[]> {
  const rows = await app.db.query<{ ms: number }>(
    `select extract(epoch from start_after - created_on)::float8 * 1000 as ms from pgboss.job
     where name = 'poll-account' and state = 'created' order by created_on desc`,
  );
  return rows.map(({ ms }) => Math.round(ms));
}

/** Runs the scheduled polls now. */
const makePollsDue = () =>
  app.db.query(
    "update pgboss.job set start_after = now() where name = 'poll-account' and state = 'created'",
  );

describe('without any callback', () => {
  it('the first poll after the end of a job ends the lip-sync', async () => {
    const ids = await run(left, 4);
    for (const [n, id] of ids.entries()) {
      const status = ['COMPLETED', 'FAILED', 'MODERATED', 'COMPLETED'][n] ?? '';
      await app.finishJob(id, status);
      const sequence = await lastSequence();
      expect((await app.waitForEnd(id)).status).toBe(status);
      await expectEndedByFirstRead([id], { email: left, sequence });
    }
  });

  it('one read per account and interval serves all of its lip-syncs and subscribers', async () => {
    const ofLeft = await run(left, 8);
    const ofRight = await run(right, 8);
    const sockets = await Promise.all(Array.from({ length: 4 }, () => RawWebSocket.open(app.url)));
    for (const [n, id] of [...ofLeft, ...ofRight].entries()) {
      for (const client of sockets) client.subscribe(`${n}`, progressSubscription, { id });
    }
    await app.forgetRequests();
    const startedAt = performance.now();
    await vi.waitFor(async () => expect((await listReads(right)).length).toBeGreaterThan(3), {
      ...longWait,
    });
    // The shortest pause between two polls of one pace; the first may have been due.
    const most = 3 + (performance.now() - startedAt) / (0.425 * intervalMs);
    for (const email of [left, right]) {
      expect((await listReads(email)).length).toBeLessThanOrEqual(most);
    }
    expect((await app.requests()).filter(({ path }) => !path.startsWith('/videos/?'))).toEqual([]);

    // All of them end between two polls.
    await app.turn({
      failPath: { path: '/videos', method: 'GET', status: 503, times: 1_000 },
    });
    await app.finishJobs('FAILED');
    const sequence = await lastSequence();
    await app.turn({ failPath: null });
    for (const client of sockets) {
      for (const n of [...ofLeft, ...ofRight].keys()) {
        await client.message(({ id, type }) => id === `${n}` && type === 'complete');
      }
      client.socket.close();
      await client.closed;
    }
    await expectEndedByFirstRead(ofLeft, { email: left, sequence });
    await expectEndedByFirstRead(ofRight, { email: right, sequence });
  });

  it('nothing is read while nothing runs', async () => {
    await vi.waitFor(async () => expect(await nextDelays()).toEqual([]), longWait);
    const [id = ''] = await run(left, 1);
    await app.forgetRequests();
    await app.finishJob(id);
    await app.waitForEnd(id);
    expect((await listReads(left)).length).toBeGreaterThan(0);
    expect(await listReads(right)).toEqual([]);
    await vi.waitFor(async () => expect(await nextDelays()).toEqual([]), longWait);
  });

  it('older jobs are polled less often, until a new job runs in the same account', async () => {
    const ids = await run(right, 1);
    const aheadMs = app.clock.aheadMs;
    for (const [minutes, factor] of [
      [0, 1],
      [11, 2],
      [31, 4],
    ] as const) {
      app.clock.aheadMs = aheadMs + minutes * 60_000;
      const [shortest, longest] = [(0.85 * factor - 0.5) * intervalMs, factor * intervalMs];
      await makePollsDue();
      await vi.waitFor(async () => {
        const [ms = 0] = await nextDelays();
        expect(ms).toBeGreaterThanOrEqual(shortest);
        expect(ms).toBeLessThanOrEqual(longest);
      }, longWait);
    }
    ids.push(...(await run(right, 1)));
    expect(Math.min(...(await nextDelays()))).toBeLessThanOrEqual(intervalMs);
    await app.finishJobs();
    for (const id of ids) await app.waitForEnd(id);
  });
});

describe('pages', () => {
  it('are read until a job is found behind newer videos, and no further', async () => {
    const email = 'busy@example.com';
    const upstream = await startFakeUpstream({
      accounts: [{ email, maxJobs: 3 }],
      callbacks: 'none',
    });
    for (let n = 0; n < 60; n += 1) upstream.addVideo(email, `older ${n}`);
    const own = await startLipsyncApp({
      upstream,
      env: { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true' },
    });
    try {
      const id = idOf(await own.create({ text: 'Somewhere down the list.' }));
      const job = await upstream.nextJob();
      // A page has forty, so the job is now on the third of five pages.
      for (let n = 0; n < 100; n += 1) upstream.addVideo(email, `newer ${n}`);
      const before = upstream.requests.length;
      await job.become(1);
      const statuses: string[] = [];
      for await (const { data } of own.subscribe(id)) {
        statuses.push(data?.lipsyncProgress.status ?? '');
      }
      expect(statuses.at(-1)).toBe('COMPLETED');
      // The read that found the job is complete.
      await own.stop();
      const urls = upstream.requests.slice(before).map(({ url }) => url);
      const offsets = urls.map((url) => /offset=(\d+)/.exec(url)?.[1]);
      expect(offsets.slice(-3)).toEqual(['0', '40', '80']);
      expect(new Set(offsets)).toEqual(new Set(['0', '40', '80']));
    } finally {
      await own.stop();
      await upstream.close();
    }
  });
});
