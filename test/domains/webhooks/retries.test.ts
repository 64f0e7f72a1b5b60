import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import type { Delivery } from '../../../src/domains/webhooks/service.ts';
import { startTestApp } from '../../support/app.ts';
import { openReceiver, type Receiver } from './receiver.ts';
import { isEnded, isWaiting, makeDue, openStage, type Stage } from './stage.ts';

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

const receivers: Receiver[] = [];
const receive: typeof openReceiver = async (...options) => {
  const receiver = await openReceiver(...options);
  receivers.push(receiver);
  return receiver;
};
afterEach(() => {
  for (const receiver of receivers.splice(0)) receiver.close();
});

/** From the beginning of the last attempt to the next one. */
function pauseOf({ lastAttemptAt, nextAttemptAt }: Delivery): number {
  return (nextAttemptAt?.getTime() ?? 0) - (lastAttemptAt?.getTime() ?? 0);
}

describe('works', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage({ delaysMs: 'usual' });
  });
  afterAll(() => stage.close());

  it('tries ten times over a day, with a longer pause each time, and then gives up', async () => {
    const receiver = await receive((response) => void response.writeHead(500).end());
    const told = await stage.tell(receiver.url);
    const pauses: number[] = [];
    for (let attempt = 1; attempt < 10; attempt += 1) {
      const waiting = await stage.settled(told, isWaiting(attempt));
      pauses.push(pauseOf(waiting));
      await makeDue(stage.db, waiting.jobId);
    }
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'FAILED', attempts: 10 });
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
    expect(pauses[0]).toBeLessThan(10 * second);
    const whole = pauses.reduce((sum, pause) => sum + pause);
    expect(whole).toBeGreaterThan(22 * hour);
    expect(whole).toBeLessThan(26 * hour);
  });
});

describe('leaves a receiver alone for as long as it asks', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage({ delaysMs: [minute] });
  });
  afterAll(() => stage.close());

  const answer =
    (status: number, retryAfter: () => string | string[]) => (response: ServerResponse) =>
      void response.setHeader('retry-after', retryAfter()).writeHead(status).end();
  const inTenMinutes = () => new Date(Date.now() + 10 * minute).toUTCString();

  it.each([
    ['429 for ten minutes', answer(429, () => '600'), 10 * minute],
    ['503 for ten minutes', answer(503, () => '600'), 10 * minute],
    ['429 until a date', answer(429, inTenMinutes), 10 * minute],
    ['at most an hour, whatever it says', answer(429, () => '999999999'), hour],
    ['an hour, where it says for ever', answer(503, () => 'Fri, 31 Dec 9999 23:59:59 GMT'), hour],
    ['not shorter than planned', answer(429, () => '1'), minute],
    [
      'as planned after a date that has passed',
      answer(503, () => new Date(0).toUTCString()),
      minute,
    ],
    ['as planned after rubbish', answer(429, () => 'soon'), minute],
    ['as planned after a negative number', answer(429, () => '-600'), minute],
    ['as planned after two answers at once', answer(429, () => ['600', '700']), minute],
    ['as planned where the status means something else', answer(500, () => '600'), minute],
    ['as planned after a redirect', answer(302, () => '600'), minute],
  ] as const)('%s', async (_, reply, pauseMs) => {
    const receiver = await receive(reply);
    const waiting = await stage.settled(await stage.tell(receiver.url), isWaiting(1));
    // A date has whole seconds, and every pause is stretched by up to a tenth.
    expect(pauseOf(waiting)).toBeGreaterThan(pauseMs - 2 * second);
    expect(pauseOf(waiting)).toBeLessThan(1.1 * pauseMs + 2 * second);
  });

  it('not after 410: that ends it, whatever else is said', async () => {
    const receiver = await receive(answer(410, () => '600'));
    const delivery = await stage.settled(await stage.tell(receiver.url), isEnded);
    expect(delivery).toMatchObject({ state: 'FAILED', lastProblem: 'GONE', nextAttemptAt: null });
  });
});

/** The hourly job, now. */
async function runRetention(db: Pick<Database, 'query'>): Promise<void> {
  const [job] = await db.query("insert into pgboss.job (name) values ('retention') returning id");
  await vi.waitFor(
    async () => {
      const [found] = await db.query('select state from pgboss.job where id = $1', [job?.id]);
      if (found?.state !== 'completed') throw new Error(`The job is ${found?.state}.`);
    },
    { timeout: 15_000, interval: 20 },
  );
}

describe('with RETENTION_DAYS=1', () => {
  it('a lip-sync stays until its webhooks have been tried for the last time', async () => {
    let aheadMs = 0;
    await using app = await startTestApp({
      env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1', RETENTION_DAYS: '1' },
      now: () => new Date(Date.now() + aheadMs),
    });
    const { db } = app.app;
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end(),
    );
    const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
      '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
    );
    await app.ask(
      'mutation ($video: ID!, $url: String!) { createLipsync(input: { video: { id: $video }, speech: { text: { text: "Hello." } }, callbackUrl: $url }) { __typename } }',
      { video: data?.videos.nodes[0]?.id, url: receiver.url },
    );
    const read = async () => (await db.query('select * from webhook_deliveries'))[0];
    const after = (attempts: number) =>
      vi.waitFor(
        async () => {
          const row = await read();
          const isSo = row?.attempts === attempts && row.claimed_until === null;
          if (!isSo) throw new Error(JSON.stringify(row));
          return row;
        },
        { timeout: 15_000, interval: 20 },
      );
    const first = await after(1);
    // As before the ninth attempt, made 13 hours after the end: the tenth comes half a day later.
    await db.query('update webhook_deliveries set retries = 8');
    aheadMs = 13 * hour;
    await makeDue(db, String(first.job_id));
    const waiting = await after(2);
    aheadMs = 24.5 * hour;
    expect(Number(waiting.next_attempt_at)).toBeGreaterThan(Date.now() + aheadMs);
    await runRetention(db);
    await makeDue(db, String(waiting.job_id));
    expect(await after(3)).toMatchObject({ state: 'DELIVERED' });
    expect(await db.query('select 1 from lipsyncs')).toHaveLength(1);
    await runRetention(db);
    expect(await db.query('select 1 from lipsyncs')).toEqual([]);
  });

  it('one whose last attempt was lost is erased all the same', async () => {
    await using app = await startTestApp({ env: { RETENTION_DAYS: '1' } });
    const { db } = app.app;
    const { id } = (
      await db.query<{ id: string }>(
        `insert into lipsyncs (id, owner, status, sequence, fingerprint, created_at, finished_at)
         values (gen_random_uuid(), 'anonymous', 'COMPLETED', 1, '', now(), now() - interval '50 hours')
         returning id`,
      )
    )[0] ?? { id: '' };
    await db.query(
      `insert into lipsync_events (lipsync_id, sequence, status, percent, source, occurred_at)
       values ($1, 1, 'COMPLETED', 100, 'POLL', now())`,
      [id],
    );
    await db.query(
      `insert into webhook_deliveries (id, owner, lipsync_id, event_sequence, event_type, url, state,
         job_id, created_at, next_attempt_at)
       values (gen_random_uuid(), 'anonymous', $1, 1, 'lipsync.completed', 'http://127.0.0.1:1/',
         'PENDING', gen_random_uuid(), now(), now() - interval '25 hours')`,
      [id],
    );
    await runRetention(db);
    expect(await db.query('select 1 from lipsyncs')).toEqual([]);
  });
});
