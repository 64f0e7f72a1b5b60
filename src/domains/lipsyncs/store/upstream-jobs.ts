import type { Sql } from '../../../database/connect.ts';
import { readsBeforeGivingUp } from '../lifecycle.ts';
import { type Lipsync, selectLipsyncs } from './lipsyncs.ts';

/**
 * Lip-syncs whose job runs upstream or may do so: SUBMITTED, GENERATING, and SUBMITTING in the stage `outcome-unknown` of
 * `lifecycle.ts`. `finished_at is null` is redundant, but lets PostgreSQL use the index of unfinished lip-syncs.
 */
const isOpen = `(finished_at is null and (status in ('SUBMITTED', 'GENERATING')
  or (status = 'SUBMITTING' and outcome_unknown_at is not null)))`;

/** FAILED because its outcome was unknown, with a POST after `$2`: its job may still be found. */
const isLate = `(failure ->> 'code' = 'OUTCOME_UNKNOWN' and post_started_at > $2)`;

/** Open lip-syncs, and those that FAILED because their outcome was unknown and whose POST started after `lateSince`. */
export async function findJobsOfAccount(
  sql: Sql,
  accountId: string,
  lateSince: Date,
): Promise<Lipsync[]> {
  const rest = (condition: string) => `where account_id = $1 and ${condition}`;
  const late = await selectLipsyncs(sql, rest(isLate), [accountId, lateSince]);
  return [...(await selectLipsyncs(sql, rest(isOpen), [accountId])), ...late];
}

/** Lip-syncs whose outcome is unknown since this time or longer. */
export async function findUnknown(sql: Sql, unknownBefore: Date): Promise<Lipsync[]> {
  const rest = "where finished_at is null and status = 'SUBMITTING' and outcome_unknown_at <= $1";
  return selectLipsyncs(sql, rest, [unknownBefore]);
}

/** Counts the successful reads of a search for the jobs of lip-syncs whose outcome is unknown. */
export async function countReads(
  sql: Sql,
  ids: readonly string[],
  read: { scheduler: boolean; list: boolean },
): Promise<void> {
  await sql.query(
    `update lipsyncs set scheduler_reads = least(scheduler_reads + $2::int, $4::int),
       list_reads = least(list_reads + $3::int, $4::int)
     where id = any($1::uuid[]) and finished_at is null and outcome_unknown_at is not null
       and upstream_video_id is null and (scheduler_reads < $4::int or list_reads < $4::int)`,
    [ids, Number(read.scheduler), Number(read.list), readsBeforeGivingUp],
  );
}

/** An open lip-sync, or one that FAILED because its outcome was unknown: its job may still be found. Else null. */
export async function findReconcilable(sql: Sql, id: string): Promise<Lipsync | null> {
  const rest = `where id = $1 and (${isOpen} or failure->>'code' = 'OUTCOME_UNKNOWN')`;
  const [found] = await selectLipsyncs(sql, rest, [id]);
  return found ?? null;
}

/** Open lip-syncs that were accepted by this time; if not accepted, those whose POST started by then. */
export async function findOverdue(sql: Sql, startedBefore: Date): Promise<Lipsync[]> {
  const rest = `where ${isOpen} and coalesce(submitted_at, post_started_at) <= $1`;
  return selectLipsyncs(sql, rest, [startedBefore]);
}

/** Accounts with lip-syncs of `findJobsOfAccount`. */
export async function findAccountsToPoll(sql: Sql, lateSince: Date): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select account_id as id from lipsyncs where ${isOpen} and account_id is not null
     union
     select account_id from lipsyncs where failure ->> 'code' = 'OUTCOME_UNKNOWN'
       and post_started_at > $1 and account_id is not null`,
    [lateSince],
  );
  return rows.map(({ id }) => id);
}

/**
 * When the account's youngest unfinished or late job began. Undefined if there is none. One that is being submitted counts
 * too: settling it relies on the poll that is already scheduled.
 */
export async function readYoungestStart(
  sql: Sql,
  accountId: string,
  lateSince: Date,
): Promise<Date | null | undefined> {
  const [row] = await sql.query<{ youngest: Date | null }>(
    `select max(started_at) as youngest from (
       select coalesce(submitted_at, post_started_at, claimed_at) as started_at from lipsyncs
       where account_id = $1 and finished_at is null and status <> 'QUEUED'
       union all
       select post_started_at from lipsyncs where account_id = $1 and ${isLate}
     ) jobs having count(*) > 0`,
    [accountId, lateSince],
  );
  return row?.youngest;
}

/** Frees the slot of a lip-sync without a known job. False if it held none. */
export async function freeSlotWithoutJob(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql.query(
    `update lipsyncs set holds_slot = false
     where id = $1 and holds_slot and upstream_video_id is null returning id`,
    [id],
  );
  return rows.length > 0;
}

/** Frees slots that are still held by lip-syncs finished by this time. False if there were none. */
export async function freeSlotsOfFinished(sql: Sql, finishedBefore: Date): Promise<boolean> {
  const rows = await sql.query(
    'update lipsyncs set holds_slot = false where holds_slot and finished_at <= $1 returning id',
    [finishedBefore],
  );
  return rows.length > 0;
}

/** How many slots of an account are ours, by whether the upstream's scheduler shows them as ours. */
export type OwnSlots = { accountId: string; listed: number; unlisted: number };

/** What names the jobs in the upstream's scheduler. */
export type ScheduledNames = {
  lipsyncIds: readonly string[];
  upstreamVideoIds: readonly string[];
  /** Of the ids that are a number alone. Such an id names no account. */
  numbers: readonly string[];
  /** Of the full ids: the id of the account, a space, and the number. */
  numbersOfAccounts: readonly string[];
};

/**
 * The scheduler can name a job by its full id or by its number alone, and so can the answer to the POST, which is stored.
 * `isSameVideo` of the videos has the same rule.
 */
export async function readOwnSlots(
  sql: Sql,
  scheduled: ScheduledNames,
  finishedAfter: Date,
): Promise<OwnSlots[]> {
  return sql.query<OwnSlots>(
    `select account_id as "accountId", (count(*) filter (where is_listed))::int as listed,
       (count(*) filter (where not is_listed and holds_slot and upstream_video_id is null))::int as unlisted
     from (
       select account_id, upstream_video_id, holds_slot,
         id::text = any($1::text[]) or coalesce(upstream_video_id = any($2::text[])
           or substring(upstream_video_id from '-video:(\\d+)$') = any($4::text[])
           or account_id || ' ' || upstream_video_id = any($5::text[]), false) as is_listed
       from (
         select * from lipsyncs where holds_slot
         union all
         select * from lipsyncs where not holds_slot and finished_at > $3
       ) lipsyncs where account_id is not null
     ) own group by account_id`,
    [
      scheduled.lipsyncIds,
      scheduled.upstreamVideoIds,
      finishedAfter,
      scheduled.numbers,
      scheduled.numbersOfAccounts,
    ],
  );
}

/** Which durations are comparable: media seconds are above `from` and at most `to`. */
export type DurationQuery = { isText: boolean; isOffPeak: boolean; from: number; to: number };

/**
 * Milliseconds of the latest fifty completed jobs of a kind, among the latest three hundred completed jobs. The caller
 * holds the queue's lock, so a rare kind must not make this search a month of history.
 */
export async function readDurations(sql: Sql, query: DurationQuery): Promise<number[]> {
  const rows = await sql.query<{ ms: number }>(
    `select (extract(epoch from finished_at - submitted_at) * 1000)::float8 as ms from (
       select text, media_seconds, submitted_at, finished_at from lipsyncs
       where status = 'COMPLETED' and off_peak = $2 order by finished_at desc limit 300) latest
     where submitted_at is not null and (text is not null) = $1
       and coalesce(media_seconds, length(text) / 14.0, 0) > $3
       and coalesce(media_seconds, length(text) / 14.0, 0) <= $4
     order by finished_at desc limit 50`,
    [query.isText, query.isOffPeak, query.from, query.to],
  );
  return rows.map(({ ms }) => ms);
}
