import { expect } from 'vitest';
import { pollQueue } from '../../../../src/domains/lipsyncs/reconcile/poll-interval.ts';
import { type ControlledApp, maxJobs } from './controlled-app.ts';
import { canTransition, isEnd, isOpen, type Model, type Status } from './plain-model.ts';

type Row = { id: string; status: Status; sequence: number; holds_slot: boolean; attempts: number };
export type Entry = {
  lipsync_id: string;
  sequence: number;
  status: Status;
  percent: number;
  queue_position: number | null;
  failure: { code: string } | null;
};

/** The invariants after every command. */
export async function expectRules(model: Model, world: ControlledApp): Promise<void> {
  const rows = await world.db.query<Row>('select * from lipsyncs');
  const actual = Object.fromEntries(rows.map(({ id, status }) => [id, status]));
  const expected = Object.fromEntries([...model.lipsyncs].map(([id, { status }]) => [id, status]));
  expect(actual).toEqual(expected);
  expect(rows.filter((row) => row.holds_slot).length).toBeLessThanOrEqual(maxJobs);

  const entries = await world.db.query<Entry>('select * from lipsync_events order by sequence');
  const logs = Map.groupBy(entries, (entry) => entry.lipsync_id);
  for (const row of rows) {
    const log = logs.get(row.id) ?? [];
    expect(row.sequence).toBe(log.length);
    // Only the first five attempts are logged.
    if (row.attempts <= 5) expect(log.at(-1)?.status).toBe(row.status);
    expectLog(log);
  }
  expectPosts(model);

  if ([...model.lipsyncs.values()].some(isOpen)) {
    const polls = await world.db.query(
      `select 1 from pgboss.job where name = '${pollQueue}' and state = 'created'`,
    );
    expect(polls.length).toBeGreaterThan(0);
  }
}

/** The rules for one log, including the late event of a job found after an unknown outcome. */
export function expectLog(log: readonly Entry[]): void {
  expect(log.map(({ sequence }) => sequence)).toEqual(log.map((_, at) => at + 1));
  expect(log.length).toBeLessThan(100);
  for (const [at, entry] of log.entries()) {
    if (entry.status === 'COMPLETED') expect(entry.percent).toBe(100);
    else expect(entry.percent).toBeLessThanOrEqual(95);
    const before = log[at - 1];
    if (before === undefined) continue;
    expect(entry.percent).toBeGreaterThanOrEqual(before.percent);
    const isLateTruth = before.failure?.code === 'OUTCOME_UNKNOWN' && isEnd(entry.status);
    const isNext = before.status === entry.status || canTransition(before.status, entry.status);
    expect([before.status, entry.status, isEnd(before.status) ? isLateTruth : isNext]).toEqual([
      before.status,
      entry.status,
      true,
    ]);
  }
  const ends = log.filter(({ status }) => isEnd(status)).length;
  expect(ends).toBeLessThanOrEqual(log.at(-2)?.failure?.code === 'OUTCOME_UNKNOWN' ? 2 : 1);
  const positions = log.flatMap(({ queue_position: position }) => position ?? []);
  expect(positions).toEqual(positions.toSorted((a, b) => b - a));
}

/** A POST is repeated only after a 429, when the upstream certainly has no job. */
function expectPosts({ upstream }: Model): void {
  for (const [, posts] of Map.groupBy(upstream.posts, ({ replyRef }) => replyRef)) {
    expect(posts.slice(0, -1).filter(({ outcome }) => outcome !== '429')).toEqual([]);
  }
}
