import type { Sql } from '../../../database/connect.ts';

/** What an owner used on one day, in UTC. */
export type UsageDay = {
  /** As `2026-01-31`. */
  day: string;
  created: number;
  completed: number;
  failed: number;
  moderated: number;
  cancelled: number;
  expired: number;
  credits: number;
};

const columns = `to_char(day, 'YYYY-MM-DD') as day, created, completed, failed, moderated, cancelled, expired,
  credits::float8 as credits`;

const isUsed =
  '(created, completed, failed, moderated, cancelled, expired, credits) <> (0, 0, 0, 0, 0, 0, 0)';

/** The days from `from` to `to`, oldest first, without those on which nothing was used. Triggers maintain the numbers. */
export async function readUsageDays(
  sql: Sql,
  owner: string,
  { from, to }: { from: string; to: string },
): Promise<UsageDay[]> {
  return sql.query<UsageDay>(
    `select ${columns} from usage_days where owner = $1 and day between $2::date and $3::date and ${isUsed}
     order by usage_days.day`,
    [owner, from, to],
  );
}

/** What an owner used on the day that is asked for. */
export type OwnerUsage = UsageDay & { owner: string };

/** Of each owner that used anything on that day, in the order of their names; `after`: only owners after that one. */
export async function readUsageByOwner(
  sql: Sql,
  { day, after, limit }: { day: string; after: string; limit: number },
): Promise<OwnerUsage[]> {
  return sql.query<OwnerUsage>(
    `select owner, ${columns} from usage_days where day = $1::date and owner > $2 and ${isUsed}
     order by usage_days.owner limit $3`,
    [day, after, limit],
  );
}
