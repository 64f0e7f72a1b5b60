import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startTestApp } from '../../../support/app.ts';
import { otherToken, startOtherUpstream } from '../../../support/other-upstream.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';
import { idOf, openStage, patient, progressSubscription, type Stage } from '../stage.ts';

const [left, right] = ['left@sandbox.example', 'right@sandbox.example'];
const intervalMs = 1_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    env: { POLL_INTERVAL_MS: String(intervalMs) },
    sandbox: {
      accounts: [
        { email: left, maxJobs: 8 },
        { email: right, maxJobs: 8 },
      ],
    },
  });
  await stage.test.turn({ callbacks: 'none' });
});
afterAll(() => stage.stop());
beforeEach(() => stage.forgetRequests());

async function run(email: string, count: number): Promise<string[]> {
  const [video] = await stage.sources(email);
  const made = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      stage.create({ video: { id: video }, speech: { text: { text: `[[never]] ${email} ${n}` } } }),
    ),
  );
  for (const each of made) await stage.reach(idOf(each), 'GENERATING');
  return made.map(idOf);
}

type Read = { sequence: number; at: string; path: string; status: number };

/** The reads of an account's list of videos, oldest first. */
async function listReads(email: string): Promise<Read[]> {
  const reads = (await stage.requests('GET /videos/?')) as unknown as Read[];
  return reads.filter(({ path }) => path.includes(encodeURIComponent(email)));
}

async function lastSequence(): Promise<number> {
  return (await stage.requests()).at(-1)?.sequence ?? 0;
}

/** Checks that the first read after each end showed it. */
async function expectEndedByFirstRead(ids: string[], after: { email: string; sequence: number }) {
  const reads = (await listReads(after.email)).filter(
    ({ sequence, status }) => sequence > after.sequence && status === 200,
  );
  const [first, second] = reads.map(({ at }) => Date.parse(at));
  for (const id of ids) {
    const { lipsync } = await stage.ask<{ lipsync: { finishedAt: string } }>(
      'query ($id: ID!) { lipsync(id: $id) { finishedAt } }',
      { id },
    );
    const endedAt = Date.parse(lipsync.finishedAt);
    expect(endedAt).toBeGreaterThanOrEqual(first ?? Number.NaN);
    expect(endedAt).toBeLessThanOrEqual(second ?? Number.POSITIVE_INFINITY);
  }
}

/** The delays in milliseconds of the polls that are scheduled for an account, by pace. */
async function nextLooks(): Promise<number[]> {
  const rows = await stage.test.app.db.query<{ ms: number }>(
    `select extract(epoch from start_after - created_on)::float8 * 1000 as ms from pgboss.job
     where name = 'poll-account' and state = 'created' order by created_on desc`,
  );
  return rows.map(({ ms }) => Math.round(ms));
}

describe('without any callback', () => {
  it('the first poll after the end of a job ends the lip-sync', async () => {
    const ids = await run(left, 4);
    for (const [n, id] of ids.entries()) {
      const status = ['COMPLETED', 'FAILED', 'MODERATED', 'COMPLETED'][n] ?? '';
      await stage.finish(id, status);
      const sequence = await lastSequence();
      expect((await stage.end(id)).status).toBe(status);
      await expectEndedByFirstRead([id], { email: left, sequence });
    }
  });

  it('one read per account and interval serves all of its lip-syncs and subscribers', async () => {
    const ofLeft = await run(left, 8);
    const ofRight = await run(right, 8);
    const sockets = await Promise.all(
      Array.from({ length: 4 }, () => RawWebSocket.open(stage.test.url)),
    );
    for (const [n, id] of [...ofLeft, ...ofRight].entries()) {
      for (const client of sockets) client.subscribe(`${n}`, progressSubscription, { id });
    }
    await stage.forgetRequests();
    const startedAt = performance.now();
    await vi.waitFor(async () => expect((await listReads(right)).length).toBeGreaterThan(3), {
      ...patient,
    });
    // The shortest pause between two polls of one pace; the first may have been due.
    const most = 3 + (performance.now() - startedAt) / (0.425 * intervalMs);
    for (const email of [left, right]) {
      expect((await listReads(email)).length).toBeLessThanOrEqual(most);
    }
    expect((await stage.requests()).filter(({ path }) => !path.startsWith('/videos/?'))).toEqual(
      [],
    );

    // All of them end between two polls.
    await stage.test.turn({
      failPath: { path: '/videos', method: 'GET', status: 503, times: 1_000 },
    });
    await stage.test.finishJobs('FAILED');
    const sequence = await lastSequence();
    await stage.test.turn({ failPath: null });
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
    await vi.waitFor(async () => expect(await nextLooks()).toEqual([]), patient);
    const [id = ''] = await run(left, 1);
    await stage.forgetRequests();
    await stage.finish(id);
    await stage.end(id);
    expect((await listReads(left)).length).toBeGreaterThan(0);
    expect(await listReads(right)).toEqual([]);
    await vi.waitFor(async () => expect(await nextLooks()).toEqual([]), patient);
  });

  it('older jobs are polled less often, until a new job runs in the same account', async () => {
    const ids = await run(right, 1);
    const aheadMs = stage.clock.aheadMs;
    for (const [minutes, factor] of [
      [0, 1],
      [11, 2],
      [31, 4],
    ] as const) {
      stage.clock.aheadMs = aheadMs + minutes * 60_000;
      const [shortest, longest] = [factor * 850 - 500, factor * 1_000];
      await vi.waitFor(async () => {
        const [ms = 0] = await nextLooks();
        expect(ms).toBeGreaterThanOrEqual(shortest);
        expect(ms).toBeLessThanOrEqual(longest);
      }, patient);
    }
    ids.push(...(await run(right, 1)));
    expect(Math.min(...(await nextLooks()))).toBeLessThanOrEqual(1_000);
    await stage.test.finishJobs();
    for (const id of ids) await stage.end(id);
  });
});

describe('pages', () => {
  it('are read until a job is found behind newer videos, and no further', async () => {
    const email = 'busy@example.com';
    const upstream = await startOtherUpstream({
      accounts: [{ email, maxJobs: 3 }],
      callbacks: 'none',
    });
    for (let n = 0; n < 60; n += 1) upstream.addVideo(email, `older ${n}`);
    const test = await startTestApp({
      upstream,
      env: { USEAPI_TOKEN: otherToken, ALLOW_ANONYMOUS: 'true' },
    });
    try {
      type Data = { videos: { nodes: { id: string }[] } };
      const { data } = await test.ask<Data>(
        '{ videos { ... on VideoConnection { nodes { id } } } }',
      );
      const input = {
        video: { id: data?.videos.nodes[0]?.id },
        speech: { text: { text: 'Somewhere down the list.' } },
      };
      type Created = { createLipsync: { lipsync: { id: string } } };
      const made = await test.ask<Created>(
        'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } } }',
        { input },
      );
      const job = await upstream.nextJob();
      // A page has forty, so the job is now on the third of five pages.
      for (let n = 0; n < 100; n += 1) upstream.addVideo(email, `newer ${n}`);
      const before = upstream.requests.length;
      await job.become(1);
      const statuses: string[] = [];
      for await (const result of test.watchWs<{ lipsyncProgress: { status: string } }>(
        progressSubscription,
        { id: made.data?.createLipsync.lipsync.id },
      )) {
        statuses.push(result.data?.lipsyncProgress.status ?? '');
      }
      expect(statuses.at(-1)).toBe('COMPLETED');
      // The read that found the job is complete.
      await test.stop();
      const urls = upstream.requests.slice(before).map(({ url }) => url);
      const offsets = urls.map((url) => /offset=(\d+)/.exec(url)?.[1]);
      expect(offsets.slice(-3)).toEqual(['0', '40', '80']);
      expect(new Set(offsets)).toEqual(new Set(['0', '40', '80']));
    } finally {
      await test.stop();
      await upstream.close();
    }
  });
});
