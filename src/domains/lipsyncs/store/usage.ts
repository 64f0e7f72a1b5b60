import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

const dayMs = 86_400_000;

export type Usage = { inFlight: number; today: number; secondsUntilNext: number };

/**
 * An owner's unfinished lip-syncs, and its lip-syncs of the last 24 hours including erased ones. `secondsUntilNext`: until
 * the oldest of those no longer counts.
 */
export async function readUsage(sql: Sql, owner: string, now: Date): Promise<Usage> {
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

/** Deletes the records that no longer count for a day. */
export async function deleteOldErasures(sql: Sql, now: Date): Promise<void> {
  await sql.query('delete from erasures where created_at <= $1', [new Date(now.getTime() - dayMs)]);
}
