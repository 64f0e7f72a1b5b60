import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

/** The key of an advisory lock: arbitrary, but not used by any other lock of this database. */
export const queueLock = 7_254_110;

/**
 * Every decision about slots is made under this one lock. It keeps limits exact for any number of concurrent requests
 * and instances, and makes the order of the queue the order of the commits. Such a transaction takes milliseconds.
 */
export async function lockQueue(tx: Sql): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [queueLock]);
}

/** The number of a claim. Fairness depends on these numbers, not on time, because the clocks of two instances differ. */
export async function nextTurn(tx: Sql): Promise<number> {
  const [row] = await tx.query<{ turn: number }>("select nextval('turns') as turn");
  if (row === undefined) throw new Error('The sequence returned no number.');
  return row.turn;
}

/** What decides where a lip-sync can be sent. */
export type JobNeeds = Pick<Lipsync, 'offPeak' | 'maxJobs' | 'accountId' | 'estimatedCredits'>;

const heldSlots = `select account_id as "accountId", count(*)::int as count from lipsyncs
  where holds_slot and account_id is not null group by account_id`;

export type HeldSlots = { accountId: string; count: number }[];

/** How many slots of each account are held. Accounts without one are left out. */
export async function readHeldSlots(sql: Sql): Promise<HeldSlots> {
  return sql.query(heldSlots, [], { isPrepared: true });
}

/** Those of the given accounts to which a POST is being sent. */
export async function findSubmittingAccounts(
  sql: Sql,
  accountIds: readonly string[],
): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select distinct account_id as id from lipsyncs
     where account_id = any($1::text[]) and finished_at is null and status = 'SUBMITTING'
       and outcome_unknown_at is null`,
    [accountIds],
  );
  return rows.map(({ id }) => id);
}

export async function hasWaiting(sql: Sql): Promise<boolean> {
  const rows = await sql.query(
    "select 1 from lipsyncs where status = 'QUEUED' and not is_awaiting_file limit 1",
  );
  return rows.length > 0;
}

/** The accounts that can take a job. `isAny`: one of them can also take a lip-sync that is bound to no account. */
export type Target = { accountIds: readonly string[]; isAny: boolean };

/**
 * Whether a lip-sync waits that may be sent to one of these accounts: an off-peak one, or any other. It can still allow
 * fewer jobs than the account runs.
 */
export async function hasWaitingFor(
  sql: Sql,
  { withSlot, forOffPeak }: { withSlot: Target; forOffPeak: Target },
): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from lipsyncs where status = 'QUEUED' and not is_awaiting_file and (
       (not off_peak and account_id = any($1::text[])) or (not off_peak and account_id is null and $2)
       or (off_peak and account_id = any($3::text[])) or (off_peak and account_id is null and $4)
     ) limit 1`,
    [withSlot.accountIds, withSlot.isAny, forOffPeak.accountIds, forOffPeak.isAny],
    { isPrepared: true },
  );
  return rows.length > 0;
}

/**
 * `count`: the waiting lip-syncs of an owner. `neverSent`: those of them that could be sent and never were; a new lip-sync
 * is queued behind these.
 */
export type OwnWaiting = { count: number; neverSent: number };

export type Waiting = { ofAll: number; ofOwners: Map<string, OwnWaiting> };

/**
 * The slots that are held, and the numbers of waiting lip-syncs: of all owners together, and of each of `owners` that has
 * one. Triggers maintain the numbers.
 */
export async function readLoad(
  tx: Sql,
  owners: readonly string[],
): Promise<{ held: HeldSlots; waiting: Waiting }> {
  type LoadRow = { held: HeldSlots; ofAll: number; own: (OwnWaiting & { owner: string })[] };
  const [row] = await tx.query<LoadRow>(
    `select (select coalesce(jsonb_agg(held), '[]') from (${heldSlots}) held) as held,
       coalesce(sum(waiting), 0)::int as "ofAll", coalesce(jsonb_agg(
         jsonb_build_object('owner', owner, 'count', waiting, 'neverSent', never_sent)
       ) filter (where owner = any($1::text[])), '[]') as own
     from waiting_counts`,
    [owners],
    { isPrepared: true },
  );
  const ofOwners = new Map(row?.own.map(({ owner, ...waiting }) => [owner, waiting]));
  return { held: row?.held ?? [], waiting: { ofAll: row?.ofAll ?? 0, ofOwners } };
}

/**
 * The first waiting lip-sync of each owner and kind of needs, in the order of fairness: first the owner with the fewest
 * running jobs, then the owner served longest ago. A thousand jobs of one owner thus delay another owner's first job by
 * one job per slot. Off-peak jobs have turns of their own, and erasing a finished lip-sync does not give its turn back.
 */
export async function readNextOfEachOwner(
  tx: Sql,
  now: Date,
): Promise<(JobNeeds & Pick<Lipsync, 'id'>)[]> {
  return tx.query(
    `with firsts as (
       select distinct on (owner, account_id, off_peak, max_jobs, estimated_credits)
         id, owner, account_id, off_peak, max_jobs, estimated_credits, queue_order
       from lipsyncs
       where status = 'QUEUED' and not is_awaiting_file and (not_before is null or not_before <= $1)
         and (expires_at is null or expires_at > $1)
       order by owner, account_id, off_peak, max_jobs, estimated_credits, queue_order
     ), running as (
       select owner, count(*) as under_way from lipsyncs where holds_slot group by owner
     ), served as (
       select owner, off_peak, greatest(
         (select max(turn) from lipsyncs own
          where own.owner = waiting.owner and own.off_peak = waiting.off_peak),
         (select max(turn) from erasures own
          where own.owner = waiting.owner and own.off_peak = waiting.off_peak)) as last_turn
       from (select distinct owner, off_peak from firsts) waiting
     )
     select id, account_id as "accountId", off_peak as "offPeak", max_jobs as "maxJobs",
       estimated_credits as "estimatedCredits"
     from firsts join served using (owner, off_peak) left join running using (owner)
     order by coalesce(under_way, 0), last_turn nulls first, queue_order`,
    [now],
  );
}

/** Ids of waiting lip-syncs whose `expiresAt` has passed. */
export async function findExpired(sql: Sql, now: Date): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    "select id from lipsyncs where status = 'QUEUED' and expires_at <= $1",
    [now],
  );
  return rows.map(({ id }) => id);
}
