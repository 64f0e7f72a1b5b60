import type { Row, Sql } from '../../database/connect.ts';
import type { StoredFailure } from '../../errors.ts';
import type { WebhookProblem } from './post.ts';

const deliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One row of `webhook_deliveries`, with the columns named as our code speaks. */
export type Delivery = {
  id: string;
  owner: string;
  lipsyncId: string;
  eventSequence: number;
  eventType: string;
  url: string;
  state: DeliveryState;
  /** Started ones, over its whole life. */
  attempts: number;
  /** Since it was first sent or last asked for again. */
  retries: number;
  jobId: string;
  claimedUntil: Date | null;
  lastStatus: number | null;
  lastProblem: WebhookProblem | null;
  lastAttemptAt: Date | null;
  nextAttemptAt: Date | null;
  deliveredAt: Date | null;
  createdAt: Date;
};

/** What an event told, and what of its lip-sync is told with it. */
export type ToldEvent = {
  status: string;
  failure: StoredFailure | null;
  occurredAt: Date;
  reference: string | null;
  resultUrl: string | null;
  resultSeconds: number | null;
};

function fromRow<T>(row: Row): T {
  const entries = Object.entries(row).map(([column, value]) => [
    column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as T;
}

async function selectOne(sql: Sql, text: string, params: unknown[]): Promise<Delivery | null> {
  const [row] = await sql.query(text, params);
  return row === undefined ? null : fromRow<Delivery>(row);
}

/** @returns false where this event is being told already. */
export async function insertDelivery(
  tx: Sql,
  fresh: Pick<
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
      fresh.id,
      fresh.owner,
      fresh.lipsyncId,
      fresh.eventSequence,
      fresh.eventType,
      fresh.url,
      fresh.jobId,
      fresh.createdAt,
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
  return rows.map((row) => fromRow<Delivery>(row));
}

/** Of several lip-syncs, the oldest event first. */
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
  return rows.map((row) => fromRow<Delivery>(row));
}

/** Whether a job may still make an attempt, be it now or after the one that holds the claim. */
export async function isDue(sql: Sql, id: string, jobId: string): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from webhook_deliveries where id = $1 and job_id = $2 and state = 'PENDING'`,
    [id, jobId],
  );
  return rows.length > 0;
}

/** Only one of those who ask at the same time gets it: the row lock decides. */
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

/** What came of a claimed attempt. @returns false where the claim was lost meanwhile. */
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

/** Gives a claim back without a result. */
export async function releaseDelivery(sql: Sql, claimed: Delivery, nextAt: Date): Promise<void> {
  await sql.query(
    `update webhook_deliveries set claimed_until = null, next_attempt_at = $4
     where id = $1 and job_id = $2 and attempts = $3`,
    [claimed.id, claimed.jobId, claimed.attempts, nextAt],
  );
}

/** Starts its attempts anew under another job. Null where one is under way, and for what is not this owner's. */
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

/** Claims of a process that is no more: only for the embedded database, which has no other. */
export async function voidClaims(sql: Sql): Promise<void> {
  await sql.query(
    'update webhook_deliveries set claimed_until = null where claimed_until is not null',
  );
}

export async function readToldEvent(sql: Sql, delivery: Delivery): Promise<ToldEvent | null> {
  const [row] = await sql.query(
    `select status, failure, occurred_at, reference, result_url, result_seconds
     from lipsync_webhook_events where lipsync_id = $1 and sequence = $2`,
    [delivery.lipsyncId, delivery.eventSequence],
  );
  return row === undefined ? null : fromRow<ToldEvent>(row);
}
