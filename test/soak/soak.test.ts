import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { SoakOutcome } from './run.ts';
import { makePlans } from './traffic.ts';
import { problemsOf } from './verdict.ts';

const run = promisify(execFile);

describe('works', () => {
  /**
   * The short form of `npm run soak`, in a process of its own: the handles and the memory of other tests would count too.
   * It exits with 1 if it finds a problem.
   */
  test('under every fault each lip-sync ends once, each webhook arrives, and nothing is left behind', async () => {
    const command = ['test/soak/main.ts', '--seed', '7', '--lipsyncs', '48', '--clients', '24'];
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

  test('the traffic has every kind of fault, speech and transport', () => {
    const plans = makePlans(7, 48);
    expect(new Set(plans.map(({ fault }) => fault)).size).toBeGreaterThan(8);
    expect(new Set(plans.map(({ speech }) => speech)).size).toBe(3);
    expect(new Set(plans.map(({ transport }) => transport)).size).toBe(2);
  });

  test('the same seed gives the same requests', () => {
    const plans = makePlans(3, 200);
    expect(makePlans(3, 200)).toEqual(plans);
    expect(makePlans(4, 200)).not.toEqual(plans);
  });
});

const sample = { heapBytes: 100e6, residentBytes: 400e6, handles: 30 };

const sound: SoakOutcome = {
  ended: [],
  refused: 0,
  lost: [],
  doubled: [],
  broken: [],
  webhooks: { expected: 3, delivered: 3, failedOnce: 1 },
  first: sample,
  last: sample,
  rows: { 'open streams': 0, 'background jobs': 5 },
};

describe('finds', () => {
  test('nothing in a good run', () => {
    expect(problemsOf(sound)).toEqual([]);
  });

  test.each<[string, Partial<SoakOutcome>]>([
    ['lost: a', { lost: ['a'] }],
    ['doubled: a', { doubled: ['a'] }],
    ['gap', { broken: ['gap'] }],
    ['1 webhooks were not delivered', { webhooks: { ...sound.webhooks, delivered: 2 } }],
    ['memory grew from 100 MB to 400 MB', { last: { ...sample, heapBytes: 400e6 } }],
    ['handles grew from 30 to 80', { last: { ...sample, handles: 80 } }],
    ['2 open streams are left', { rows: { 'open streams': 2 } }],
    ['99 background jobs are left', { rows: { 'background jobs': 99 } }],
  ])('%s', (problem, difference) => {
    expect(problemsOf({ ...sound, ...difference })).toEqual([problem]);
  });
});
