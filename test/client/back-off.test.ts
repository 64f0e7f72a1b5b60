import { describe, expect, test } from 'vitest';
import { delayAfter } from '../../packages/client/src/back-off.ts';

describe('works', () => {
  test.each([
    { failures: 1, least: 500, most: 1_000 },
    { failures: 2, least: 1_000, most: 2_000 },
    { failures: 5, least: 8_000, most: 16_000 },
    { failures: 6, least: 15_000, most: 30_000 },
    { failures: 99, least: 15_000, most: 30_000 },
  ])('after failure $failures it waits $least to $most ms', ({ failures, least, most }) => {
    expect(delayAfter(failures, {}, () => 0)).toBe(least);
    expect(delayAfter(failures, {}, () => 1)).toBe(most);
  });

  test('the first and the longest wait are the caller’s to set', () => {
    const backOff = { firstMs: 10, mostMs: 25 };
    const waits = [1, 2, 3, 4].map((failures) => delayAfter(failures, backOff, () => 1));
    expect(waits).toEqual([10, 20, 25, 25]);
  });
});

describe('keeps out', () => {
  test('a crowd that was cut off at once does not come back at once', () => {
    const waits = Array.from({ length: 100 }, () => delayAfter(3));
    expect(new Set(waits).size).toBeGreaterThan(90);
  });
});
