import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { UPSTREAM_TIMEOUT_MS: '1500', MAX_JOB_MS: '300000' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
afterEach(() => app.clearSwitches());

const say = (text: string, more: object = {}) =>
  app.create({ video: { videoId: video }, text, ...more });

const isStillUnknown = async (id: string) =>
  expect(await app.read(id)).toMatchObject({ status: 'SUBMITTING', failure: null });

async function expectFound(id: string) {
  expect(await app.waitForEnd(id)).toMatchObject({ status: 'COMPLETED', failure: null });
  expect(await app.postsOf(id)).toHaveLength(1);
  const events = await app.readEvents(id);
  expectSoundLog(events);
  expect(events.map(({ status }) => status)).toEqual(
    expect.arrayContaining(['SUBMITTING', 'SUBMITTED', 'COMPLETED']),
  );
}

/** For a job that the scheduler lists while it runs. */
async function finishWhenFound(id: string) {
  await app.waitForStatus(id, ['SUBMITTED', 'GENERATING']);
  await app.finishJob(id);
  await expectFound(id);
}

/** Brings the row into the state that an instance leaves when it dies during its POST. */
async function abandon(id: string) {
  const { db } = app.app;
  await db.query("delete from pgboss.job where name = 'poll-account'");
  await db.query('update lipsyncs set outcome_unknown_at = null, lease_until = $2 where id = $1', [
    keyOf('Lipsync', id),
    new Date(0),
  ]);
}

const callBack = async (id: string, body: object) => {
  const job = await app.jobOf(id);
  const response = await fetch(job?.replyUrl ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ video_id: job?.video_id, ...body }),
  });
  expect(response.status).toBe(200);
};

describe('works', () => {
  it.each(['cut', 'hang', 'no-id'])(
    'finds the job of a POST answered by [[%s]] in the scheduler',
    async (phrase) => {
      // The scheduler lists no finished job.
      await app.turn({ generatingMs: 3_600_000 });
      const made = await say(`[[${phrase}]] [[no-callback]] hello`, { idempotencyKey: phrase });
      expect(made).toMatchObject({ __typename: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' });
      expect(made.retryable).toBe(false);
      expect(made.lipsync?.status).toBe('SUBMITTING');
      await finishWhenFound(idOf(made));
      const again = await say(`[[${phrase}]] [[no-callback]] hello`, { idempotencyKey: phrase });
      expect(again).toMatchObject({ replayed: true, lipsync: { id: idOf(made) } });
      expect(await app.postsOf(idOf(made))).toHaveLength(1);
    },
  );

  it('finds it under the old name of the id field', async () => {
    await app.turn({ profile: '2024-12', generatingMs: 3_600_000 });
    await finishWhenFound(idOf(await say('[[cut]] [[no-callback]] old')));
  });

  it('finds it under the third name of the id field', async () => {
    await app.turn({ cutNext: 1, callbacks: 'none', replyRefInScheduler: false });
    const made = await say('third');
    const id = idOf(made);
    await isStillUnknown(id);
    const replyRef = keyOf('Lipsync', id);
    const job = await app.jobOf(id);
    await app.turn({
      failPath: {
        path: '/scheduler',
        status: 200,
        times: 1000,
        body: [{ video_id: job?.video_id, replyRef }],
      },
    });
    await expectFound(id);
  });

  it('finds it in the list if that shows replyRef', async () => {
    await app.turn({ callbacks: 'none', replyRefInScheduler: false, replyRefInLists: true });
    await expectFound(idOf(await say('[[cut]] listed')));
  });

  it("finds it by a callback's hint if nothing shows replyRef", async () => {
    await app.turn({ replyRefInScheduler: false });
    await expectFound(idOf(await say('[[cut]] hinted')));
  });

  it('finds an off-peak job, which the scheduler does not list', async () => {
    await expectFound(idOf(await say('[[cut]] off peak', { offPeak: true })));
  });

  it('does not take the job of another lip-sync because of a hint', async () => {
    await app.turn({ callbacks: 'none', replyRefInScheduler: false, generatingMs: 60_000 });
    const mine = idOf(await say('[[503]] mine is never made, once'));
    const other = idOf(await say('[[cut]] other'));
    const hint = { video_id: (await app.jobOf(other))?.video_id };
    const [post] = await app.postsOf(mine);
    // From here on the scheduler shows to which lip-sync the job belongs.
    await app.turn({ replyRefInScheduler: true });
    await fetch(String(post?.body?.replyUrl), { method: 'POST', body: JSON.stringify(hint) });
    await app.waitForStatus(other, ['SUBMITTED', 'GENERATING']);
    await isStillUnknown(mine);
    await app.finishJob(other);
    expect((await app.waitForEnd(other)).status).toBe('COMPLETED');
  });

  // The takeover once scheduled no poll.
  it('finds the job of a dead instance at the next poll after the takeover', async () => {
    await app.turn({ callbacks: 'none', replyRefInScheduler: false });
    const id = idOf(await say('[[cut]] orphan'));
    await abandon(id);
    // Taken over, and not visible yet: from here on only a poll can find it.
    await vi.waitFor(async () => {
      const [row] = await app.db.query<{ at: Date | null }>(
        'select outcome_unknown_at as at from lipsyncs where id = $1',
        [keyOf('Lipsync', id)],
      );
      expect(row?.at).not.toBeNull();
    }, longWait);
    await isStillUnknown(id);
    await app.turn({ replyRefInScheduler: true, replyRefInLists: true });
    await expectFound(id);
  });
});

describe('refuses', () => {
  it.each(['500', '503', 'html', 'empty', 'cut-early'])(
    'to repeat a POST answered by [[%s]]',
    async (phrase) => {
      const made = await say(`[[${phrase}]] once`, { idempotencyKey: `lost ${phrase}` });
      expect(made).toMatchObject({
        __typename: 'OutcomeUnknownError',
        lipsync: { status: 'SUBMITTING' },
      });
      const again = await say(`[[${phrase}]] once`, { idempotencyKey: `lost ${phrase}` });
      expect(again).toMatchObject({
        __typename: 'OutcomeUnknownError',
        lipsync: { id: idOf(made) },
      });
      expect(await app.postsOf(idOf(made))).toHaveLength(1);
    },
  );

  it('to hold a slot for a POST whose job the scheduler does not list', async () => {
    const [row] = await app.db.query<{ n: number }>(
      "select count(*)::int as n from lipsyncs where status = 'SUBMITTING'",
    );
    expect(row?.n).toBe(6);
    await vi.waitFor(async () => {
      const holding = await app.db.query(
        "select id from lipsyncs where status = 'SUBMITTING' and holds_slot",
      );
      expect(holding).toEqual([]);
    }, longWait);
  });

  it('to search without end: FAILED after MAX_JOB_MS, and a job found later adds one more terminal event', async () => {
    await app.turn({
      callbacks: 'none',
      replyRefInScheduler: false,
      queuedMs: 10,
      generatingMs: 10,
    });
    const id = idOf(await say('[[cut]] late'));
    app.clock.aheadMs += 301_000;
    const ended = await app.waitForEnd(id);
    expect(ended).toMatchObject({
      status: 'FAILED',
      failure: { __typename: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' },
      progress: { percent: 0 },
    });
    const failed = (await app.readEvents(id)).at(-1);
    expect(failed?.status).toBe('FAILED');
    await vi.waitFor(async () => expect((await app.jobOf(id))?.status).toBe('COMPLETED'), longWait);
    // A stream without new events completes at once.
    for await (const { data } of app.subscribe(id, failed?.cursor)) expect(data).toBeUndefined();

    await callBack(id, { video_status_name: 'COMPLETED' });
    await callBack(id, { video_status_name: 'FAILED' });
    const late = await app.waitForStatus(id, 'COMPLETED');
    expect(late).toMatchObject({ failure: null, progress: { percent: 100 } });
    expect(late.result?.url).toMatch(/^http/);
    const seen: string[] = [];
    for await (const { data } of app.subscribe(id, failed?.cursor)) {
      seen.push(data?.lipsyncProgress.status ?? '');
    }
    expect(seen).toEqual(['COMPLETED']);
    await callBack(id, {});
    await app.turn({ replyRefInLists: true });
    await callBack(id, {});
    expect((await app.readEvents(id)).slice(-2).map(({ status }) => status)).toEqual([
      'FAILED',
      'COMPLETED',
    ]);
    expect(await app.postsOf(id)).toHaveLength(1);
  });

  it('to search without end for the six POSTs without a job: FAILED, with nothing charged', async () => {
    await vi.waitFor(async () => {
      const rows = await app.db.query<{ code: string; n: number }>(
        `select failure->>'code' as code, count(*)::int as n from lipsyncs
         where status = 'FAILED' and text like '%once' group by 1`,
      );
      expect(rows).toEqual([{ code: 'OUTCOME_UNKNOWN', n: 6 }]);
    }, longWait);
  });
});
