import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canTransition,
  isTerminal,
  type LipsyncStatus,
  lipsyncStatuses,
  statusAfter,
  type UpstreamState,
} from '../../../src/domains/lipsyncs/lifecycle.ts';
import {
  expectedMs,
  isPercentWorthLogging,
  isPositionWorthLogging,
  kindOf,
  runningPercent,
} from '../../../src/domains/lipsyncs/progress/estimate.ts';
import { pollDelayMs } from '../../../src/domains/lipsyncs/reconcile/poll-interval.ts';

const states: UpstreamState[] = [
  'QUEUED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'UNKNOWN',
];

/** Who may follow whom, written down a second time by hand. */
const steps: Record<LipsyncStatus, string> = {
  QUEUED: 'SUBMITTING CANCELLED EXPIRED',
  SUBMITTING: 'QUEUED SUBMITTED FAILED MODERATED CANCELLED',
  SUBMITTED: 'GENERATING COMPLETED FAILED MODERATED CANCELLED',
  GENERATING: 'COMPLETED FAILED MODERATED CANCELLED',
  COMPLETED: '',
  FAILED: '',
  MODERATED: '',
  CANCELLED: '',
  EXPIRED: '',
};

describe('a life', () => {
  it.each(lipsyncStatuses)('goes on from %s as the table says', (from) => {
    const followers = lipsyncStatuses.filter((to) => canTransition(from, to));
    expect(followers.toSorted()).toEqual(steps[from].split(' ').filter(Boolean).toSorted());
    expect(isTerminal(from)).toBe(steps[from] === '');
  });

  it('has one late truth after an unknown outcome, and only an end', () => {
    const late = lipsyncStatuses.filter((to) => canTransition('FAILED', to, true));
    expect(late.toSorted()).toEqual(['COMPLETED', 'FAILED', 'MODERATED']);
    for (const from of ['COMPLETED', 'MODERATED', 'CANCELLED', 'EXPIRED'] as const) {
      expect(lipsyncStatuses.filter((to) => canTransition(from, to, true))).toEqual([]);
    }
  });

  it('does not go back when observations come out of order', () => {
    expect(statusAfter('GENERATING', 'QUEUED')).toBeNull();
    expect(statusAfter('GENERATING', 'GENERATING')).toBeNull();
    expect(statusAfter('SUBMITTED', 'QUEUED')).toBeNull();
    expect(statusAfter('COMPLETED', 'FAILED')).toBeNull();
    expect(statusAfter('CANCELLED', 'COMPLETED')).toBeNull();
    expect(statusAfter('SUBMITTED', 'UNKNOWN')).toBeNull();
    expect(statusAfter('SUBMITTED', 'COMPLETED')).toBe('COMPLETED');
  });

  it('keeps its rules whatever is observed, in whatever order, however fast the clock runs', () => {
    const observation = fc.record({
      state: fc.constantFrom(...states),
      afterMs: fc.integer({ min: 0, max: 60_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(observation, { maxLength: 400 }),
        fc.integer({ min: 1, max: 600_000 }),
        (observations, expected) => {
          const log = play(observations, expected);
          expect(log.length).toBeLessThan(40);
          const percents = log.map(({ percent }) => percent);
          expect(percents).toEqual(percents.toSorted((a, b) => a - b));
          expect(log.slice(0, -1).some(({ status }) => isTerminal(status))).toBe(false);
          for (const { status, percent } of log) {
            expect(percent === 100).toBe(status === 'COMPLETED');
            expect(percent <= 95 || percent === 100).toBe(true);
          }
        },
      ),
    );
  });
});

type Entry = { status: LipsyncStatus; percent: number; at: number };

/** A submitted lip-sync that is looked at again and again, thinned as the log is. */
function play(observations: { state: UpstreamState; afterMs: number }[], expected: number) {
  const log: Entry[] = [{ status: 'SUBMITTED', percent: 0, at: 0 }];
  let now = 0;
  for (const { state, afterMs } of observations) {
    now += afterMs;
    const last = log.at(-1) ?? { status: 'SUBMITTED', percent: 0, at: 0 };
    const running = Math.max(last.percent, runningPercent(now, expected));
    const next = statusAfter(last.status, state);
    if (next !== null) {
      log.push({ status: next, percent: next === 'COMPLETED' ? 100 : running, at: now });
    } else if (
      !isTerminal(last.status) &&
      isPercentWorthLogging(
        { percent: last.percent, at: new Date(last.at) },
        running,
        new Date(now),
      )
    ) {
      log.push({ status: last.status, percent: running, at: now });
    }
  }
  return log;
}

describe('an estimate', () => {
  /** About a minute, as the upstream's users report it, with two stragglers. */
  const recorded = [
    61_200, 58_400, 64_900, 72_300, 59_800, 66_100, 240_000, 63_000, 61_900, 512_000,
  ];

  it('is the median of what others took, which stragglers do not move', () => {
    expect(expectedMs(recorded, 90_000)).toBe(63_950);
    expect(expectedMs(recorded.slice(0, 9), 90_000)).toBe(63_000);
    expect(expectedMs([5], 90_000)).toBe(5);
    expect(expectedMs([], 90_000)).toBe(90_000);
    expect(expectedMs([0, 0], 90_000)).toBe(1);
  });

  it('compares like with like: text with text, and speech of about the same length', () => {
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

  it('never falls, reaches 85 when it was expected, and creeps to 95', () => {
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

  it('tells a place in the queue when it halved or is among the first three', () => {
    const told = (last: number | null) =>
      [8, 7, 6, 5, 4, 3, 2, 1].filter((place) => isPositionWorthLogging(last, place));
    expect(told(null)).toHaveLength(8);
    expect(told(9)).toEqual([4, 3, 2, 1]);
    expect(told(3)).toEqual([2, 1]);
    expect(told(1)).toEqual([]);
    // A queue of ten thousand, one place at a time.
    let last: number | null = null;
    let count = 0;
    for (let place = 10_000; place >= 1; place -= 1) {
      if (!isPositionWorthLogging(last, place)) continue;
      last = place;
      count += 1;
    }
    expect(count).toBeLessThan(20);
  });
});

describe('a poll', () => {
  it('was made again without a pause where its interval was half a second', () => {
    for (const random of [0, 0.5, 1]) {
      expect(pollDelayMs(500, 0, random)).toBeGreaterThanOrEqual(450);
      expect(pollDelayMs(100, 0, random)).toBeGreaterThanOrEqual(90);
    }
  });

  it('was made almost twice as often as promised where its interval was a second', () => {
    expect(pollDelayMs(1_000, 0, 0)).toBeGreaterThan(900);
    expect(pollDelayMs(3_000, 0, 0)).toBeGreaterThan(2_700);
  });

  it('is never later than its interval, and rarer for what is old', () => {
    const minutes = (count: number) => count * 60_000;
    expect(pollDelayMs(15_000, 0, 1)).toBe(14_500);
    expect(pollDelayMs(15_000, minutes(10), 1)).toBe(29_500);
    expect(pollDelayMs(15_000, minutes(30), 1)).toBe(59_500);
    expect(pollDelayMs(15_000, minutes(61), 1)).toBe(119_500);
    expect(pollDelayMs(15_000, 0, 0)).toBe(13_750);
  });
});
