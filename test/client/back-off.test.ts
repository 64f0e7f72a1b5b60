import { describe, expect, test } from 'vitest';
import { delayAfter } from '../../packages/client/src/back-off.ts';

describe('works', () => {
  test.each([
    { failures: 1, minMs: 500, maxMs: 1_000 },
    { failures: 2, minMs: 1_000, maxMs: 2_000 },
    { failures: 5, minMs: 8_000, maxMs: 16_000 },
    { failures: 6, minMs: 15_000, maxMs: 30_000 },
    { failures: 99, minMs: 15_000, maxMs: 30_000 },
  ])('after failure $failures waits $minMs to $maxMs ms', ({ failures, minMs, maxMs }) => {
    expect(delayAfter(failures, {}, () => 0)).toBe(minMs);
    expect(delayAfter(failures, {}, () => 1)).toBe(maxMs);
  });

  test('uses the caller’s first and longest delay', () => {
    const backOff = { firstMs: 10, maxMs: 25 };
    const delays = [1, 2, 3, 4].map((failures) => delayAfter(failures, backOff, () => 1));
    expect(delays).toEqual([10, 20, 25, 25]);
  });
});

describe('keeps out', () => {
  test('simultaneous reconnects: the delays are random', () => {
    const delays = Array.from({ length: 100 }, () => delayAfter(3));
    expect(new Set(delays).size).toBeGreaterThan(90);
  });
});
