import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { encodeId } from '../../src/graphql/ids.ts';
import { findDoubled, findWrongEnds } from './ends.ts';
import { makePlans, type Plan } from './plans.ts';
import type { SoakOutcome } from './run.ts';
import type { Ended } from './traffic.ts';
import { problemsOf } from './verdict.ts';

const run = promisify(execFile);

describe('works', () => {
  /**
   * The short form of `npm run soak`, in a process of its own: the handles and the memory of other tests would count too.
   * It exits with 1 if it finds a problem.
   */
  test('under every fault each lip-sync ends once, each webhook arrives, and nothing is left behind', async () => {
    const command = ['test/soak/main.ts', '--seed', '7', '--requests', '36', '--clients', '24'];
    const { stdout } = await run(process.execPath, ['--liftoff-only', ...command]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).not.toContain('BROKEN');
    const numberOf = (row: RegExp) => Number(row.exec(stdout)?.[1]);
    expect(numberOf(/^lost +(\d+)$/m), stdout).toBe(0);
    expect(numberOf(/^doubled +(\d+)$/m)).toBe(0);
    expect(numberOf(/^resumed streams +(\d+)$/m)).toBeGreaterThan(0);
    expect(numberOf(/^webhooks +(\d+) of/m)).toBeGreaterThan(5);
  }, 180_000);

  const kindsOf = (plans: readonly Plan[], name: keyof Plan) =>
    new Set(plans.map((plan) => plan[name])).size;

  test('the short run has every entry, transport and receiver, and half of the faults', () => {
    const plans = makePlans(7, 36);
    expect(kindsOf(plans, 'fault')).toBeGreaterThan(8);
    expect(kindsOf(plans, 'speech')).toBeGreaterThan(7);
    expect(kindsOf(plans, 'entry')).toBe(3);
    expect(kindsOf(plans, 'transport')).toBe(3);
    expect(kindsOf(plans, 'receiver')).toBe(6);
    expect(plans.some(({ isCancelled }) => isCancelled)).toBe(true);
    expect(plans.some(({ isDeleted }) => isDeleted)).toBe(true);
  });

  test('a long run has every fault and every kind of speech', () => {
    const plans = makePlans(7, 1_000);
    // 17 faults, and none.
    expect(kindsOf(plans, 'fault')).toBe(18);
    expect(kindsOf(plans, 'speech')).toBe(10);
  });

  test('a long run also stops accounts, rarely', () => {
    const pausing = new Set(['596', '412', '402', '429', '429-all', '429-provider']);
    const countOf = (hasPauses: boolean) =>
      makePlans(1, 5_000, hasPauses).filter(({ fault }) => pausing.has(fault)).length;
    expect(countOf(false)).toBe(0);
    expect(countOf(true)).toBeGreaterThan(10);
    expect(countOf(true)).toBeLessThan(200);
  });

  test('the same seed gives the same requests', () => {
    const plans = makePlans(3, 200);
    expect(makePlans(3, 200)).toEqual(plans);
    expect(makePlans(4, 200)).not.toEqual(plans);
  });
});

const sample = { heapBytes: 100e6, residentBytes: 400e6, handles: 30 };

const good: SoakOutcome = {
  ended: [],
  resumes: 0,
  lost: [],
  doubled: [],
  broken: [],
  webhooks: { expected: 3, delivered: 3, failedAttempts: 1 },
  first: sample,
  last: sample,
  rows: { 'open streams': 0, 'background jobs': 5 },
};

const plan: Plan = {
  fault: '',
  speech: 'text',
  entry: 'mutation',
  transport: 'websocket',
  cutAfter: 0,
  receiver: 'none',
  isCancelled: false,
  isDeleted: false,
};

const endedAs = (status: string, more: { code?: string; plan?: Partial<Plan> } = {}): Ended => ({
  plan: { ...plan, ...more.plan },
  id: encodeId('Lipsync', 'a'),
  end: { status, code: more.code ?? null },
  refusedWith: null,
  isDeleted: false,
});

describe('finds', () => {
  test('nothing in a good run', () => {
    expect(problemsOf(good)).toEqual([]);
  });

  test.each<[string, Partial<SoakOutcome>]>([
    ['lost: a', { lost: ['a'] }],
    ['doubled: a', { doubled: ['a'] }],
    ['gap', { broken: ['gap'] }],
    ['1 webhooks were not delivered', { webhooks: { ...good.webhooks, delivered: 2 } }],
    ['memory grew from 100 MB to 400 MB', { last: { ...sample, heapBytes: 400e6 } }],
    ['handles grew from 30 to 80', { last: { ...sample, handles: 80 } }],
    ['2 open streams are left', { rows: { 'open streams': 2 } }],
    ['99 background jobs are left', { rows: { 'background jobs': 99 } }],
  ])('%s', (problem, difference) => {
    expect(problemsOf({ ...good, ...difference })).toEqual([problem]);
  });

  const jobs = [{ replyRef: 'a', status: 'COMPLETED' }];
  const unknown = { code: 'OUTCOME_UNKNOWN' };

  test.each<[string, Ended, typeof jobs]>([
    ['no end', { ...endedAs(''), end: null }, jobs],
    ['another end than that of its job', endedAs('FAILED'), jobs],
    ['an end without a job', endedAs('COMPLETED'), []],
    ['a cancellation that was not asked for', endedAs('CANCELLED'), jobs],
    ['an unknown outcome without a fault', endedAs('FAILED', unknown), []],
    [
      'a job for a file that never arrived',
      endedAs('FAILED', { code: 'INVALID_INPUT', plan: { speech: 'missing import' } }),
      jobs,
    ],
    ['a refusal without a fault', { ...endedAs(''), id: null, refusedWith: 'NOT_FOUND' }, []],
  ])('%s', (_, ended, made) => {
    expect(findWrongEnds([ended], made)).toHaveLength(1);
  });

  test('nothing wrong with the end of the job, and with honest failures', () => {
    const right = [endedAs('CANCELLED', { plan: { isCancelled: true } }), endedAs('COMPLETED')];
    expect(findWrongEnds(right, jobs)).toEqual([]);
    const honest = [
      endedAs('FAILED', { ...unknown, plan: { fault: 'cut-early' } }),
      endedAs('FAILED', { code: 'INVALID_INPUT', plan: { speech: 'missing import' } }),
    ];
    expect(findWrongEnds(honest, [])).toEqual([]);
  });

  test('a second job of a lip-sync', () => {
    expect(findDoubled([...jobs, ...jobs, { replyRef: 'b', status: 'FAILED' }])).toEqual(['a']);
  });
});
