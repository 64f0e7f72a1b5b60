import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestStorage, testStorage } from '../support/database.ts';
import { makePlan } from './plan.ts';
import { points } from './points.ts';
import { runChaos } from './run.ts';
import { type Findings, judge } from './verdict.ts';

describe('works', () => {
  let storage: TestStorage;
  beforeEach(async () => {
    storage = await testStorage();
  });
  afterEach(() => storage.remove());

  /** The short form of `npm run chaos`. Its upstream lists `replyRef`, so that every lip-sync must end as its job does. */
  test('after one kill at every point each lip-sync ends once, with one POST and a log without gaps', async () => {
    const { kills, broken, findings, output } = await runChaos({
      seed: 8,
      lipsyncs: 12,
      kills: 1,
      dataDir: storage.dataDir,
      databaseUrl: storage.url,
      listsReplyRef: true,
      generatingMs: 1_000,
      // On PostgreSQL the lease of a killed instance lasts 11.5 s before the search for its job begins.
      maxJobMs: storage.url === undefined ? 10_000 : 20_000,
      mostMs: 180_000,
    });
    expect(broken, `${broken.join('\n')}\n${output}`).toEqual([]);
    expect(findings.length).toBeGreaterThanOrEqual(12);
    expect([...kills].filter(([, hits]) => hits.length === 0)).toEqual([]);
    // Checks that the killed processes really had created jobs.
    expect(findings.filter(({ jobs }) => jobs.length === 1).length).toBeGreaterThanOrEqual(6);
  }, 300_000);

  test('the same seed gives the same kills and requests', () => {
    const options = { seed: 7, lipsyncs: 100, kills: 10 };
    const plan = makePlan(options);
    expect(makePlan(options)).toEqual(plan);
    expect(makePlan({ ...options, seed: 8 })).not.toEqual(plan);
    expect(plan.flatMap(({ requests }) => requests)).toHaveLength(100);
    for (const point of points) {
      expect(plan.filter((life) => life.point === point)).toHaveLength(10);
    }
  });
});

const sound: Findings = {
  key: '1-1',
  text: 'Hello',
  ids: ['a'],
  isDone: true,
  faults: [],
  lipsync: { status: 'COMPLETED', failure: null },
  events: [
    { sequence: 1, status: 'SUBMITTING' },
    { sequence: 2, status: 'SUBMITTED' },
    { sequence: 3, status: 'COMPLETED' },
  ],
  resumed: [
    { cursor: '2', sequence: 2, status: 'SUBMITTED', failure: null },
    { cursor: '3', sequence: 3, status: 'COMPLETED', failure: null },
  ],
  posts: 1,
  jobs: [{ replyRef: 'a', status: 'COMPLETED' }],
};

/** Ended as OUTCOME_UNKNOWN, and found later. */
const late: Findings = {
  ...sound,
  events: [
    { sequence: 1, status: 'SUBMITTING' },
    { sequence: 2, status: 'FAILED' },
    { sequence: 3, status: 'COMPLETED' },
  ],
  resumed: [
    { cursor: '2', sequence: 2, status: 'FAILED', failure: 'OUTCOME_UNKNOWN' },
    { cursor: '3', sequence: 3, status: 'COMPLETED', failure: null },
  ],
};

const givenUp: Findings = {
  ...late,
  lipsync: { status: 'FAILED', failure: 'OUTCOME_UNKNOWN' },
  events: late.events.slice(0, 2),
  resumed: late.resumed.slice(0, 1),
};

const resumedWith = (failure: string | null) =>
  late.resumed.map((event) => ({ ...event, failure }));

describe('accepts', () => {
  test.each<[string, Findings, boolean]>([
    ['a lip-sync that ended once, as its job did', sound, true],
    ['an unknown outcome whose job was found later', late, true],
    ['an unknown outcome without a job', { ...givenUp, jobs: [] }, true],
    ['an unknown outcome when the upstream does not list replyRef', givenUp, false],
  ])('%s', (_, findings, listsReplyRef) => {
    expect(judge(findings, { listsReplyRef })).toEqual([]);
  });
});

describe('finds', () => {
  test.each<[string, Findings, string]>([
    ['a second POST', { ...sound, posts: 2 }, 'doubled: 2 POSTs'],
    ['a second job', { ...sound, jobs: [...sound.jobs, ...sound.jobs] }, 'doubled: 2 jobs'],
    ['a second lip-sync of one key', { ...sound, ids: ['a', 'b'] }, 'doubled: one key'],
    ['a key without an answer', { ...sound, ids: [] }, 'lost: its key'],
    ['an answer without a lip-sync', { ...sound, lipsync: null }, 'lost: a was answered'],
    ['a lip-sync whose client saw no end', { ...sound, isDone: false }, 'stuck'],
    ['a gap in the log', { ...sound, events: sound.events.toSpliced(1, 1) }, 'gap: its log'],
    ['a gap in a stream', { ...sound, resumed: sound.resumed.slice(1) }, 'gap: a stream'],
    [
      'a log that continues after its end',
      { ...late, lipsync: sound.lipsync, resumed: resumedWith(null) },
      'ended 2',
    ],
    ['a log without an end', { ...sound, events: sound.events.slice(0, 2) }, 'is not terminal'],
    ['a row unlike its log', { ...givenUp, lipsync: sound.lipsync }, 'not its status'],
    ['an end unlike the job', { ...sound, jobs: [{ replyRef: 'a', status: 'FAILED' }] }, 'its job'],
    ['an end without a job', { ...sound, jobs: [] }, 'was not made'],
    ['a job that was not found', givenUp, 'its job COMPLETED'],
    ['a wrong answer to a client', { ...sound, faults: ['NOT_FOUND'] }, 'NOT_FOUND'],
  ])('%s', (_, findings, what) => {
    expect(judge(findings, { listsReplyRef: true }).join('\n')).toContain(what);
  });
});
