import type { Sql } from '../../../database/connect.ts';

/** Unfinished lip-syncs that are in one stage for longer than they should be. */
export type StuckLipsyncs = {
  stage: 'WAITING' | 'UNKNOWN' | 'RUNNING';
  count: number;
  /** When the first of them entered the stage. */
  since: Date;
  /** At most three, the longest first. */
  ids: string[];
};

/** By stage: waiting for the upstream, with an outcome that is unknown, and submitted. Changes nothing. */
export async function findStuck(
  sql: Sql,
  before: { waiting: Date; unknown: Date; running: Date },
): Promise<StuckLipsyncs[]> {
  return sql.query<StuckLipsyncs>(
    `select stage, count(*)::int as count, min(since) as since,
       (array_agg(id::text order by since))[1:3] as ids
     from (
       select 'WAITING' as stage, id, created_at as since from lipsyncs
       where finished_at is null and status = 'QUEUED' and created_at <= $1
       union all
       select 'UNKNOWN', id, post_started_at from lipsyncs
       where finished_at is null and status = 'SUBMITTING' and post_started_at <= $2
       union all
       select 'RUNNING', id, submitted_at from lipsyncs
       where finished_at is null and status in ('SUBMITTED', 'GENERATING') and submitted_at <= $3
     ) stuck group by stage order by stage`,
    [before.waiting, before.unknown, before.running],
  );
}
