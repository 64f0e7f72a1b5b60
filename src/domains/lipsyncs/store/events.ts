import type { Sql } from '../../../database/connect.ts';
import { mapRow } from '../../../database/rows.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { EventSource, LipsyncStatus } from '../lifecycle.ts';
import type { Lipsync } from './lipsyncs.ts';

/** A row of the table `lipsync_events`: an entry in the log of a lip-sync. */
export type LipsyncEvent = {
  lipsyncId: string;
  /** Counts from 1 without gaps. */
  sequence: number;
  status: LipsyncStatus;
  percent: number;
  queuePosition: number | null;
  source: EventSource;
  failure: StoredFailure | null;
  occurredAt: Date;
};

/** Notified at every committed change. The payload is the lip-sync's id alone: subscribers read the log. */
export const changedChannel = 'lipsync_changed';

export async function notifyChange(tx: Sql, id: string): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [changedChannel, id]);
}

/** Adds an event with the next sequence and notifies every instance. The row must be locked. */
export async function appendEvent(
  tx: Sql,
  lipsync: Lipsync,
  event: Pick<LipsyncEvent, 'percent' | 'queuePosition' | 'source' | 'occurredAt'>,
): Promise<void> {
  await tx.query(
    `with event as (
       update lipsyncs set sequence = sequence + 1 where id = $1
       returning id, sequence, status, failure
     )
     insert into lipsync_events
       (lipsync_id, sequence, status, failure, percent, queue_position, source, occurred_at)
     select id, sequence, status, failure, $2::float8, $3::int, $4, $5::timestamptz from event`,
    [lipsync.id, event.percent, event.queuePosition, event.source, event.occurredAt],
  );
  await notifyChange(tx, lipsync.id);
}

/** Appends an event to each waiting lip-sync with its new position, in one statement: a queue may move by thousands. */
export async function appendPositions(
  tx: Sql,
  moved: readonly { id: string; position: number }[],
  occurredAt: Date,
): Promise<void> {
  await tx.query(
    `with moved as (
       select * from unnest($1::uuid[], $2::int[]) as moved (id, position)
     ), events as (
       update lipsyncs set sequence = sequence + 1, logged_position = position
       from moved where lipsyncs.id = moved.id
       returning lipsyncs.id, sequence, status, failure, logged_percent, position
     ), appended as (
       insert into lipsync_events
         (lipsync_id, sequence, status, failure, percent, queue_position, source, occurred_at)
       select id, sequence, status, failure, logged_percent, position, 'GATEWAY', $3::timestamptz
       from events returning lipsync_id
     )
     select pg_notify($4, lipsync_id::text) from appended`,
    [moved.map(({ id }) => id), moved.map(({ position }) => position), occurredAt, changedChannel],
  );
}

export async function readEvents(
  sql: Sql,
  id: string,
  range: { after: number; limit?: number },
): Promise<LipsyncEvent[]> {
  const rows = await sql.query(
    `select * from lipsync_events where lipsync_id = $1 and sequence > $2
     order by sequence limit $3`,
    [id, range.after, range.limit ?? 1_000],
  );
  return rows.map((row) => mapRow<LipsyncEvent>(row));
}

/** What first reported the lip-sync's current status. Null for an id without a lip-sync. */
export async function readFirstReport(
  sql: Sql,
  id: string,
): Promise<Pick<LipsyncEvent, 'source' | 'occurredAt'> | null> {
  const [row] = await sql.query<Pick<LipsyncEvent, 'source' | 'occurredAt'>>(
    `select source, occurred_at as "occurredAt" from lipsync_events
     where lipsync_id = $1 and status = (select status from lipsyncs where id = $1)
     order by sequence limit 1`,
    [id],
  );
  return row ?? null;
}

/** The events after `sequence` of each lip-sync, ordered by id and sequence. */
export async function readEventsAfter(
  sql: Sql,
  logs: readonly { id: string; sequence: number }[],
): Promise<LipsyncEvent[]> {
  const rows = await sql.query(
    `select lipsync_events.* from lipsync_events
       join unnest($1::uuid[], $2::int[]) as read(id, until)
       on lipsync_id = read.id and lipsync_events.sequence > read.until
     order by lipsync_id, lipsync_events.sequence`,
    [logs.map(({ id }) => id), logs.map(({ sequence }) => sequence)],
  );
  return rows.map((row) => mapRow<LipsyncEvent>(row));
}
