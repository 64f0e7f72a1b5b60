import type { Sql } from '../../database/connect.ts';
import { mapRow } from '../../database/rows.ts';
import type { StoredFailure } from '../../errors.ts';
import type { Origin } from '../../tracing/tracer.ts';
import type { WebhookEventType } from './event-types.ts';
import type { WebhookProblem } from './sender.ts';

const deliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One row of `webhook_deliveries`. */
export type Delivery = {
  id: string;
  owner: string;
  lipsyncId: string;
  eventSequence: number;
  eventType: WebhookEventType;
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

/** An event of a lip-sync, with the columns of the lip-sync that its webhook and its log lines contain. */
export type LipsyncEvent = {
  status: string;
  failure: StoredFailure | null;
  occurredAt: Date;
  reference: string | null;
  resultUrl: string | null;
  resultSeconds: number | null;
} & Origin;

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

/** A lip-sync by its id and its owner. */
export type LipsyncKey = { id: string; owner: string };

/** The deliveries of several lip-syncs. Those of one lip-sync are in the order of their events. */
export async function listDeliveries(
  sql: Sql,
  lipsyncs: readonly LipsyncKey[],
): Promise<Delivery[]> {
  const rows = await sql.query(
    `select webhook_deliveries.* from webhook_deliveries
     join unnest($1::text[], $2::uuid[]) as wanted (by, key) on lipsync_id = wanted.key and owner || '' = wanted.by
     order by lipsync_id, event_sequence`,
    [lipsyncs.map(({ owner }) => owner), lipsyncs.map(({ id }) => id)],
  );
  return rows.map((row) => mapRow<Delivery>(row));
}

/** Notified when an attempt is due at once. The payload is empty. */
export const webhookChannel = 'webhooks_due';

export async function notifyDue(tx: Sql): Promise<void> {
  await tx.query("select pg_notify($1, '')", [webhookChannel]);
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
    `select status, failure, occurred_at, reference, result_url, result_seconds, request_id, traceparent
     from lipsync_webhook_events where lipsync_id = $1 and sequence = $2`,
    [delivery.lipsyncId, delivery.eventSequence],
  );
  return row === undefined ? null : mapRow<LipsyncEvent>(row);
}

/** At most `limit`. @returns how many */
export async function deleteDeliveriesOf(tx: Sql, owner: string, limit: number): Promise<number> {
  const rows = await tx.query(
    `delete from webhook_deliveries where id = any(array(
       select id from webhook_deliveries where owner = $1 order by last_attempt_at limit $2))
     returning id`,
    [owner, limit],
  );
  return rows.length;
}
