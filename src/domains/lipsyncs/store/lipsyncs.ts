import type { Row, Sql } from '../../../database/connect.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { StoredVideo } from '../../videos/service.ts';
import type { Voice } from '../../voices/service.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { EventSource, LipsyncStatus } from '../lifecycle.ts';

/** One row of `lipsyncs`, with the columns named as our code speaks. */
export type Lipsync = {
  id: string;
  owner: string;
  queueOrder: number;
  status: LipsyncStatus;
  sequence: number;
  reference: string | null;
  text: string | null;
  voice: Voice | null;
  sourceVideoId: string | null;
  sourceVideo: StoredVideo | null;
  sourcePath: string | null;
  audioPath: string | null;
  mediaSeconds: number | null;
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  maxJobs: number | null;
  callbackUrl: string | null;
  callbackEvents: WebhookEvent[];
  idempotencyKey: string | null;
  fingerprint: string;
  expiresAt: Date | null;
  accountId: string | null;
  isAccountFixed: boolean;
  holdsSlot: boolean;
  attempts: number;
  notBefore: Date | null;
  leaseUntil: Date | null;
  postStartedAt: Date | null;
  outcomeUnknownAt: Date | null;
  hintedVideoIds: string[];
  upstreamVideoId: string | null;
  cancelRequestedAt: Date | null;
  isTrackingStopped: boolean;
  resultVideoId: string | null;
  resultVideo: StoredVideo | null;
  failure: StoredFailure | null;
  creditsCharged: number | null;
  expectedMs: number | null;
  loggedPercent: number;
  loggedPercentAt: Date | null;
  loggedPosition: number | null;
  loggedAttempts: number;
  createdAt: Date;
  claimedAt: Date | null;
  /** Which of all claims its own was; null where it does not count as a turn of its owner. */
  turn: number | null;
  submittedAt: Date | null;
  finishedAt: Date | null;
};

export type LipsyncEvent = {
  lipsyncId: string;
  sequence: number;
  status: LipsyncStatus;
  percent: number;
  queuePosition: number | null;
  source: EventSource;
  failure: StoredFailure | null;
  occurredAt: Date;
};

/** The channel on which a change is told: the payload is the lip-sync's id and nothing else. */
export const changedChannel = 'lipsync_changed';

const jsonColumns: ReadonlySet<string> = new Set([
  'voice',
  'sourceVideo',
  'resultVideo',
  'failure',
]);

function toColumn(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function fromRow<T>(row: Row): T {
  const entries = Object.entries(row).map(([column, value]) => [
    column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as T;
}

function toParam(name: string, value: unknown): unknown {
  return jsonColumns.has(name) && value !== null ? toJson(value) : value;
}

/** As `jsonb` takes it: an upstream's text with U+0000 or half a surrogate pair must not keep a lip-sync from ending. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'string' ? each.replaceAll('\0', '').toWellFormed() : each,
  );
}

/** Those the upstream may still say something about. That they have not finished leads to the index of such. */
export const openWhere = `(finished_at is null and (status in ('SUBMITTED', 'GENERATING')
  or (status = 'SUBMITTING' and outcome_unknown_at is not null)))`;

/** Rows of any of this slice's queries that select whole lip-syncs. */
export async function selectLipsyncs(
  sql: Sql,
  rest: string,
  params: readonly unknown[] = [],
): Promise<Lipsync[]> {
  const rows = await sql.query(`select lipsyncs.* from lipsyncs ${rest}`, params);
  return rows.map((row) => fromRow<Lipsync>(row));
}

export async function findLipsync(sql: Sql, id: string): Promise<Lipsync | null> {
  const [found] = await selectLipsyncs(sql, 'where id = $1', [id]);
  return found ?? null;
}

/** The row under lock: whoever changes a lip-sync holds it from here to the end of the transaction. */
export async function lockLipsync(tx: Sql, id: string): Promise<Lipsync | null> {
  const [found] = await selectLipsyncs(tx, 'where id = $1 for update', [id]);
  return found ?? null;
}

/** The same for its owner. Another's is not even locked: nobody waits for what is not there. */
export async function lockOwn(
  tx: Sql,
  { owner, id }: Pick<Lipsync, 'owner' | 'id'>,
): Promise<Lipsync | null> {
  const [found] = await selectLipsyncs(tx, 'where id = $1 and owner = $2 for update', [id, owner]);
  return found ?? null;
}

export async function insertLipsync(
  tx: Sql,
  fresh: Partial<Lipsync> & Pick<Lipsync, 'id' | 'owner' | 'status' | 'fingerprint' | 'createdAt'>,
): Promise<Lipsync> {
  const names = Object.keys(fresh);
  const values = Object.entries(fresh).map(([name, value]) => toParam(name, value));
  const [row] = await tx.query(
    `insert into lipsyncs (${names.map(toColumn).join(', ')})
     values (${names.map((_, at) => `$${at + 1}`).join(', ')})
     returning *`,
    values,
  );
  if (row === undefined) throw new Error('The lip-sync was not inserted.');
  return fromRow<Lipsync>(row);
}

/** Changes columns without an event: bookkeeping that no watcher sees. */
export async function updateLipsync(
  tx: Sql,
  id: string,
  set: Partial<Lipsync>,
): Promise<Lipsync | null> {
  const entries = Object.entries(set);
  const assignments = entries.map(([name], at) => `${toColumn(name)} = $${at + 2}`);
  const [row] = await tx.query(
    `update lipsyncs set ${assignments.join(', ')} where id = $1 returning *`,
    [id, ...entries.map(([name, value]) => toParam(name, value))],
  );
  return row === undefined ? null : fromRow<Lipsync>(row);
}

/** Adds an event with the next sequence and tells every instance. The row must be under lock. */
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

/** The same for any number that wait, each at its new place: whoever is at the front moves all who are behind him. */
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
     ), told as (
       insert into lipsync_events
         (lipsync_id, sequence, status, failure, percent, queue_position, source, occurred_at)
       select id, sequence, status, failure, logged_percent, position, 'GATEWAY', $3::timestamptz
       from events returning lipsync_id
     )
     select pg_notify($4, lipsync_id::text) from told`,
    [moved.map(({ id }) => id), moved.map(({ position }) => position), occurredAt, changedChannel],
  );
}

export async function notifyChange(tx: Sql, id: string): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [changedChannel, id]);
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
  return rows.map((row) => fromRow<LipsyncEvent>(row));
}

/** What follows in each of these logs, by the lip-sync's id and in order. */
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
  return rows.map((row) => fromRow<LipsyncEvent>(row));
}
