import type { Sql } from '../../../database/connect.ts';

/** Unfinished lip-syncs of all owners. */
export type UnfinishedWork = {
  waiting: number;
  /** When the lip-sync that has waited longest was created. */
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

/** An owner with unfinished lip-syncs. */
export type QueueOwner = {
  owner: string;
  waiting: number;
  running: number;
  /** When the lip-sync that has waited longest was created; null = none waits. */
  oldestWaitingAt: Date | null;
};

/** Those with the most waiting lip-syncs first. Reads live work only: `waiting_counts`, and the index of what runs. */
export async function readQueueOwners(sql: Sql, limit: number): Promise<QueueOwner[]> {
  return sql.query<QueueOwner>(
    `with running as (
       select owner, count(*)::int as count from lipsyncs
       where finished_at is null and status <> 'QUEUED' group by owner
     )
     select listed.*, oldest.created_at as "oldestWaitingAt" from (
       select owner, coalesce(waiting, 0) as waiting, coalesce(running.count, 0) as running
       from waiting_counts full join running using (owner)
       order by 2 desc, 3 desc, owner limit $1
     ) listed
     left join lateral (
       select created_at from lipsyncs where lipsyncs.owner = listed.owner and status = 'QUEUED'
       order by created_at limit 1
     ) oldest on true
     order by listed.waiting desc, listed.running desc, listed.owner`,
    [limit],
  );
}
