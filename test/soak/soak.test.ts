import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runSoak, type SoakOutcome } from './run.ts';
import { makePlans } from './traffic.ts';
import { formatOutcome, problemsOf } from './verdict.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lipsync-soak-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));

describe('works', () => {
  /** The short form of `npm run soak`. */
  test('under every fault each lip-sync ends once, each webhook arrives, and nothing is left behind', async () => {
    const outcome = await runSoak({ seed: 7, lipsyncs: 48, clients: 24, dataDir });
    expect(problemsOf(outcome), formatOutcome(outcome)).toEqual([]);
    expect(outcome.ended).toHaveLength(48);
    // The traffic really had what it is for.
    const plans = outcome.ended.map(({ plan }) => plan);
    expect(new Set(plans.map(({ fault }) => fault)).size).toBeGreaterThan(8);
    expect(new Set(plans.map(({ speech }) => speech)).size).toBe(3);
    expect(new Set(plans.map(({ transport }) => transport)).size).toBe(2);
    expect(outcome.ended.some(({ resumes }) => resumes > 0)).toBe(true);
    expect(outcome.webhooks.expected).toBeGreaterThan(5);
  }, 180_000);

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
