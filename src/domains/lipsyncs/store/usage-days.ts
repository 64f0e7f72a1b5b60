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

/** The days from `from` to `to`, oldest first, without those on which nothing was used. Triggers keep the numbers. */
export async function readUsageDays(
  sql: Sql,
  owner: string,
  { from, to }: { from: string; to: string },
): Promise<UsageDay[]> {
  return sql.query<UsageDay>(
    `select to_char(day, 'YYYY-MM-DD') as day, created, completed, failed, moderated, cancelled, expired,
       credits::float8 as credits
     from usage_days where owner = $1 and day between $2::date and $3::date
       and (created, completed, failed, moderated, cancelled, expired, credits) <> (0, 0, 0, 0, 0, 0, 0)
     order by usage_days.day`,
    [owner, from, to],
  );
}
