import type { Sql } from '../../../database/connect.ts';
import { deleteSetting, readSetting, setSetting } from '../../../database/settings.ts';

/** The highest `queue_order` of a restored backup: lip-syncs that waited in the backup may have been sent since. */
const settingName = 'restored_until';

/** Called by a restore, unless nothing was sent since its backup. */
export async function markRestored(tx: Sql): Promise<void> {
  const [row] = await tx.query<{ last: string | null }>(
    'select max(queue_order)::text as last from lipsyncs',
  );
  if (row?.last != null) await setSetting(tx, settingName, row.last);
}

/** Ids of lip-syncs that waited, or were about to be sent, in a restored backup; null if no backup was restored. */
export async function findWaitingInBackup(sql: Sql, limit: number): Promise<string[] | null> {
  const last = await readSetting(sql, settingName);
  if (last === null) return null;
  const rows = await sql.query<{ id: string }>(
    `select id from lipsyncs where finished_at is null and queue_order <= $1::text::bigint
       and (status = 'QUEUED' or (status = 'SUBMITTING' and post_started_at is null))
     order by queue_order limit $2`,
    [last, limit],
  );
  return rows.map(({ id }) => id);
}

export async function forgetBackup(sql: Sql): Promise<void> {
  await deleteSetting(sql, settingName);
}
