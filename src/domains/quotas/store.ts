import type { Sql } from '../../database/connect.ts';

export type CostCharge = { owner: string; cost: number; perMinute: number; at: Date };

/** A leaky bucket: what is left at $2 of the stored cost when $3 drains per minute. Nothing drains if $2 is in the past. */
const stillSpent = `greatest(0, query_costs.spent - $3::float8 / 60
  * greatest(0, extract(epoch from $2::timestamptz - query_costs.counted_at)::float8))`;

/**
 * Adds the cost if the sum stays within the limit. The caller must check that `cost` alone does: an owner's first row is
 * inserted without a check.
 *
 * @returns the spent cost after it, or null if the limit would be exceeded
 */
export async function addCost(
  sql: Sql,
  { owner, cost, perMinute, at }: CostCharge,
): Promise<number | null> {
  const [row] = await sql.query<{ spent: number }>(
    `insert into query_costs (owner, spent, counted_at) values ($1, $4::float8, $2)
     on conflict (owner) do update set
       spent = ${stillSpent} + $4::float8,
       counted_at = greatest(query_costs.counted_at, $2::timestamptz)
     where ${stillSpent} + $4::float8 <= $3::float8
     returning spent`,
    [owner, at, perMinute, cost],
  );
  return row?.spent ?? null;
}

export async function readCost(
  sql: Sql,
  { owner, perMinute, at }: Omit<CostCharge, 'cost'>,
): Promise<number> {
  const [row] = await sql.query<{ spent: number }>(
    `select ${stillSpent} as spent from query_costs where owner = $1`,
    [owner, at, perMinute],
  );
  return row?.spent ?? 0;
}

export async function refundCost(sql: Sql, owner: string, cost: number): Promise<void> {
  await sql.query(
    'update query_costs set spent = greatest(0, spent - $2::float8) where owner = $1',
    [owner, cost],
  );
}

export async function deleteCostsBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from query_costs where counted_at < $1', [moment]);
}

export type StreamLease = { id: string; owner: string; until: Date };

/** First key of the advisory lock. Any number that no other two-key advisory lock of this program uses. */
const streamsLock = 7_204;

/** Until the transaction ends, no other transaction counts or adds streams of this owner. */
export async function lockStreamsOf(tx: Sql, owner: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::int, hashtext($2))', [streamsLock, owner]);
}

export async function countStreams(sql: Sql, owner: string, at: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    'select count(*)::int as count from open_streams where owner = $1 and lease_until >= $2',
    [owner, at],
  );
  return row?.count ?? 0;
}

/** Creates or renews leases. Also restores one that expired and was deleted while the database was unavailable. */
export async function upsertStreamLeases(sql: Sql, leases: readonly StreamLease[]): Promise<void> {
  await sql.query(
    `insert into open_streams (id, owner, lease_until)
     select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
     on conflict (id) do update set lease_until = excluded.lease_until`,
    [
      leases.map(({ id }) => id),
      leases.map(({ owner }) => owner),
      leases.map(({ until }) => until),
    ],
  );
}

export async function deleteStreamLease(sql: Sql, id: string): Promise<void> {
  await sql.query('delete from open_streams where id = $1', [id]);
}

export async function deleteAllStreamLeases(sql: Sql): Promise<void> {
  await sql.query('delete from open_streams');
}

export async function deleteStreamLeasesBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from open_streams where lease_until < $1', [moment]);
}

/** What is counted for an owner. Streams that are open are counted again when their lease is renewed. */
export async function deleteRowsOf(tx: Sql, owner: string): Promise<number> {
  await tx.query('delete from open_streams where owner = $1', [owner]);
  const rows = await tx.query('delete from query_costs where owner = $1 returning owner', [owner]);
  return rows.length;
}
