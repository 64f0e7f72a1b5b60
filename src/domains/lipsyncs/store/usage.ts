import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

const dayMs = 86_400_000;

export type Usage = { inFlight: number; today: number; secondsUntilNext: number };

const unused: Usage = { inFlight: 0, today: 0, secondsUntilNext: dayMs / 1000 };

export async function readUsage(sql: Sql, owner: string, now: Date): Promise<Usage> {
  return (await readUsages(sql, [owner], now)).get(owner) ?? unused;
}

/**
 * The unfinished lip-syncs of each owner, and its lip-syncs of the last 24 hours including erased ones. `secondsUntilNext`:
 * until the oldest of those no longer counts.
 */
export async function readUsages(
  sql: Sql,
  owners: readonly string[],
  now: Date,
): Promise<Map<string, Usage>> {
  const dayAgo = new Date(now.getTime() - dayMs);
  type UsageRow = { owner: string; inFlight: number; today: number; oldest: Date | null };
  const rows = await sql.query<UsageRow>(
    `select wanted.owner, used.* from unnest($1::text[]) as wanted (owner) cross join lateral (
       select count(*) filter (where not is_over)::int as "inFlight",
         count(*) filter (where created_at > $2)::int as today,
         min(created_at) filter (where created_at > $2) as oldest
       from (
         select created_at, finished_at is not null as is_over from lipsyncs
         where owner = wanted.owner and created_at > $2
         union all
         select created_at, false from lipsyncs
         where owner = wanted.owner and created_at <= $2 and finished_at is null
         union all
         select created_at, true from erasures where owner = wanted.owner
       ) own
     ) used`,
    [[...new Set(owners)], dayAgo],
  );
  return new Map(
    rows.map(({ owner, inFlight, today, oldest }) => {
      const freeAt = (oldest ?? now).getTime() + dayMs;
      const secondsUntilNext = Math.max(1, Math.ceil((freeAt - now.getTime()) / 1000));
      return [owner, { inFlight, today, secondsUntilNext }];
    }),
  );
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
