import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canTransition,
  isCreateRequestWaiting,
  isOutcomePending,
  isOutcomeUnknown,
  isTerminal,
  isUnsentClaim,
  type LipsyncStatus,
  lipsyncStatuses,
  type SubmissionStage,
  statusAfter,
  submissionStage,
} from '../../../src/domains/lipsyncs/lifecycle.ts';
import {
  isPercentWorthLogging,
  runningPercent,
} from '../../../src/domains/lipsyncs/progress/estimate.ts';
import type { VideoStatus } from '../../../src/domains/videos/service.ts';
import { nextStatuses } from './next-statuses.ts';

const states: VideoStatus[] = [
  'QUEUED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'UNKNOWN',
];

describe('transitions', () => {
  it.each(lipsyncStatuses)('from %s lead to exactly the statuses of the table', (from) => {
    const next = lipsyncStatuses.filter((to) => canTransition(from, to));
    expect(next.toSorted()).toEqual(nextStatuses[from].split(' ').filter(Boolean).toSorted());
    expect(isTerminal(from)).toBe(nextStatuses[from] === '');
  });

  it('from FAILED lead to another terminal status only after an unknown outcome', () => {
    const late = lipsyncStatuses.filter((to) => canTransition('FAILED', to, true));
    expect(late.toSorted()).toEqual(['COMPLETED', 'FAILED', 'MODERATED']);
    for (const from of ['COMPLETED', 'MODERATED', 'CANCELLED', 'EXPIRED'] as const) {
      expect(lipsyncStatuses.filter((to) => canTransition(from, to, true))).toEqual([]);
    }
  });

  it('never go back when upstream states arrive out of order', () => {
    expect(statusAfter('GENERATING', 'QUEUED')).toBeNull();
    expect(statusAfter('GENERATING', 'GENERATING')).toBeNull();
    expect(statusAfter('SUBMITTED', 'QUEUED')).toBeNull();
    expect(statusAfter('COMPLETED', 'FAILED')).toBeNull();
    expect(statusAfter('CANCELLED', 'COMPLETED')).toBeNull();
    expect(statusAfter('SUBMITTED', 'UNKNOWN')).toBeNull();
    expect(statusAfter('SUBMITTED', 'COMPLETED')).toBe('COMPLETED');
  });

  it('give a sound log for any sequence of upstream states at any pace', () => {
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

/** The log of a submitted lip-sync after a series of upstream states. */
function play(observations: { state: VideoStatus; afterMs: number }[], expected: number) {
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

describe('submission stages', () => {
  const now = new Date('2026-05-01T12:00:00Z');
  const before = new Date(now.getTime() - 1);
  const after = new Date(now.getTime() + 1);
  const row = {
    status: 'SUBMITTING' as LipsyncStatus,
    leaseUntil: after as Date | null,
    postStartedAt: null as Date | null,
    outcomeUnknownAt: null as Date | null,
    loggedPosition: null as number | null,
  };

  it.each<[SubmissionStage | null, Partial<typeof row>]>([
    ['claimed', {}],
    ['posting', { postStartedAt: before }],
    ['claim-abandoned', { leaseUntil: now }],
    ['claim-abandoned', { leaseUntil: null }],
    ['post-abandoned', { leaseUntil: before, postStartedAt: before }],
    ['outcome-unknown', { leaseUntil: null, postStartedAt: before, outcomeUnknownAt: before }],
    // The job can still be found after a lease that was not cleared.
    ['outcome-unknown', { postStartedAt: before, outcomeUnknownAt: before }],
    [null, { status: 'QUEUED', leaseUntil: null }],
    [null, { status: 'SUBMITTED', leaseUntil: null, postStartedAt: before }],
    [null, { status: 'FAILED', postStartedAt: before, outcomeUnknownAt: before }],
  ])('%s: %j', (stage, columns) => {
    expect(submissionStage({ ...row, ...columns }, now)).toBe(stage);
  });

  it('count every lease as over when leases are void', () => {
    expect(submissionStage(row, null)).toBe('claim-abandoned');
    expect(submissionStage({ ...row, postStartedAt: before }, null)).toBe('post-abandoned');
  });

  it.each<[string, Partial<typeof row>, { pending: boolean; unknown: boolean; unsent: boolean }]>([
    ['a claim', {}, { pending: true, unknown: false, unsent: true }],
    ['an old claim', { leaseUntil: before }, { pending: true, unknown: false, unsent: true }],
    ['a POST', { postStartedAt: before }, { pending: true, unknown: false, unsent: false }],
    [
      'an unknown outcome',
      { postStartedAt: before, outcomeUnknownAt: before },
      { pending: false, unknown: true, unsent: false },
    ],
    ['a waiting one', { status: 'QUEUED' }, { pending: false, unknown: false, unsent: false }],
  ])('of %s answer the questions of the code', (_, columns, expected) => {
    const state = { ...row, ...columns };
    expect({
      pending: isOutcomePending(state),
      unknown: isOutcomeUnknown(state),
      unsent: isUnsentClaim(state),
    }).toEqual(expected);
  });

  it('leave the create request waiting only if the lip-sync never waited in the queue', () => {
    expect(isCreateRequestWaiting(row)).toBe(true);
    expect(isCreateRequestWaiting({ ...row, loggedPosition: 1 })).toBe(false);
    expect(isCreateRequestWaiting({ ...row, status: 'SUBMITTED' })).toBe(false);
  });
});
