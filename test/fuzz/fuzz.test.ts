import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/schema.ts';
import { fuzz, type Report } from './fuzz.ts';
import { judge, type Outcome } from './judge.ts';
import { operationPlans, tokenPlans } from './plans.ts';
import { type Fuzzed, startFuzzed } from './program.ts';

/** A short form of `npm run fuzz` with a fixed seed, so that a finding can be repeated. */
const options = { seed: 7, runs: 1_500 };

describe('random and mutated operations on every transport at once', () => {
  let fuzzed: Fuzzed;
  let report: Report;
  let exitCode: number | null;
  beforeAll(async () => {
    fuzzed = await startFuzzed();
    try {
      report = await fuzz(fuzzed, options);
    } finally {
      exitCode = await fuzzed.stop();
    }
  }, 240_000);
  afterAll(() => fuzzed?.program.child.kill('SIGKILL'));

  test('get valid answers, and the program keeps running and exits with 0', () => {
    expect(report.findings).toEqual([]);
    expect(exitCode).toBe(0);
  });

  test('reach every transport and create lip-syncs, uploads and cursors', () => {
    const transports = ['post', 'get', 'sse', 'socket', 'multipart'];
    for (const kind of [...transports, 'messages', 'callback', 'upload', 'path']) {
      expect(report.tried[kind], kind).toBeGreaterThan(30);
    }
    for (const status of [200, 400, 404, 405, 409]) {
      expect(report.statuses[status], String(status)).toBeGreaterThan(0);
    }
    const { Lipsync = 0, Upload = 0, Cursor = 0 } = fuzzed.target.pool.sizes;
    expect(Math.min(Lipsync, Upload, Cursor)).toBeGreaterThan(10);
  });
});

describe('the fuzzer', () => {
  test('repeats its plans for the same seed and changes them for another', () => {
    for (const plans of [operationPlans(schema), tokenPlans('upload'), tokenPlans('callback')]) {
      const make = (seed: number) => JSON.stringify(fc.sample(plans, { seed, numRuns: 100 }));
      expect(make(1)).toBe(make(1));
      expect(make(1)).not.toBe(make(2));
    }
  });

  const fine: Outcome = { status: 200, text: '{"data":null,"errors":[{"message":"No."}]}' };
  test.each<[string, Partial<Outcome>]>([
    ['no answer', { broken: 'ECONNRESET' }],
    ['a server error', { status: 502 }],
    ['an unmeant error', { text: '{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}' }],
    ['a stack', { text: 'Error: x\n    at run (file:///app/x.js:1:1)' }],
    ['the words of a defect', { text: "Cannot read properties of undefined (reading 'id')" }],
    ['the words of a database', { text: 'invalid input syntax for type uuid' }],
    ["an upstream's id", { text: '"user:12-pixverse:a"' }],
    ['a socket that closes for an error of ours', { closeCode: 4500 }],
    ['a socket that breaks', { closeCode: 1006 }],
  ])('sees %s', (_, wrong) => {
    expect(judge(fine)).toBeNull();
    expect(judge({ ...fine, ...wrong })).not.toBeNull();
  });
});
