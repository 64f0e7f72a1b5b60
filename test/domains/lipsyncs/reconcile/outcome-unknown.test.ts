import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { expectSoundLog, idOf, openStage, patient, type Stage } from '../stage.ts';

let stage: Stage;
let video: string;
beforeAll(async () => {
  stage = await openStage({
    env: { UPSTREAM_TIMEOUT_MS: '1500', MAX_JOB_MS: '60000' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
afterEach(() => stage.clearSwitches());

const say = (text: string, more: object = {}) =>
  stage.create({ video: { id: video }, speech: { text: { text } }, ...more });

const isStillUnknown = async (id: string) =>
  expect(await stage.find(id)).toMatchObject({ status: 'SUBMITTING', failure: null });

async function expectFound(id: string) {
  expect(await stage.end(id)).toMatchObject({ status: 'COMPLETED', failure: null });
  expect(await stage.postsOf(id)).toHaveLength(1);
  const events = await stage.events(id);
  expectSoundLog(events);
  expect(events.map(({ status }) => status)).toEqual(
    expect.arrayContaining(['SUBMITTING', 'SUBMITTED', 'COMPLETED']),
  );
}

/** The row that an instance leaves which died during its POST. */
async function abandon(id: string) {
  const { db } = stage.test.app;
  await db.query("delete from pgboss.job where name = 'poll-account'");
  await db.query('update lipsyncs set outcome_unknown_at = null, lease_until = $2 where id = $1', [
    keyOf('Lipsync', id),
    new Date(0),
  ]);
}

const callBack = async (id: string, body: object) => {
  const job = await stage.jobOf(id);
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
      // The scheduler lists no finished job: this one runs longer than the POST hangs.
      if (phrase === 'hang') await stage.test.turn({ generatingMs: 2_500 });
      const made = await say(`[[${phrase}]] [[no-callback]] hello`, { idempotencyKey: phrase });
      expect(made).toMatchObject({ __typename: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' });
      expect(made.retryable).toBe(false);
      expect(made.lipsync?.status).toBe('SUBMITTING');
      await expectFound(idOf(made));
      const again = await say(`[[${phrase}]] [[no-callback]] hello`, { idempotencyKey: phrase });
      expect(again).toMatchObject({ replayed: true, lipsync: { id: idOf(made) } });
      expect(await stage.postsOf(idOf(made))).toHaveLength(1);
    },
  );

  it('finds it under the old name of the id field', async () => {
    await stage.test.turn({ profile: '2024-12' });
    await expectFound(idOf(await say('[[cut]] [[no-callback]] old')));
  });

  it('finds it under the third name of the id field', async () => {
    await stage.test.turn({ cutNext: 1, callbacks: 'none', replyRefInScheduler: false });
    const made = await say('third');
    const id = idOf(made);
    await isStillUnknown(id);
    const replyRef = keyOf('Lipsync', id);
    const job = await stage.jobOf(id);
    await stage.test.turn({
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
    await stage.test.turn({ callbacks: 'none', replyRefInScheduler: false, replyRefInLists: true });
    await expectFound(idOf(await say('[[cut]] listed')));
  });

  it("finds it by a callback's hint if nothing shows replyRef", async () => {
    await stage.test.turn({ replyRefInScheduler: false });
    await expectFound(idOf(await say('[[cut]] hinted')));
  });

  it('finds an off-peak job, which the scheduler does not list', async () => {
    await expectFound(idOf(await say('[[cut]] off peak', { offPeak: true })));
  });

  it('does not take the job of another lip-sync because of a hint', async () => {
    await stage.test.turn({ callbacks: 'none', replyRefInScheduler: false, generatingMs: 60_000 });
    const mine = idOf(await say('[[503]] mine is never made, once'));
    const other = idOf(await say('[[cut]] other'));
    const hint = { video_id: (await stage.jobOf(other))?.video_id };
    const [post] = await stage.postsOf(mine);
    // From here on the scheduler shows to which lip-sync the job belongs.
    await stage.test.turn({ replyRefInScheduler: true });
    await fetch(String(post?.body?.replyUrl), { method: 'POST', body: JSON.stringify(hint) });
    await stage.reach(other, ['SUBMITTED', 'GENERATING']);
    await isStillUnknown(mine);
    await stage.finish(other);
    expect((await stage.end(other)).status).toBe('COMPLETED');
  });

  // The takeover once scheduled no poll.
  it('finds the job of a dead instance at the next poll after the takeover', async () => {
    await stage.test.turn({ callbacks: 'none', replyRefInScheduler: false });
    const id = idOf(await say('[[cut]] orphan'));
    await abandon(id);
    // Taken over, and not visible yet: from here on only a poll can find it.
    await vi.waitFor(async () => {
      const [row] = await stage.test.app.db.query<{ at: Date | null }>(
        'select outcome_unknown_at as at from lipsyncs where id = $1',
        [keyOf('Lipsync', id)],
      );
      expect(row?.at).not.toBeNull();
    }, patient);
    await isStillUnknown(id);
    await stage.test.turn({ replyRefInScheduler: true, replyRefInLists: true });
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
      expect(await stage.postsOf(idOf(made))).toHaveLength(1);
    },
  );

  it('to hold a slot for a POST whose job the scheduler does not list', async () => {
    const [row] = await stage.test.app.db.query<{ n: number }>(
      "select count(*)::int as n from lipsyncs where status = 'SUBMITTING'",
    );
    expect(row?.n).toBe(6);
    await vi.waitFor(async () => {
      const holding = await stage.test.app.db.query(
        "select id from lipsyncs where status = 'SUBMITTING' and holds_slot",
      );
      expect(holding).toEqual([]);
    }, patient);
  });

  it('to search without end: FAILED after MAX_JOB_MS, and a job found later adds one more terminal event', async () => {
    await stage.test.turn({
      callbacks: 'none',
      replyRefInScheduler: false,
      queuedMs: 10,
      generatingMs: 10,
    });
    const id = idOf(await say('[[cut]] late'));
    stage.clock.aheadMs += 61_000;
    const ended = await stage.end(id);
    expect(ended).toMatchObject({
      status: 'FAILED',
      failure: { __typename: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' },
      progress: { percent: 0 },
    });
    const failed = (await stage.events(id)).at(-1);
    expect(failed?.status).toBe('FAILED');
    // A stream without new events completes at once.
    for await (const { data } of stage.watch(id, failed?.cursor)) expect(data).toBeUndefined();

    await callBack(id, { video_status_name: 'COMPLETED' });
    await callBack(id, { video_status_name: 'FAILED' });
    const late = await stage.reach(id, 'COMPLETED');
    expect(late).toMatchObject({ failure: null, progress: { percent: 100 } });
    expect(late.result?.url).toMatch(/^http/);
    const seen: string[] = [];
    for await (const { data } of stage.watch(id, failed?.cursor)) {
      seen.push(data?.lipsyncProgress.status ?? '');
    }
    expect(seen).toEqual(['COMPLETED']);
    await callBack(id, {});
    await stage.test.turn({ replyRefInLists: true });
    await callBack(id, {});
    expect((await stage.events(id)).slice(-2).map(({ status }) => status)).toEqual([
      'FAILED',
      'COMPLETED',
    ]);
    expect(await stage.postsOf(id)).toHaveLength(1);
  });

  it('to search without end for the six POSTs without a job: FAILED, with nothing charged', async () => {
    await vi.waitFor(async () => {
      const rows = await stage.test.app.db.query<{ code: string; n: number }>(
        `select failure->>'code' as code, count(*)::int as n from lipsyncs
         where status = 'FAILED' and text like '%once' group by 1`,
      );
      expect(rows).toEqual([{ code: 'OUTCOME_UNKNOWN', n: 6 }]);
    }, patient);
  });
});
