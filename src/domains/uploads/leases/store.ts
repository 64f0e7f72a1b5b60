import type { Sql } from '../../../database/connect.ts';
import type { StoredFailure } from '../../../errors.ts';

/** Says that this process still receives these files. Uploads that have ended do not change. */
export async function renewReceiving(sql: Sql, ids: readonly string[], now: Date): Promise<void> {
  await sql.query(
    `update uploads set receiving_at = $2 where id = any($1::uuid[]) and state = 'RECEIVING'`,
    [ids, now],
  );
}

/** Not imports: their jobs end or resume them. @returns the ids of the changed rows */
export async function failReceiving(
  sql: Sql,
  { quietSince, except }: { quietSince: Date; except: readonly string[] },
  failure: StoredFailure,
): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `update uploads set state = 'FAILED', failure = $2::jsonb
     where state = 'RECEIVING' and source_url is null and (receiving_at is null or receiving_at <= $1)
       and id <> all($3::uuid[]) returning id`,
    [quietSince, JSON.stringify(failure), except],
  );
  return rows.map(({ id }) => id);
}
