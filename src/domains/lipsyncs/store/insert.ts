import type { Sql } from '../../../database/connect.ts';
import { mapRow, toColumn, toJson } from '../../../database/rows.ts';
import { columns, type Lipsync, type LipsyncRow } from './lipsyncs.ts';

/** The columns that a lip-sync begins with. The others have defaults. */
export type FreshLipsync = Partial<LipsyncRow> &
  Pick<LipsyncRow, 'id' | 'owner' | 'status' | 'fingerprint' | 'loggedPosition' | 'createdAt'>;

/**
 * Inserts lip-syncs, each with its first event, in one statement. Their order in the queue is that of the list. All rows must
 * have the same columns, and the videos that they use must be stored already.
 *
 * No notification is sent: a subscriber needs the id of a lip-sync, and these ids are known to no client before the commit. A
 * log that is opened afterwards is read from the table.
 */
export async function insertLipsyncs(tx: Sql, fresh: readonly FreshLipsync[]): Promise<Lipsync[]> {
  const [first] = fresh;
  if (first === undefined) return [];
  const names = Object.keys(first).map(toColumn).join(', ');
  const rows = await tx.query(
    `with fresh as (
       insert into lipsyncs (${names}, sequence, logged_percent_at)
       select ${names}, 1, created_at
       from rows from (jsonb_populate_recordset(null::lipsyncs, $1::jsonb)) with ordinality
       order by ordinality
       returning *
     ), appended as (
       insert into lipsync_events
         (lipsync_id, sequence, status, percent, queue_position, source, occurred_at)
       select id, sequence, status, logged_percent, logged_position, 'GATEWAY', created_at from fresh
     )
     select ${columns} from fresh as lipsyncs order by queue_order`,
    [toJson(fresh.map(toRecord))],
    { isPrepared: true },
  );
  if (rows.length !== fresh.length) throw new Error('A lip-sync was not inserted.');
  return rows.map((row) => mapRow<Lipsync>(row));
}

function toRecord(fresh: FreshLipsync): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fresh).map(([name, value]) => [toColumn(name), value]));
}
