import type { Sql } from '../../database/connect.ts';
import { mapRow } from '../../database/rows.ts';
import type { Delivery } from './store.ts';

/** 0: the receiver's last attempt succeeded. 1: nothing is known of it. 2: it failed lately. */
export type ReceiverRank = 0 | 1 | 2;

/** Receivers of an owner that each of the two walks of a search considers. An owner has one or two, as a rule. */
const maxReceivers = 8;

export type DueSearch = {
  at: Date;
  limit: number;
  maxFailingReceivers: number;
  /** Where the second walk through the receivers of an owner begins: 32 random hexadecimal digits. */
  startHash: string;
};

/**
 * The next due delivery of each owner, in the order in which they are sent: receivers that answer come first, then the owner
 * whose last attempt is longest ago. A new receiver of an owner with several failing ones counts as failing too, so that new
 * host names bring an owner no advantage. A receiver gets one attempt of an owner at a time, and several while it answers.
 *
 * The cost must not grow with the number of due deliveries: each step reads one entry of an index and jumps to the next owner
 * or receiver. The steps compare whole rows and contain no equality: the planner then expects many rows, and reads them in
 * the order of the index. With an equality it prefers to read and sort all rows of an owner. Of an owner with many receivers
 * the search considers the one that has waited longest (it can be paused), the first `maxReceivers`, and as many from a
 * random position on.
 */
export async function findDue(
  sql: Sql,
  { at, limit, maxFailingReceivers, startHash }: DueSearch,
): Promise<(Pick<Delivery, 'id' | 'owner'> & { rank: ReceiverRank })[]> {
  return sql.query(
    `with recursive owners as (
       (select owner, host, greatest(next_attempt_at, claimed_until) as due_at
         from webhook_deliveries delivery where state = 'PENDING'
         order by owner, greatest(next_attempt_at, claimed_until) limit 1)
       union all
       select next.owner, next.host, next.due_at
       from owners cross join lateral (
         select owner, host, greatest(next_attempt_at, claimed_until) as due_at
         from webhook_deliveries delivery
         where delivery.state = 'PENDING' and delivery.owner > owners.owner
         order by owner, greatest(next_attempt_at, claimed_until) limit 1) next
     ), due_owners as materialized (
       select owner, host, (select count(*) from (select 1 from webhook_receivers receiver
           where receiver.owner = owners.owner and receiver.failures > 0 limit $3::int + 1)) > $3::int as is_failing
       from owners where due_at <= $1
     ), receivers as materialized (
       select due_owners.owner, due_owners.is_failing, found.host
       from due_owners cross join lateral (
         select due_owners.host
         union
         (with recursive walk as (
            select next.owner, next.host, next.hash, 1 as position
            from (values ($4::text), ('')) start (hash) cross join lateral (
              select owner, host, md5(host) as hash from webhook_deliveries delivery
              where delivery.state = 'PENDING' and (owner, md5(host)) >= (due_owners.owner, start.hash)
              order by owner, md5(host) limit 1) next
            union all
            select next.owner, next.host, next.hash, walk.position + 1
            from walk cross join lateral (
              select owner, host, md5(host) as hash from webhook_deliveries delivery
              where delivery.state = 'PENDING' and (owner, md5(host)) > (due_owners.owner, walk.hash)
              order by owner, md5(host) limit 1) next
            where walk.position < $5 and walk.owner = due_owners.owner
          ) select host from walk where owner = due_owners.owner)
       ) found
     ), under_way as materialized (
       select owner, host, count(*) as attempts from (
         select owner, host, state from webhook_deliveries
         where claimed_until is not null and claimed_until > $1 order by claimed_until offset 0) claimed
       where state = 'PENDING' group by owner, host
     ), due as (
       select delivery.id, receivers.owner, delivery.due_at, coalesce(under_way.attempts, 0) as attempts,
         case
           when receiver.failures = 0 then 0
           when receiver.failures > 0 or receivers.is_failing then 2
           else 1
         end as rank
       from receivers
       cross join lateral (
         select id, owner, host, greatest(next_attempt_at, claimed_until) as due_at
         from webhook_deliveries delivery
         where delivery.state = 'PENDING' and (owner, md5(host), greatest(next_attempt_at, claimed_until))
           >= (receivers.owner, md5(receivers.host), '-infinity')
         order by owner, md5(host), greatest(next_attempt_at, claimed_until) limit 1
       ) delivery
       left join webhook_receivers receiver
         on receiver.owner = receivers.owner and receiver.host = receivers.host
       left join under_way
         on under_way.owner = receivers.owner and under_way.host = receivers.host
       where delivery.owner = receivers.owner and delivery.host = receivers.host and delivery.due_at <= $1
         and (receiver.paused_until is null or receiver.paused_until <= $1)
     ), firsts as (
       select distinct on (owner) id, owner, rank, due_at from due
       where rank = 0 or attempts = 0
       order by owner, rank, attempts, due_at, id
     )
     select id, owner, rank from firsts
     order by rank, (
       select max(last_attempt_at) from webhook_deliveries own where own.owner = firsts.owner
     ) nulls first, due_at, id
     limit $2`,
    [at, limit, maxFailingReceivers, startHash, maxReceivers],
  );
}

/** A delivery whose next attempt this process has claimed. */
export type ClaimedDelivery = Delivery & { claimedUntil: Date };

/** Claims attempts. Those that another process has claimed meanwhile are left out: the row lock decides. */
export async function claimDeliveries(
  sql: Sql,
  ids: readonly string[],
  claim: { at: Date; until: Date },
): Promise<ClaimedDelivery[]> {
  const rows = await sql.query(
    `update webhook_deliveries
     set claimed_until = $3, attempts = attempts + 1, last_attempt_at = $2::timestamptz,
       next_attempt_at = null
     where id = any($1::uuid[]) and state = 'PENDING'
       and greatest(next_attempt_at, claimed_until) <= $2::timestamptz
     returning *`,
    [ids, claim.at, claim.until],
  );
  return rows.map((row) => mapRow<ClaimedDelivery>(row));
}

/** Stores the outcome of a claimed attempt. @returns false if the claim was lost meanwhile; nothing is stored then */
export async function settleDelivery(
  tx: Sql,
  claimed: ClaimedDelivery,
  result: Pick<
    Delivery,
    'state' | 'retries' | 'lastStatus' | 'lastProblem' | 'nextAttemptAt' | 'deliveredAt'
  >,
): Promise<boolean> {
  const rows = await tx.query(
    `update webhook_deliveries
     set claimed_until = null, state = $4, retries = $5, last_status = $6, last_problem = $7,
       next_attempt_at = $8, delivered_at = $9
     where id = $1 and attempts = $2 and claimed_until = $3 returning id`,
    [
      claimed.id,
      claimed.attempts,
      claimed.claimedUntil,
      result.state,
      result.retries,
      result.lastStatus,
      result.lastProblem,
      result.nextAttemptAt,
      result.deliveredAt,
    ],
  );
  return rows.length > 0;
}

/** Releases a claim without an outcome: the attempt is made again at `nextAt`. */
export async function releaseDelivery(
  sql: Sql,
  claimed: ClaimedDelivery,
  nextAt: Date,
): Promise<void> {
  await sql.query(
    `update webhook_deliveries set claimed_until = null, next_attempt_at = $4
     where id = $1 and attempts = $2 and claimed_until = $3`,
    [claimed.id, claimed.attempts, claimed.claimedUntil, nextAt],
  );
}
