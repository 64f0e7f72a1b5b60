import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import type { Delivery } from '../../../src/domains/webhooks/service.ts';
import { startTestApp } from '../../support/app.ts';
import { createLipsync } from '../../support/lipsyncs.ts';
import { openReceiver, type Receiver } from './webhook-receiver.ts';
import {
  isFinished,
  isWaitingAfter,
  makeDue,
  startWebhooks,
  type TestWebhooks,
} from './webhook-service.ts';

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

/** Milliseconds from the start of the last attempt to the next one. */
function pauseOf({ lastAttemptAt, nextAttemptAt }: Delivery): number {
  return (nextAttemptAt?.getTime() ?? 0) - (lastAttemptAt?.getTime() ?? 0);
}

describe('works', () => {
  let service: TestWebhooks;
  beforeAll(async () => {
    service = await startWebhooks({ delaysMs: 'default' });
  });
  afterAll(() => service.close());

  it('makes ten attempts over about 24 hours with growing delays, then fails', async () => {
    const receiver = await receive((response) => void response.writeHead(500).end());
    const change = await service.changeLipsync(receiver.url);
    const pauses: number[] = [];
    for (let attempt = 1; attempt < 10; attempt += 1) {
      const waiting = await service.waitForDelivery(change, isWaitingAfter(attempt));
      pauses.push(pauseOf(waiting));
      await makeDue(service.db, waiting.id);
    }
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'FAILED',
      attempts: 10,
    });
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
    expect(pauses[0]).toBeLessThan(10 * second);
    const whole = pauses.reduce((sum, pause) => sum + pause);
    expect(whole).toBeGreaterThan(22 * hour);
    expect(whole).toBeLessThan(26 * hour);
  });
});

describe('works with Retry-After', () => {
  let service: TestWebhooks;
  beforeAll(async () => {
    service = await startWebhooks({ delaysMs: [minute] });
  });
  afterAll(() => service.close());

  const answer =
    (status: number, retryAfter: () => string | string[]) => (response: ServerResponse) =>
      void response.setHeader('retry-after', retryAfter()).writeHead(status).end();
  const inTenMinutes = () => new Date(Date.now() + 10 * minute).toUTCString();

  it.each([
    ['waits ten minutes after 429 with 600 seconds', answer(429, () => '600'), 10 * minute],
    ['waits ten minutes after 503 with 600 seconds', answer(503, () => '600'), 10 * minute],
    ['waits until a date after 429', answer(429, inTenMinutes), 10 * minute],
    ['waits at most an hour for a huge number', answer(429, () => '999999999'), hour],
    [
      'waits at most an hour for a far date',
      answer(503, () => 'Fri, 31 Dec 9999 23:59:59 GMT'),
      hour,
    ],
    ['waits as planned for a shorter time', answer(429, () => '1'), minute],
    [
      'waits as planned for a date in the past',
      answer(503, () => new Date(0).toUTCString()),
      minute,
    ],
    ['waits as planned for an invalid value', answer(429, () => 'soon'), minute],
    ['waits as planned for a negative number', answer(429, () => '-600'), minute],
    ['waits as planned for a repeated header', answer(429, () => ['600', '700']), minute],
    ['waits as planned after status 500', answer(500, () => '600'), minute],
    ['waits as planned after a redirect', answer(302, () => '600'), minute],
  ] as const)('%s', async (_, reply, pauseMs) => {
    const receiver = await receive(reply);
    const waiting = await service.waitForDelivery(
      await service.changeLipsync(receiver.url),
      isWaitingAfter(1),
    );
    // A date has whole seconds, and jitter adds up to a tenth.
    expect(pauseOf(waiting)).toBeGreaterThan(pauseMs - 2 * second);
    expect(pauseOf(waiting)).toBeLessThan(1.1 * pauseMs + 2 * second);
  });

  it('makes no more attempts after 410', async () => {
    const receiver = await receive(answer(410, () => '600'));
    const delivery = await service.waitForDelivery(
      await service.changeLipsync(receiver.url),
      isFinished,
    );
    expect(delivery).toMatchObject({ state: 'FAILED', lastProblem: 'GONE', nextAttemptAt: null });
  });
});

/** Runs the hourly retention job now. */
async function runRetention(db: Pick<Database, 'query'>): Promise<void> {
  const [job] = await db.query("insert into pgboss.job (name) values ('retention') returning id");
  await vi.waitFor(
    async () => {
      const [found] = await db.query('select state from pgboss.job where id = $1', [job?.id]);
      if (found?.state !== 'completed') throw new Error(`The job is ${found?.state}.`);
    },
    { timeout: 60_000, interval: 20 },
  );
}

describe('works with RETENTION_DAYS=1', () => {
  it('keeps a lip-sync until the last attempt of its webhooks', async () => {
    let aheadMs = 0;
    await using app = await startTestApp({
      env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', RETENTION_DAYS: '1' },
      now: () => new Date(Date.now() + aheadMs),
    });
    const { db } = app.app;
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end(),
    );
    await createLipsync(app, { callbackUrl: receiver.url });
    const read = async () => (await db.query('select * from webhook_deliveries'))[0];
    const after = (attempts: number) =>
      vi.waitFor(
        async () => {
          const row = await read();
          const isSettled = row?.attempts === attempts && row.claimed_until === null;
          if (!isSettled) throw new Error(JSON.stringify(row));
          return row;
        },
        { timeout: 60_000, interval: 20 },
      );
    const first = await after(1);
    // Simulates the state before the ninth attempt, 13 hours after the end. The tenth is due half a day later.
    await db.query('update webhook_deliveries set retries = 8');
    aheadMs = 13 * hour;
    await makeDue(db, String(first.id));
    const waiting = await after(2);
    aheadMs = 24.5 * hour;
    expect(Number(waiting.next_attempt_at)).toBeGreaterThan(Date.now() + aheadMs);
    await runRetention(db);
    await makeDue(db, String(waiting.id));
    expect(await after(3)).toMatchObject({ state: 'DELIVERED' });
    expect(await db.query('select 1 from lipsyncs')).toHaveLength(1);
    await runRetention(db);
    expect(await db.query('select 1 from lipsyncs')).toEqual([]);
  });

  it('deletes a lip-sync whose pending delivery has been overdue for a day', async () => {
    await using app = await startTestApp({ env: { RETENTION_DAYS: '1' } });
    const { db } = app.app;
    // No attempt is made, because the receiver is paused.
    await db.query(
      `insert into webhook_receivers (owner, host, failures, paused_until, updated_at)
       values ('anonymous', '127.0.0.1:1', 9, now() + interval '1 hour', now())`,
    );
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
         created_at, next_attempt_at)
       values (gen_random_uuid(), 'anonymous', $1, 1, 'lipsync.completed', 'http://127.0.0.1:1/',
         'PENDING', now(), now() - interval '25 hours')`,
      [id],
    );
    await runRetention(db);
    expect(await db.query('select 1 from lipsyncs')).toEqual([]);
  });
});

describe('works while attempts cannot be stored', () => {
  it("logs each, with a limit for its owner that does not hide other owners' lines", async () => {
    const service = await startWebhooks({
      timeoutMs: hour,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    try {
      await service.db.query(
        `create function fail() returns trigger language plpgsql as $$ begin raise 'broken'; end $$`,
      );
      await service.db.query(
        `create trigger fail before update on webhook_deliveries for each row
         when (new.last_status is not null) execute function fail()`,
      );
      const receiver = await receive();
      const change = (name: string, owner: string) =>
        service.changeLipsync(`http://${name}.test:${receiver.port}/`, { owner });
      const patience = { timeout: 60_000, interval: 50 };
      for (const n of Array(62).keys()) await change(`h${n}`, 'key:ann');
      await vi.waitFor(() => expect(receiver.received).toHaveLength(62), patience);
      await change('bob', 'key:bob');
      const count = () =>
        service.lines.filter((line) => line.includes('a webhook attempt was not stored')).length;
      await vi.waitFor(() => expect(count()).toBe(61), patience);
    } finally {
      await service.close();
    }
  }, 120_000);
});
