import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import { createStreamCounter } from '../../../src/domains/quotas/streams.ts';
import { type LiveEvents, nextOf } from '../../../src/live-events.ts';
import { silentLog, testDatabase } from '../../support/database.ts';
import { longWait } from '../../support/lipsyncs.ts';

const start = Date.parse('2030-01-01T00:00:00Z');

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  vi.useRealTimers();
});

/** A counter on fake timers: its renewal interval passes only by `pass`. */
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

/** A source without events. */
function silentSource(): LiveEvents<never> {
  let isClosed = false;
  let notify = () => {};
  return {
    take: () => (isClosed ? 'complete' : 'none'),
    onReady(listener) {
      notify = listener;
    },
    next() {
      return nextOf<never>(this);
    },
    async return() {
      isClosed = true;
      notify();
      return { done: true, value: undefined };
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

const neverAborted = new AbortController().signal;

describe('works', () => {
  it('renews the lease of an open stream every five seconds, until it ends', async () => {
    const { db, counter, pass } = await open();
    const stream = await counter.hold('ann', silentSource(), neverAborted);
    expect(await leases(db)).toEqual([15_000]);
    pass(5_000);
    await vi.waitFor(async () => expect(await leases(db)).toEqual([20_000]), longWait);
    await stream.return();
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), longWait);
    pass(5_000);
    expect(await leases(db)).toEqual([]);
  });

  it('restores a lease that was deleted while the database was unavailable', async () => {
    const { db, counter, pass } = await open();
    await counter.hold('ann', silentSource(), neverAborted);
    await db.query('delete from open_streams');
    pass(5_000);
    await vi.waitFor(async () => expect(await counter.count('ann')).toBe(1), longWait);
  });
});

describe('keeps no lease of', () => {
  it('a stream whose client disconnected before it was counted', async () => {
    const { db, counter } = await open();
    await counter.hold('ann', silentSource(), AbortSignal.abort());
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), longWait);
  });

  it('a stream that failed', async () => {
    const { db, counter } = await open();
    const broken = silentSource();
    broken.take = () => {
      throw new Error('The source failed.');
    };
    const stream = await counter.hold('ann', broken, neverAborted);
    await expect(stream.next()).rejects.toThrow('The source failed.');
    await vi.waitFor(async () => expect(await leases(db)).toEqual([]), longWait);
  });
});

describe('keeps out', () => {
  it('streams of one owner beyond half of those of the process, without a configured limit', async () => {
    const db = await testDatabase();
    const counter = createStreamCounter({
      ...{ db, log: silentLog, limit: null, max: 8 },
      now: () => new Date(),
    });
    closing.push(() => db.close(), counter.stop);
    const client = new AbortController();
    const open = (owner: string) => counter.hold(owner, silentSource(), client.signal);
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => open('key:ann')));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    await expect(open('key:ann')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const other = await open('key:bob');
    await other.return?.();
    client.abort();
    await (await counter.hold('key:ann', silentSource(), new AbortController().signal)).return?.();
    expect(await leases(db)).toEqual([]);
  });
});
