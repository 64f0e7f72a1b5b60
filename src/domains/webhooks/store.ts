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
  state: DeliveryState;
  /** Attempts that were started, over all redeliveries. */
  attempts: number;
  /** Retries since the delivery was created or last redelivered. The next delay depends on it. */
  retries: number;
  /** The background job that makes the next attempt. A job with another id is obsolete. */
  jobId: string;
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
    'id' | 'owner' | 'lipsyncId' | 'eventSequence' | 'eventType' | 'url' | 'jobId' | 'createdAt'
  >,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into webhook_deliveries
       (id, owner, lipsync_id, event_sequence, event_type, url, job_id, created_at,
        next_attempt_at, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz, $8::timestamptz, 'PENDING')
     on conflict (lipsync_id, event_sequence) do nothing returning id`,
    [
      delivery.id,
      delivery.owner,
      delivery.lipsyncId,
      delivery.eventSequence,
      delivery.eventType,
      delivery.url,
      delivery.jobId,
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
  const rows = await sql.query(
    'select * from webhook_deliveries where owner = $1 and id = any($2::uuid[])',
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
    `select * from webhook_deliveries where owner = $1 and lipsync_id = any($2::uuid[])
     order by lipsync_id, event_sequence`,
    [owner, lipsyncIds],
  );
  return rows.map((row) => mapRow<Delivery>(row));
}

/** Whether the job still has an attempt to make: now, or once the current claim expires. */
export async function isDue(sql: Sql, id: string, jobId: string): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from webhook_deliveries where id = $1 and job_id = $2 and state = 'PENDING'`,
    [id, jobId],
  );
  return rows.length > 0;
}

/** Claims the attempt of a job. Null if there is none to make, or if another process holds the claim: the row lock decides. */
export async function claimDelivery(
  sql: Sql,
  job: { id: string; jobId: string },
  claim: { at: Date; until: Date },
): Promise<Delivery | null> {
  return selectOne(
    sql,
    `update webhook_deliveries
     set claimed_until = $4, attempts = attempts + 1, last_attempt_at = $3::timestamptz,
       next_attempt_at = null
     where id = $1 and job_id = $2 and state = 'PENDING'
       and (claimed_until is null or claimed_until <= $3::timestamptz)
     returning *`,
    [job.id, job.jobId, claim.at, claim.until],
  );
}

/** Stores the outcome of a claimed attempt. @returns false if the claim was lost meanwhile; nothing is stored then */
export async function settleDelivery(
  tx: Sql,
  claimed: Delivery,
  result: Pick<
    Delivery,
    'state' | 'retries' | 'jobId' | 'lastStatus' | 'lastProblem' | 'nextAttemptAt' | 'deliveredAt'
  >,
): Promise<boolean> {
  const rows = await tx.query(
    `update webhook_deliveries
     set claimed_until = null, state = $4, retries = $5, job_id = $6, last_status = $7,
       last_problem = $8, next_attempt_at = $9, delivered_at = $10
     where id = $1 and job_id = $2 and attempts = $3 returning id`,
    [
      claimed.id,
      claimed.jobId,
      claimed.attempts,
      result.state,
      result.retries,
      result.jobId,
      result.lastStatus,
      result.lastProblem,
      result.nextAttemptAt,
      result.deliveredAt,
    ],
  );
  return rows.length > 0;
}

/** Releases a claim without an outcome: the attempt is made again at `nextAt`. */
export async function releaseDelivery(sql: Sql, claimed: Delivery, nextAt: Date): Promise<void> {
  await sql.query(
    `update webhook_deliveries set claimed_until = null, next_attempt_at = $4
     where id = $1 and job_id = $2 and attempts = $3`,
    [claimed.id, claimed.jobId, claimed.attempts, nextAt],
  );
}

/** Resets the retries under a new job. Null if an attempt is in progress, or if the owner has no such delivery. */
export async function restartDelivery(
  tx: Sql,
  delivery: { id: string; owner: string },
  start: { jobId: string; at: Date },
): Promise<Delivery | null> {
  return selectOne(
    tx,
    `update webhook_deliveries
     set state = 'PENDING', retries = 0, job_id = $3, claimed_until = null,
       next_attempt_at = $4::timestamptz
     where id = $1 and owner = $2
       and (state <> 'PENDING' or claimed_until is null or claimed_until <= $4::timestamptz)
     returning *`,
    [delivery.id, delivery.owner, start.jobId, start.at],
  );
}

/** Releases the claims of a process that died. Only for the embedded database, which has no second process. */
export async function releaseAllClaims(sql: Sql): Promise<void> {
  await sql.query(
    'update webhook_deliveries set claimed_until = null where claimed_until is not null',
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
