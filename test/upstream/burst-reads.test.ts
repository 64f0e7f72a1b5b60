import { describe, expect, test } from 'vitest';
import { CoalescedReads } from '../../src/upstream/coalesced-reads.ts';

/** Reads that keep results for bursts, with a clock that only `wait` moves, and numbered results. */
function open() {
  let nowMs = 0;
  let count = 0;
  const reads = new CoalescedReads<number>({ keepForBursts: { now: () => new Date(nowMs) } });
  const work = () => {
    count += 1;
    return Promise.resolve(count);
  };
  return {
    read: () => reads.read('key', work),
    readFailing: () => reads.read('key', () => Promise.reject(new Error('no'))),
    readAborted: () => reads.read('key', work, AbortSignal.abort(new Error('left'))),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** After the first result since the start, which is always kept. */
async function openAfterFirst() {
  const it = open();
  await it.read();
  it.wait(500);
  return it;
}

describe('gives one result to', () => {
  test('all concurrent callers', async () => {
    const { read } = open();
    expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
  });

  test('two hundred callers that come one after the other from the start', async () => {
    const { read, wait } = open();
    const results: number[] = [];
    for (let n = 0; n < 200; n += 1) {
      results.push(await read());
      wait(49);
    }
    expect(new Set(results)).toEqual(new Set([1]));
  });

  test('callers that closely follow two that shared it', async () => {
    const { read, wait } = await openAfterFirst();
    expect(await Promise.all([read(), read()])).toEqual([2, 2]);
    wait(499);
    expect(await read()).toBe(2);
    wait(499);
    expect(await read()).toBe(2);
    wait(500);
    expect(await read()).toBe(3);
  });
});

describe('reads again for', () => {
  test('each caller that comes alone', async () => {
    const { read } = await openAfterFirst();
    expect([await read(), await read(), await read()]).toEqual([2, 3, 4]);
  });

  test('a caller in a burst that has shared one result for ten seconds', async () => {
    const { read, wait } = await openAfterFirst();
    await Promise.all([read(), read()]);
    for (let seconds = 0; seconds < 10; seconds += 0.25) {
      expect(await read()).toBe(2);
      wait(250);
    }
    expect(await read()).toBe(3);
  });

  test('every caller after a failure, also one that many shared', async () => {
    const { read, readFailing } = open();
    await Promise.allSettled([readFailing(), readFailing()]);
    expect(await read()).toBe(1);
  });
});

test('rejects with the reason of a signal that is already aborted', async () => {
  await expect(open().readAborted()).rejects.toThrow('left');
});
