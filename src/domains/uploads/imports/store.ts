import type { Sql } from '../../../database/connect.ts';
import { toColumn, toJson } from '../../../database/rows.ts';
import type { Upload } from '../store.ts';

/** An upload that is there already is not changed, and not returned. @returns the ids of the new ones */
export async function insertImports(sql: Sql, fresh: readonly Upload[]): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `insert into uploads
       (id, owner, kind, state, content_type, filename, source_url, receiving_at, created_at, expires_at,
         clip_start_seconds, clip_duration_seconds, request_id, traceparent)
     select id, owner, kind, state, content_type, filename, source_url, receiving_at, created_at, expires_at,
       clip_start_seconds, clip_duration_seconds, request_id, traceparent
     from jsonb_populate_recordset(null::uploads, $1::jsonb)
     on conflict (id) do nothing returning id`,
    [toJson(fresh.map(toRecord))],
  );
  return rows.map(({ id }) => id);
}

/** Imports that have not ended: at most `max` of this owner, and at most `max` of all. */
export async function countImports(
  sql: Sql,
  { owner, max }: { owner: string; max: number },
): Promise<{ own: number; ofAll: number }> {
  const open = "select from uploads where state = 'RECEIVING' and source_url is not null";
  const [row] = await sql.query<{ own: number; ofAll: number }>(
    `select (select count(*)::int from (${open} and owner = $1 limit $2) own) as own,
       (select count(*)::int from (${open} limit $2) every) as "ofAll"`,
    [owner, max],
  );
  return row ?? { own: 0, ofAll: 0 };
}

function toRecord(upload: Upload): Record<string, unknown> {
  return Object.fromEntries(Object.entries(upload).map(([name, value]) => [toColumn(name), value]));
}
