import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

const dayMs = 86_400_000;

export type Usage = { inFlight: number; today: number; secondsUntilNext: number };

/**
 * An owner's unfinished lip-syncs, and its lip-syncs of the last 24 hours including erased ones, of which only the latest
 * `perDay` are read and counted. `secondsUntilNext`: until the oldest of those no longer counts.
 */
export async function readUsage(
  sql: Sql,
  owner: string,
  { now, perDay }: { now: Date; perDay: number | null },
): Promise<Usage> {
  const dayAgo = new Date(now.getTime() - dayMs);
  const [row] = await sql.query<{ inFlight: number; today: number; oldest: Date | null }>(
    `select (select count(*)::int from lipsyncs where owner = $1 and finished_at is null) as "inFlight",
       count(*)::int as today, min(created_at) as oldest
     from (
       select created_at from (
         (select created_at from lipsyncs where owner = $1 and created_at > $2
          order by created_at desc limit $3)
         union all
         (select created_at from erasures where owner = $1 and created_at > $2
          order by created_at desc limit $3)
       ) own order by created_at desc limit $3
     ) latest`,
    [owner, dayAgo, perDay ?? 0],
  );
  const oldest = row?.oldest ?? now;
  return {
    inFlight: row?.inFlight ?? 0,
    today: row?.today ?? 0,
    secondsUntilNext: Math.max(1, Math.ceil((oldest.getTime() - dayAgo.getTime()) / 1000)),
  };
}

/** An erased lip-sync still counts for its day and its turn, or erasing would reset the owner's limits. */
export async function recordErasure(
  tx: Sql,
  { owner, createdAt, turn, offPeak }: Lipsync,
): Promise<void> {
  await tx.query(
    'insert into erasures (owner, created_at, turn, off_peak) values ($1, $2, $3, $4)',
    [owner, createdAt, turn, offPeak],
  );
}

/** Deletes at most `limit` of the records that no longer count for a day. @returns how many */
export async function deleteOldErasures(
  sql: Sql,
  { now, limit }: { now: Date; limit: number },
): Promise<number> {
  const deleted = await sql.query(
    `delete from erasures where ctid = any(array(
       select ctid from erasures where created_at <= $1 order by created_at limit $2))
     returning owner`,
    [new Date(now.getTime() - dayMs), limit],
  );
  return deleted.length;
}
