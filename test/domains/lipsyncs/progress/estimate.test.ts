import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedMs,
  isPositionWorthLogging,
  kindOf,
  runningPercent,
} from '../../../../src/domains/lipsyncs/progress/estimate.ts';

describe('works', () => {
  /** Milliseconds. About a minute, as the upstream's users report, with two outliers. */
  const recorded = [
    61_200, 58_400, 64_900, 72_300, 59_800, 66_100, 240_000, 63_000, 61_900, 512_000,
  ];

  it('expects the median of earlier durations, so that outliers do not matter', () => {
    expect(expectedMs(recorded, 90_000)).toBe(63_950);
    expect(expectedMs(recorded.slice(0, 9), 90_000)).toBe(63_000);
    expect(expectedMs([5], 90_000)).toBe(5);
    expect(expectedMs([], 90_000)).toBe(90_000);
    expect(expectedMs([0, 0], 90_000)).toBe(1);
  });

  it('compares jobs of the same kind: text with text, and speech of similar length', () => {
    const bounds = (seconds: number | null) => {
      const { fromSeconds, toSeconds } = kindOf({ isText: false, seconds, isOffPeak: false });
      return [fromSeconds, toSeconds];
    };
    expect(bounds(null)).toEqual([-1, 10]);
    expect(bounds(10)).toEqual([-1, 10]);
    expect(bounds(10.01)).toEqual([10, 30]);
    expect(bounds(30)).toEqual([10, 30]);
    expect(bounds(60)).toEqual([30, Number.POSITIVE_INFINITY]);
    expect(kindOf({ isText: true, seconds: 3, isOffPeak: true })).toMatchObject({
      isText: true,
      isOffPeak: true,
    });
  });

  it('never falls, reaches 85 at the expected time and approaches 95 after it', () => {
    expect(runningPercent(0, 60_000)).toBe(0);
    expect(runningPercent(-5, 60_000)).toBe(0);
    expect(runningPercent(60_000, 60_000)).toBe(85);
    expect(runningPercent(1e12, 60_000)).toBe(95);
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e9), fc.integer({ min: 1, max: 1e9 }), (a, b, expected) => {
        const [early, late] = [Math.min(a, b), Math.max(a, b)];
        expect(runningPercent(early, expected)).toBeLessThanOrEqual(runningPercent(late, expected));
        expect(runningPercent(late, expected)).toBeLessThanOrEqual(95);
      }),
    );
  });

  it('logs a queue position if it halved or is one of the first three', () => {
    const logged = (last: number | null) =>
      [8, 7, 6, 5, 4, 3, 2, 1].filter((position) => isPositionWorthLogging(last, position));
    expect(logged(null)).toHaveLength(8);
    expect(logged(9)).toEqual([4, 3, 2, 1]);
    expect(logged(3)).toEqual([2, 1]);
    expect(logged(1)).toEqual([]);
    // A queue of ten thousand that moves one position at a time has few events.
    let last: number | null = null;
    let count = 0;
    for (let position = 10_000; position >= 1; position -= 1) {
      if (!isPositionWorthLogging(last, position)) continue;
      last = position;
      count += 1;
    }
    expect(count).toBeLessThan(20);
  });
});
