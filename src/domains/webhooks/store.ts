import type { Sql } from '../../database/connect.ts';
import { mapRow } from '../../database/rows.ts';
import type { StoredFailure } from '../../errors.ts';
import type { WebhookProblem } from './sender.ts';

const deliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One row of `webhook_deliveries`. */
export type Delivery = {
  id: string;
  owner: string;
  lipsyncId: string;
  eventSequence: number;
  eventType: string;
  url: string;
  /** The name and port of the receiver, from the URL. */
  host: string;
  state: DeliveryState;
  /** Attempts that were started, over all redeliveries. */
  attempts: number;
  /** Retries since the delivery was created or last redelivered. The next delay depends on it. */
  retries: number;
  claimedUntil: Date | null;
  lastStatus: number | null;
  lastProblem: WebhookProblem | null;
  lastAttemptAt: Date | null;
  nextAttemptAt: Date | null;
  deliveredAt: Date | null;
  createdAt: Date;
};

/** An event of a lip-sync, with the columns of the lip-sync that its webhook contains. */
export type LipsyncEvent = {
  status: string;
  failure: StoredFailure | null;
  occurredAt: Date;
  reference: string | null;
  resultUrl: string | null;
  resultSeconds: number | null;
};

async function selectOne(sql: Sql, text: string, params: unknown[]): Promise<Delivery | null> {
  const [row] = await sql.query(text, params);
  return row === undefined ? null : mapRow<Delivery>(row);
}

/** @returns false if this event has a delivery already */
export async function insertDelivery(
  tx: Sql,
  delivery: Pick<
    Delivery,
    'id' | 'owner' | 'lipsyncId' | 'eventSequence' | 'eventType' | 'url' | 'createdAt'
  >,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into webhook_deliveries
       (id, owner, lipsync_id, event_sequence, event_type, url, created_at, next_attempt_at, state)
     values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $7::timestamptz, 'PENDING')
     on conflict (lipsync_id, event_sequence) do nothing returning id`,
    [
      delivery.id,
      delivery.owner,
      delivery.lipsyncId,
      delivery.eventSequence,
      delivery.eventType,
      delivery.url,
      delivery.createdAt,
    ],
  );
  return rows.length > 0;
}

export async function findDeliveries(
  sql: Sql,
  owner: string,
  ids: readonly string[],
): Promise<Delivery[]> {
  // `|| ''` keeps the planner from reading all rows of the owner, here and below.
  const rows = await sql.query(
    "select * from webhook_deliveries where id = any($2::uuid[]) and owner || '' = $1",
    [owner, ids],
  );
  return rows.map((row) => mapRow<Delivery>(row));
}

/** The deliveries of several lip-syncs. Those of one lip-sync are in the order of their events. */
export async function listDeliveries(
  sql: Sql,
  owner: string,
  lipsyncIds: readonly string[],
): Promise<Delivery[]> {
  const rows = await sql.query(
    `select * from webhook_deliveries where lipsync_id = any($2::uuid[]) and owner || '' = $1
     order by lipsync_id, event_sequence`,
    [owner, lipsyncIds],
  );
  return rows.map((row) => mapRow<Delivery>(row));
}

/** Notified when an attempt is due at once. The payload is empty. */
export const webhookChannel = 'webhooks_due';

export async function notifyDue(tx: Sql): Promise<void> {
  await tx.query("select pg_notify($1, '')", [webhookChannel]);
}

/** 0: the receiver's last attempt succeeded. 1: nothing is known of it. 2: it failed lately. */
export type ReceiverRank = 0 | 1 | 2;

/**
 * The next due delivery of each owner, in the order in which they are sent: receivers that answer come first, then the owner
 * whose last attempt is longest ago. A new receiver of an owner with several failing ones counts as failing too, so that new
 * host names bring an owner no advantage. A receiver gets one attempt of an owner at a time.
 */
export async function findDue(
  sql: Sql,
  { at, limit, maxFailingReceivers }: { at: Date; limit: number; maxFailingReceivers: number },
): Promise<(Pick<Delivery, 'id' | 'owner'> & { rank: ReceiverRank })[]> {
  return sql.query(
    `with under_way as (
       select owner, host from webhook_deliveries
       where state = 'PENDING' and claimed_until is not null and claimed_until > $1
     ), failing_owners as (
       select owner from webhook_receivers where failures > 0
       group by owner having count(*) > $3
     ), due as (
       select delivery.id, delivery.owner,
         greatest(delivery.next_attempt_at, delivery.claimed_until) as due_at,
         case
           when receiver.failures = 0 then 0
           when receiver.failures > 0 then 2
           when failing.owner is not null then 2
           else 1
         end as rank
       from webhook_deliveries delivery
       left join webhook_receivers receiver
         on receiver.owner = delivery.owner and receiver.host = delivery.host
       left join failing_owners failing on failing.owner = delivery.owner
       where delivery.state = 'PENDING'
         and greatest(delivery.next_attempt_at, delivery.claimed_until) <= $1
         and (receiver.paused_until is null or receiver.paused_until <= $1)
         and not exists (select 1 from under_way
           where under_way.owner = delivery.owner and under_way.host = delivery.host)
     ), firsts as (
       select distinct on (owner) id, owner, rank, due_at from due order by owner, rank, due_at, id
     )
     select id, owner, rank from firsts
     order by rank, (
       select max(last_attempt_at) from webhook_deliveries own where own.owner = firsts.owner
     ) nulls first, due_at, id
     limit $2`,
    [at, limit, maxFailingReceivers],
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

type Receiver = Pick<Delivery, 'owner' | 'host'>;

export async function recordSuccess(tx: Sql, receiver: Receiver, at: Date): Promise<void> {
  await tx.query(
    `insert into webhook_receivers (owner, host, failures, updated_at) values ($1, $2, 0, $3)
     on conflict (owner, host) do update
     set failures = 0, failed_delivery_id = null, paused_until = null, updated_at = $3`,
    [receiver.owner, receiver.host, at],
  );
}

/**
 * Counts a failed delivery. From `failuresBeforePause` deliveries in a row the receiver is paused: for one second, and for
 * twice as long after each further one, up to `maxPauseSeconds`.
 */
export async function recordFailure(
  tx: Sql,
  delivery: Receiver & Pick<Delivery, 'id'>,
  rule: { at: Date; failuresBeforePause: number; maxPauseSeconds: number },
): Promise<void> {
  await tx.query(
    `insert into webhook_receivers as receiver (owner, host, failures, failed_delivery_id, updated_at)
     values ($1, $2, 1, $3, $4::timestamptz)
     on conflict (owner, host) do update
     set failures = receiver.failures + 1, failed_delivery_id = $3, updated_at = $4::timestamptz,
       paused_until = case when receiver.failures + 1 >= $5::int then $4::timestamptz
         + make_interval(secs => least($6::int, power(2, least(receiver.failures + 1 - $5::int, 30)))) end
     where receiver.failed_delivery_id is distinct from $3`,
    [
      delivery.owner,
      delivery.host,
      delivery.id,
      rule.at,
      rule.failuresBeforePause,
      rule.maxPauseSeconds,
    ],
  );
}

export async function endPause(tx: Sql, receiver: Receiver): Promise<void> {
  await tx.query(
    'update webhook_receivers set paused_until = null where owner = $1 and host = $2',
    [receiver.owner, receiver.host],
  );
}

export async function deleteReceiversBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from webhook_receivers where updated_at < $1', [moment]);
}

/** Resets the retries, and makes an attempt due now. Null if an attempt is in progress, or if the owner has no such delivery. */
export async function restartDelivery(
  tx: Sql,
  delivery: { id: string; owner: string },
  at: Date,
): Promise<Delivery | null> {
  return selectOne(
    tx,
    `update webhook_deliveries
     set state = 'PENDING', retries = 0, claimed_until = null, next_attempt_at = $3::timestamptz
     where id = $1 and owner = $2
       and (state <> 'PENDING' or claimed_until is null or claimed_until <= $3::timestamptz)
     returning *`,
    [delivery.id, delivery.owner, at],
  );
}

/** Releases the claims of a process that died. Only for the embedded database, which has no second process. */
export async function releaseAllClaims(sql: Sql, at: Date): Promise<void> {
  await sql.query(
    `update webhook_deliveries set claimed_until = null, next_attempt_at = coalesce(next_attempt_at, $1)
     where claimed_until is not null`,
    [at],
  );
}

export async function readLipsyncEvent(sql: Sql, delivery: Delivery): Promise<LipsyncEvent | null> {
  const [row] = await sql.query(
    `select status, failure, occurred_at, reference, result_url, result_seconds
     from lipsync_webhook_events where lipsync_id = $1 and sequence = $2`,
    [delivery.lipsyncId, delivery.eventSequence],
  );
  return row === undefined ? null : mapRow<LipsyncEvent>(row);
}
