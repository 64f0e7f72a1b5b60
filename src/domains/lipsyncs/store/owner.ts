import type { Sql } from '../../../database/connect.ts';
import { mapRow } from '../../../database/rows.ts';
import type { LipsyncRow } from './lipsyncs.ts';

/** Statements for the erasure of all data of an owner. */

export async function findUnfinishedOf(sql: Sql, owner: string): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    'select id from lipsyncs where owner = $1 and finished_at is null',
    [owner],
  );
  return rows.map(({ id }) => id);
}

type Erased = Pick<LipsyncRow, 'id' | 'owner' | 'sourceVideoId' | 'resultVideoId' | 'sequence'>;

/** Also their events and webhooks. `sequence` is the number of the events. */
export async function deleteLipsyncsOf(tx: Sql, owner: string, limit: number): Promise<Erased[]> {
  const rows = await tx.query(
    `delete from lipsyncs where id = any(array(
       select id from lipsyncs where owner = $1 and finished_at is not null
       order by created_at limit $2 for update))
     returning id, owner, source_video_id, result_video_id, sequence`,
    [owner, limit],
  );
  return rows.map((row) => mapRow<Erased>(row));
}

export async function deleteRecordsOf(
  tx: Sql,
  owner: string,
): Promise<{ rejections: number; usageRecords: number }> {
  const rejections = await tx.query('delete from refusals where owner = $1 returning owner', [
    owner,
  ]);
  const usage = await tx.query('delete from erasures where owner = $1 returning owner', [owner]);
  const days = await tx.query('delete from usage_days where owner = $1 returning owner', [owner]);
  return { rejections: rejections.length, usageRecords: usage.length + days.length };
}
