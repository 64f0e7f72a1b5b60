import type { Sql } from '../../../database/connect.ts';
import { QuotaExceededError } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import type { Lipsync } from './lipsyncs.ts';

const dayMs = 86_400_000;

/**
 * The limit that is used up already, if any: a look before anything is asked of the upstream. Whether a request still
 * fits is decided by `admit`.
 */
export async function findExceeded(
  engine: Engine,
  sql: Sql,
  owner: string,
): Promise<QuotaExceededError | null> {
  const { perDay, inFlight } = engine.limits;
  if (perDay === null && inFlight === null) return null;
  const use = await readUse(sql, owner, engine.now());
  if (inFlight !== null && use.inFlight >= inFlight) {
    return new QuotaExceededError(`${inFlight} lip-syncs at a time`, 30);
  }
  if (perDay !== null && use.today >= perDay) {
    return new QuotaExceededError(`${perDay} lip-syncs a day`, use.secondsUntilNext);
  }
  return null;
}

/** What an owner has under way, and what it has asked for in the last 24 hours, erased since or not. */
export async function readUse(
  sql: Sql,
  owner: string,
  now: Date,
): Promise<{ inFlight: number; today: number; secondsUntilNext: number }> {
  const dayAgo = new Date(now.getTime() - dayMs);
  const [row] = await sql.query<{ inFlight: number; today: number; oldest: Date | null }>(
    `select count(*) filter (where not is_over)::int as "inFlight",
       count(*) filter (where created_at > $2)::int as today,
       min(created_at) filter (where created_at > $2) as oldest
     from (
       select created_at, finished_at is not null as is_over from lipsyncs
       where owner = $1 and created_at > $2
       union all
       select created_at, false from lipsyncs
       where owner = $1 and created_at <= $2 and finished_at is null
       union all
       select created_at, true from erasures where owner = $1
     ) own`,
    [owner, dayAgo],
  );
  const oldest = row?.oldest ?? now;
  return {
    inFlight: row?.inFlight ?? 0,
    today: row?.today ?? 0,
    secondsUntilNext: Math.max(1, Math.ceil((oldest.getTime() - dayAgo.getTime()) / 1000)),
  };
}

/** A lip-sync that is erased counts for its day and for its turn as before: else whoever erases could ask without end. */
export async function rememberErased(
  tx: Sql,
  { owner, createdAt, turn, offPeak }: Lipsync,
): Promise<void> {
  await tx.query(
    'insert into erasures (owner, created_at, turn, off_peak) values ($1, $2, $3, $4)',
    [owner, createdAt, turn, offPeak],
  );
}

export async function forgetErased(sql: Sql, now: Date): Promise<void> {
  await sql.query('delete from erasures where created_at <= $1', [new Date(now.getTime() - dayMs)]);
}
