import type { Sql } from '../../database/connect.ts';
import type { StoredFailure } from '../../errors.ts';
import { type Lipsync, notifyChange, toJson } from './store.ts';

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

/** The refusal that answers a request which was already being checked when its twin was refused. */
export async function findRefusalSince(
  sql: Sql,
  twin: Pick<Lipsync, 'owner' | 'idempotencyKey' | 'fingerprint'>,
  since: Date,
): Promise<StoredFailure | null> {
  const [row] = await sql.query<{ failure: StoredFailure }>(
    `select failure from refusals
     where owner = $1 and idempotency_key = $2 and fingerprint = $3 and refused_at >= $4
     order by refused_at desc limit 1`,
    [twin.owner, twin.idempotencyKey, twin.fingerprint, since],
  );
  return row?.failure ?? null;
}
