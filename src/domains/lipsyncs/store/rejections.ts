import type { Sql } from '../../../database/connect.ts';
import { toJson } from '../../../database/rows.ts';
import type { StoredFailure } from '../../../errors.ts';
import { notifyChange } from './events.ts';
import { deleteLipsyncRow, type Lipsync } from './lipsyncs.ts';

/** A row of `refusals` has the reason why a create request was rejected, because the rejected lip-sync itself is deleted. */

/** What identifies a repeated request: the same caller, the same key and the same input. */
type RepeatedRequest = Pick<Lipsync, 'owner' | 'idempotencyKey' | 'fingerprint'>;

/** Deletes a lip-sync that was rejected at once, and stores the reason for concurrent requests with the same key. */
export async function deleteRejected(
  tx: Sql,
  lipsync: Lipsync,
  rejection: { failure: StoredFailure; at: Date },
): Promise<void> {
  await deleteLipsyncRow(tx, lipsync.id);
  await tx.query(
    `insert into refusals (lipsync_id, owner, idempotency_key, fingerprint, failure, refused_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      lipsync.id,
      lipsync.owner,
      lipsync.idempotencyKey,
      lipsync.fingerprint,
      toJson(rejection.failure),
      rejection.at,
    ],
  );
  await notifyChange(tx, lipsync.id);
}

export async function findRejection(sql: Sql, id: string): Promise<StoredFailure | null> {
  const [row] = await sql.query<{ failure: StoredFailure }>(
    'select failure from refusals where lipsync_id = $1',
    [id],
  );
  return row?.failure ?? null;
}

/**
 * The number of the last rejection of each key; 0 if there is none. A rejection with a higher number came later, also where the
 * clocks of two instances differ.
 */
export async function readLastRejections(
  sql: Sql,
  requests: readonly Pick<RepeatedRequest, 'owner' | 'idempotencyKey'>[],
): Promise<number[]> {
  const rows = await sql.query<{ number: number }>(
    `select coalesce((select max(number) from refusals
         where owner = wanted.by and idempotency_key = wanted.key), 0) as number
     from unnest($1::text[], $2::text[]) with ordinality as wanted (by, key, place)
     order by place`,
    [requests.map(({ owner }) => owner), requests.map(({ idempotencyKey }) => idempotencyKey)],
  );
  return rows.map(({ number }) => number);
}

/** For each request its last rejection after the number `lastRejection`: it also answers a request that was being checked then. */
export async function findRejectionsSince(
  sql: Sql,
  requests: readonly (RepeatedRequest & { lastRejection: number })[],
): Promise<(StoredFailure | null)[]> {
  const rows = await sql.query<{ failure: StoredFailure | null }>(
    `select (select failure from refusals
         where owner = wanted.by and idempotency_key = wanted.key
           and fingerprint = wanted.input and number > wanted.since
         order by number desc limit 1) as failure
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) with ordinality
       as wanted (by, key, input, since, place)
     order by place`,
    [
      requests.map(({ owner }) => owner),
      requests.map(({ idempotencyKey }) => idempotencyKey),
      requests.map(({ fingerprint }) => fingerprint),
      requests.map(({ lastRejection }) => lastRejection),
    ],
  );
  return rows.map(({ failure }) => failure);
}

/** At most `limit`, the oldest first. @returns how many */
export async function deleteRejectionsBefore(
  sql: Sql,
  { moment, limit }: { moment: Date; limit: number },
): Promise<number> {
  const deleted = await sql.query(
    `delete from refusals where lipsync_id = any(array(
       select lipsync_id from refusals where refused_at < $1 order by refused_at limit $2))
     returning lipsync_id`,
    [moment, limit],
  );
  return deleted.length;
}
