import type { Sql } from '../../../database/connect.ts';
import type { StoredFailure } from '../../../errors.ts';
import { type Lipsync, notifyChange, toJson } from './lipsyncs.ts';

/** Who asked for the same. */
type Twin = Pick<Lipsync, 'owner' | 'idempotencyKey' | 'fingerprint'>;

/** Removes a lip-sync that the upstream refused at once, and keeps the reason for those who wait for it. */
export async function deleteRefused(
  tx: Sql,
  lipsync: Lipsync,
  refusal: { failure: StoredFailure; at: Date },
): Promise<void> {
  await tx.query('delete from lipsyncs where id = $1', [lipsync.id]);
  await tx.query(
    `insert into refusals (lipsync_id, owner, idempotency_key, fingerprint, failure, refused_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      lipsync.id,
      lipsync.owner,
      lipsync.idempotencyKey,
      lipsync.fingerprint,
      toJson(refusal.failure),
      refusal.at,
    ],
  );
  await notifyChange(tx, lipsync.id);
}

export async function findRefusal(sql: Sql, id: string): Promise<StoredFailure | null> {
  const [row] = await sql.query<{ failure: StoredFailure }>(
    'select failure from refusals where lipsync_id = $1',
    [id],
  );
  return row?.failure ?? null;
}

/** The number of the last refusal of a key. One with a higher number came later, whatever the clocks say. */
export async function findLastRefusal(
  sql: Sql,
  { owner, idempotencyKey }: Pick<Twin, 'owner' | 'idempotencyKey'>,
): Promise<number> {
  if (idempotencyKey === null) return 0;
  const [row] = await sql.query<{ number: number }>(
    `select number from refusals where owner = $1 and idempotency_key = $2
     order by number desc limit 1`,
    [owner, idempotencyKey],
  );
  return row?.number ?? 0;
}

/** The refusal that answers a request which was already being checked when its twin was refused. */
export async function findRefusalSince(
  sql: Sql,
  twin: Twin,
  since: number,
): Promise<StoredFailure | null> {
  const [row] = await sql.query<{ failure: StoredFailure }>(
    `select failure from refusals
     where owner = $1 and idempotency_key = $2 and fingerprint = $3 and number > $4
     order by number desc limit 1`,
    [twin.owner, twin.idempotencyKey, twin.fingerprint, since],
  );
  return row?.failure ?? null;
}
