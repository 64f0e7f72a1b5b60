import { describe, expect, it } from 'vitest';
import { pollDelayMs } from '../../../../src/domains/lipsyncs/reconcile/poll-interval.ts';

describe('works', () => {
  // The half second by which pg-boss may be late was once subtracted from an interval of half a second.
  it('keeps a pause of at least nine tenths of an interval shorter than half a second', () => {
    for (const random of [0, 0.5, 1]) {
      expect(pollDelayMs(500, 0, random)).toBeGreaterThanOrEqual(450);
      expect(pollDelayMs(100, 0, random)).toBeGreaterThanOrEqual(90);
    }
  });

  it('keeps nine tenths of an interval of a second', () => {
    expect(pollDelayMs(1_000, 0, 0)).toBeGreaterThan(900);
    expect(pollDelayMs(3_000, 0, 0)).toBeGreaterThan(2_700);
  });

  it('is never later than the interval, and rarer for older jobs', () => {
    const minutes = (count: number) => count * 60_000;
    expect(pollDelayMs(15_000, 0, 1)).toBe(14_500);
    expect(pollDelayMs(15_000, minutes(10), 1)).toBe(29_500);
    expect(pollDelayMs(15_000, minutes(30), 1)).toBe(59_500);
    expect(pollDelayMs(15_000, minutes(61), 1)).toBe(119_500);
    expect(pollDelayMs(15_000, 0, 0)).toBe(13_750);
  });
});
