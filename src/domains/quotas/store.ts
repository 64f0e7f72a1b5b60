import type { Sql } from '../../database/connect.ts';

export type Charge = { owner: string; cost: number; perMinute: number; at: Date };

/** What is still spent at $2 of what was spent before, where $3 leaks away in a minute. An earlier moment leaks nothing. */
const stillSpent = `greatest(0, query_costs.spent - $3::float8 / 60
  * greatest(0, extract(epoch from $2::timestamptz - query_costs.counted_at)::float8))`;

/** Adds the cost where it fits, which `cost` by itself must. @returns what is spent then, or null where it doesn't fit */
export async function addCost(
  sql: Sql,
  { owner, cost, perMinute, at }: Charge,
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
  { owner, perMinute, at }: Omit<Charge, 'cost'>,
): Promise<number> {
  const [row] = await sql.query<{ spent: number }>(
    `select ${stillSpent} as spent from query_costs where owner = $1`,
    [owner, at, perMinute],
  );
  return row?.spent ?? 0;
}

export async function takeCostBack(sql: Sql, owner: string, cost: number): Promise<void> {
  await sql.query(
    'update query_costs set spent = greatest(0, spent - $2::float8) where owner = $1',
    [owner, cost],
  );
}

export async function eraseCostsBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from query_costs where counted_at < $1', [moment]);
}

export type Lease = { id: string; owner: string; until: Date };

/** Any number, as long as nothing else of this program takes an advisory lock with two keys under it. */
const streamsLock = 7_204;

/** Until the transaction ends, no other stream of the owner is counted or added. */
export async function lockStreams(tx: Sql, owner: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::int, hashtext($2))', [streamsLock, owner]);
}

export async function countStreams(sql: Sql, owner: string, at: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    'select count(*)::int as count from open_streams where owner = $1 and lease_until >= $2',
    [owner, at],
  );
  return row?.count ?? 0;
}

/** Also brings back a lease that was taken for dead while the database was away. */
export async function holdStreams(sql: Sql, leases: readonly Lease[]): Promise<void> {
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

export async function removeStream(sql: Sql, id: string): Promise<void> {
  await sql.query('delete from open_streams where id = $1', [id]);
}

export async function eraseStreams(sql: Sql): Promise<void> {
  await sql.query('delete from open_streams');
}

export async function eraseStreamsBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from open_streams where lease_until < $1', [moment]);
}
