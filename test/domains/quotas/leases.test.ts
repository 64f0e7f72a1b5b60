import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import { createStreamCounter } from '../../../src/domains/quotas/streams.ts';
import { silentLog, testDatabase } from '../../support/database.ts';
import { patient } from '../lipsyncs/stage.ts';

const start = Date.parse('2030-01-01T00:00:00Z');

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  vi.useRealTimers();
});

/** A counter whose five seconds pass when they are told to. */
async function open() {
  const db = await testDatabase();
  closing.push(() => db.close());
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const clock = { ms: start };
  const counter = createStreamCounter({
    ...{ db, log: silentLog, limit: 1 },
    now: () => new Date(clock.ms),
  });
  closing.push(counter.stop);
  return {
    ...{ db, counter, clock },
    pass(ms: number) {
      clock.ms += ms;
      vi.advanceTimersByTime(ms);
    },
  };
}

/** A source of which nothing ever comes. */
function quiet(): AsyncIterableIterator<never> {
  const left = Promise.withResolvers<IteratorResult<never>>();
  return {
    next: () => left.promise,
    async return() {
      left.resolve({ done: true, value: undefined });
      return left.promise;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function leases(db: Database): Promise<number[]> {
  const rows = await db.query<{ until: Date }>('select lease_until as until from open_streams');
  return rows.map(({ until }) => until.getTime() - start);
}

const forever = new AbortController().signal;

describe('works', () => {
  it('a stream that lasts is leased anew every five seconds, until it ends', async () => {
    const { db, counter, pass } = await open();
    const stream = await counter.hold('ann', quiet(), forever);
    expect(await leases(db)).toEqual([15_000]);
    pass(5_000);
    await vi.waitFor(async () => expect(await leases(db)).toEqual([20_000]), patient);
    await stream.return?.();
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), patient);
    pass(5_000);
    expect(await leases(db)).toEqual([]);
  });

  it('a stream that was taken for dead while the database was away counts again', async () => {
    const { db, counter, pass } = await open();
    await counter.hold('ann', quiet(), forever);
    await db.query('delete from open_streams');
    pass(5_000);
    await vi.waitFor(async () => expect(await counter.count('ann')).toBe(1), patient);
  });
});

describe('keeps out', () => {
  it('a stream whose caller had left before it was counted', async () => {
    const { db, counter } = await open();
    await counter.hold('ann', quiet(), AbortSignal.abort());
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), patient);
  });

  it('a stream that broke', async () => {
    const { db, counter } = await open();
    const broken = quiet();
    broken.next = () => Promise.reject(new Error('The log can not be read.'));
    const stream = await counter.hold('ann', broken, forever);
    await expect(stream.next()).rejects.toThrow('The log can not be read.');
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), patient);
  });
});
