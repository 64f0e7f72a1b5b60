import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

const dayMs = 86_400_000;

export type Usage = {
  inFlight: number;
  today: number;
  /** When the oldest lip-sync that counts for the day stops counting. */
  nextAt: Date;
  secondsUntilNext: number;
};

function noUsageAt(now: Date): Usage {
  const nextAt = new Date(now.getTime() + dayMs);
  return { inFlight: 0, today: 0, nextAt, secondsUntilNext: dayMs / 1000 };
}

type UsageQuery = { now: Date; perDay: number | null };

export async function readUsage(sql: Sql, owner: string, query: UsageQuery): Promise<Usage> {
  const usages = await readUsages(sql, [owner], query);
  return usages.get(owner) ?? noUsageAt(query.now);
}

/**
 * The unfinished lip-syncs of each owner, and its lip-syncs of the last 24 hours, erased ones included. Of the latter at most
 * the latest `perDay` are read and counted.
 */
export async function readUsages(
  sql: Sql,
  owners: readonly string[],
  { now, perDay }: UsageQuery,
): Promise<Map<string, Usage>> {
  const dayAgo = new Date(now.getTime() - dayMs);
  type UsageRow = { owner: string; inFlight: number; today: number; oldest: Date | null };
  const rows = await sql.query<UsageRow>(
    `select wanted.owner,
       (select count(*)::int from lipsyncs
        where owner = wanted.owner and finished_at is null) as "inFlight",
       used.today, used.oldest
     from unnest($1::text[]) as wanted (owner) cross join lateral (
       select count(*)::int as today, min(created_at) as oldest from (
         select created_at from (
           (select created_at from lipsyncs where owner = wanted.owner and created_at > $2
            order by created_at desc limit $3)
           union all
           (select created_at from erasures where owner = wanted.owner and created_at > $2
            order by created_at desc limit $3)
         ) own order by created_at desc limit $3
       ) latest
     ) used`,
    [[...new Set(owners)], dayAgo, perDay ?? 0],
  );
  return new Map(
    rows.map(({ owner, inFlight, today, oldest }) => {
      const nextAt = new Date((oldest ?? now).getTime() + dayMs);
      const secondsUntilNext = Math.max(1, Math.ceil((nextAt.getTime() - now.getTime()) / 1000));
      return [owner, { inFlight, today, nextAt, secondsUntilNext }];
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
