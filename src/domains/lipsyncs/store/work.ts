import type { Sql } from '../../../database/connect.ts';

/** Unfinished lip-syncs of all owners. */
export type UnfinishedWork = {
  waiting: number;
  /** When the lip-sync was created that waits for the longest time. */
  oldestWaitingAt: Date | null;
  outcomeUnknown: number;
};

export async function readUnfinished(sql: Sql): Promise<UnfinishedWork> {
  const [row] = await sql.query<UnfinishedWork>(
    `select
       (select coalesce(sum(waiting), 0)::int from waiting_counts) as waiting,
       (select created_at from lipsyncs where status = 'QUEUED' order by created_at limit 1) as "oldestWaitingAt",
       (select count(*)::int from lipsyncs
        where finished_at is null and status = 'SUBMITTING' and outcome_unknown_at is not null) as "outcomeUnknown"`,
  );
  return row ?? { waiting: 0, oldestWaitingAt: null, outcomeUnknown: 0 };
}

/** How many lip-syncs of each account are sent or generated. */
export async function countRunning(sql: Sql): Promise<{ accountId: string; count: number }[]> {
  return sql.query(
    `select account_id as "accountId", count(*)::int as count from lipsyncs
     where finished_at is null and status <> 'QUEUED' and account_id is not null group by account_id`,
  );
}
