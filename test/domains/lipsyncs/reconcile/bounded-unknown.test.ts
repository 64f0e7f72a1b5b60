import { afterEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

const maxUnknownMs = 600_000;
const maxJobMs = 7_200_000;

type App = Awaited<ReturnType<typeof start>>;
let app: App;
afterEach(() => app.stop());

/** Without callbacks. With the long interval no poll comes: only the deadline leads to a read. */
async function start(pollMs = 900_000) {
  const started = await startLipsyncApp({
    env: { POLL_INTERVAL_MS: String(pollMs), READ_FRESH_MS: '0' },
    intervals: shortIntervals,
    sandbox: { queuedMs: 10, generatingMs: 10 },
  });
  const [video = ''] = await started.listVideoIds();
  await started.turn({ callbacks: 'none' });
  /** The reads are counted after their answers. */
  const hasStoredReads = async (id: string) => {
    const rows = await started.db.query(
      'select 1 from lipsyncs where id = $1 and scheduler_reads > 0 and list_reads > 0',
      [keyOf('Lipsync', id)],
    );
    return rows.length > 0;
  };
  return Object.assign(started, {
    /** A lip-sync whose POST has no clear answer, with the reads of the search that follows at once. */
    async lose(text: string): Promise<string> {
      await started.forgetRequests();
      const id = idOf(await started.create({ video: { videoId: video }, text }));
      await vi.waitFor(
        async () => expect(Math.min(...(await countReads(started)))).toBeGreaterThan(0),
        longWait,
      );
      await vi.waitFor(async () => expect(await hasStoredReads(id)).toBe(true), longWait);
      return id;
    },
  });
}

/** How often the scheduler and the list were read, without the reads of the accounts' capacity. */
async function countReads({ requests }: Pick<App, 'requests'>): Promise<[number, number]> {
  const all = await requests('GET /');
  const count = (pattern: RegExp) => all.filter(({ path }) => pattern.test(path)).length;
  return [count(/^\/scheduler\/?(\?|$)/), count(/^\/videos\/?\?/)];
}

const unreadable = (path: string) => ({ path, method: 'GET', status: 503, times: 1_000 });

const outcomeUnknown = {
  status: 'FAILED',
  failure: { __typename: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' },
};

describe('a POST without a clear answer', () => {
  it('is searched for at once, and FAILS after MAX_UNKNOWN_MS and three reads of scheduler and list', async () => {
    app = await start();
    const id = await app.lose('[[500]] Never begun');
    app.clock.aheadMs += maxUnknownMs - 60_000;
    await app.passTicks(3);
    expect(await countReads(app)).toEqual([1, 1]);
    expect(await app.read(id)).toMatchObject({ status: 'SUBMITTING', failure: null });

    app.clock.aheadMs += 60_000;
    expect(await app.waitForEnd(id)).toMatchObject(outcomeUnknown);
    expect(await countReads(app)).toEqual([3, 3]);
    expect(await app.postsOf(id)).toHaveLength(1);
    expectSoundLog(await app.readEvents(id));
  });

  it.each(['/scheduler', '/videos'])(
    'is not given up while %s can not be read, and is once it can',
    async (path) => {
      app = await start();
      const id = await app.lose('[[500]] Not known');
      await app.turn({ failPath: [unreadable(path), unreadable(`${path}/`)] });
      app.clock.aheadMs += maxUnknownMs;
      await vi.waitFor(
        async () => expect(Math.max(...(await countReads(app)))).toBeGreaterThan(2),
        longWait,
      );
      await app.passTicks(3);
      expect(await app.read(id)).toMatchObject({ status: 'SUBMITTING', failure: null });

      await app.turn({ failPath: null });
      app.clock.aheadMs += 900_000;
      expect(await app.waitForEnd(id)).toMatchObject(outcomeUnknown);
    },
  );

  it('FAILS at the latest after MAX_JOB_MS, also if the scheduler was never read', async () => {
    app = await start();
    const id = await app.lose('[[500]] Never read');
    await app.turn({ failPath: [unreadable('/scheduler'), unreadable('/scheduler/')] });
    app.clock.aheadMs += maxJobMs - 60_000;
    await app.passTicks(3);
    expect(await app.read(id)).toMatchObject({ status: 'SUBMITTING', failure: null });
    app.clock.aheadMs += 60_000;
    expect(await app.waitForEnd(id)).toMatchObject(outcomeUnknown);
  });

  it('whose job is found after that by a poll gets one more terminal event', async () => {
    app = await start(300);
    await app.turn({ callbacks: 'none', replyRefInScheduler: false, replyRefInLists: false });
    const id = await app.lose('[[cut]] Shown late');
    app.clock.aheadMs += maxUnknownMs;
    expect(await app.waitForEnd(id)).toMatchObject(outcomeUnknown);
    const failed = (await app.readEvents(id)).at(-1);

    await app.turn({ replyRefInLists: true });
    expect(await app.waitForStatus(id, 'COMPLETED')).toMatchObject({ failure: null });
    const seen: string[] = [];
    for await (const { data } of app.subscribe(id, failed?.cursor)) {
      seen.push(data?.lipsyncProgress.status ?? '');
    }
    expect(seen).toEqual(['COMPLETED']);
    expect(await app.postsOf(id)).toHaveLength(1);
  });

  it('whose process died before the first byte FAILS after MAX_UNKNOWN_MS too', async () => {
    app = await start();
    const id = await app.lose('[[500]] Died');
    // The state that a process leaves when it dies after `post_started_at` was committed.
    await app.db.query(
      'update lipsyncs set outcome_unknown_at = null, scheduler_reads = 3, list_reads = 3, lease_until = $1',
      [new Date(0)],
    );
    await vi.waitFor(async () => expect(await countReads(app)).toEqual([2, 2]), longWait);
    app.clock.aheadMs += maxUnknownMs;
    expect(await app.waitForEnd(id)).toMatchObject(outcomeUnknown);
    // The reads before the takeover do not count.
    expect(await countReads(app)).toEqual([4, 4]);
    expect(await app.postsOf(id)).toHaveLength(1);
  });
});
