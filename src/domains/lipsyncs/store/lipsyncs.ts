import type { Sql } from '../../../database/connect.ts';
import { mapRow, toColumn, toJson } from '../../../database/rows.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { StoredVideo } from '../../videos/service.ts';
import type { Voice } from '../../voices/service.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { LipsyncStatus } from '../lifecycle.ts';

/** A row of the table `lipsyncs` as it is written. */
export type LipsyncRow = {
  id: string;
  owner: string;
  queueOrder: number;
  status: LipsyncStatus;
  /** The sequence of the last event. */
  sequence: number;
  reference: string | null;
  text: string | null;
  voice: Voice | null;
  sourceVideoId: string | null;
  sourcePath: string | null;
  /** The upload of `sourcePath`. Null for a video of the service. */
  sourceUploadId: string | null;
  audioPath: string | null;
  /** The upload of `audioPath`. Null for a text. */
  speechUploadId: string | null;
  mediaSeconds: number | null;
  /** QUEUED, and a file that it names has not arrived: it has no position and can't be sent. */
  isAwaitingFile: boolean;
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  maxJobs: number | null;
  maxCredits: number | null;
  /** What the lip-sync was expected to cost when it was created. */
  estimatedCredits: number | null;
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
  /** `submissionStage` in `lifecycle.ts` says what this and the next two mean together. */
  leaseUntil: Date | null;
  postStartedAt: Date | null;
  outcomeUnknownAt: Date | null;
  /** Successful reads of the scheduler since the outcome became unknown. Not counted beyond `readsBeforeGivingUp`. */
  schedulerReads: number;
  /** The same number for reads of the account's list of videos. */
  listReads: number;
  /** From callbacks that came before the job's id was known. One that named no video added `hintWithoutId`. */
  hintedVideoIds: string[];
  upstreamVideoId: string | null;
  cancelRequestedAt: Date | null;
  isTrackingStopped: boolean;
  resultVideoId: string | null;
  failure: StoredFailure | null;
  creditsCharged: number | null;
  expectedMs: number | null;
  loggedPercent: number;
  loggedPercentAt: Date | null;
  loggedPosition: number | null;
  loggedAttempts: number;
  createdAt: Date;
  claimedAt: Date | null;
  /** The number of the lip-sync's last claim among all claims. Null if that claim is not counted for its owner. */
  turn: number | null;
  submittedAt: Date | null;
  finishedAt: Date | null;
  /** The id of the request that created the lip-sync. */
  requestId: string | null;
  /** The `traceparent` of the span in which it was created; without tracing, the one that the caller sent. */
  traceparent: string | null;
};

/** A row of the table `lipsyncs` with the videos that it refers to, as they are stored now. */
export type Lipsync = LipsyncRow & {
  sourceVideo: StoredVideo | null;
  resultVideo: StoredVideo | null;
};

/**
 * Everything of a `Lipsync`. The last two replace the columns of the same names, in which versions before 0013 kept a copy
 * for each lip-sync.
 */
export const columns = `lipsyncs.*,
  (select video from stored_videos where key = lipsyncs.source_video_id) as source_video,
  (select video from stored_videos where key = lipsyncs.result_video_id) as result_video`;

export async function findLipsync(sql: Sql, id: string): Promise<Lipsync | null> {
  return selectOne(sql, 'where id = $1', [id]);
}

/** In no particular order; ids without a row are left out. */
export async function findLipsyncs(sql: Sql, ids: readonly string[]): Promise<Lipsync[]> {
  return selectLipsyncs(sql, 'where id = any($1::uuid[])', [ids]);
}

/** In no particular order; ids of other owners are left out. */
export async function findOwnLipsyncs(
  sql: Sql,
  owner: string,
  ids: readonly string[],
): Promise<Lipsync[]> {
  // `|| ''` keeps the planner from reading all rows of the owner.
  return selectLipsyncs(sql, "where id = any($2::uuid[]) and owner || '' = $1", [owner, ids]);
}

/** In no particular order; a pair without a lip-sync is left out. */
export async function findByIdempotencyKeys(
  sql: Sql,
  pairs: readonly Pick<Lipsync, 'owner' | 'idempotencyKey'>[],
): Promise<Lipsync[]> {
  return selectLipsyncs(
    sql,
    `join unnest($1::text[], $2::text[]) as wanted (by, key)
       on owner = wanted.by and idempotency_key = wanted.key`,
    [pairs.map(({ owner }) => owner), pairs.map(({ idempotencyKey }) => idempotencyKey)],
  );
}

/** Locks the row until the transaction ends. Every change of a lip-sync is made under this lock. */
export async function lockLipsync(tx: Sql, id: string): Promise<Lipsync | null> {
  return selectOne(tx, 'where id = $1 for update', [id]);
}

/** Another owner's row is not locked, so that a request for it never waits. */
export async function lockOwnLipsync(
  tx: Sql,
  { owner, id }: Pick<Lipsync, 'owner' | 'id'>,
): Promise<Lipsync | null> {
  return selectOne(tx, 'where id = $1 and owner = $2 for update', [id, owner]);
}

/** Null if the lip-sync is not QUEUED any more or another transaction holds the row. */
export async function lockWaitingLipsync(tx: Sql, id: string): Promise<Lipsync | null> {
  return selectOne(
    tx,
    "where id = $1 and status = 'QUEUED' and not is_awaiting_file for update skip locked",
    [id],
  );
}

/** Writes no event: use `changeStatus` for every change that subscribers must see. */
export async function updateLipsync(
  tx: Sql,
  id: string,
  set: Partial<LipsyncRow>,
): Promise<Lipsync | null> {
  const entries = Object.entries(set);
  const assignments = entries.map(([name], at) => `${toColumn(name)} = $${at + 2}`);
  const [row] = await tx.query(
    `update lipsyncs set ${assignments.join(', ')} where id = $1 returning ${columns}`,
    [id, ...entries.map(([name, value]) => toParam(name, value))],
  );
  return row === undefined ? null : mapRow<Lipsync>(row);
}

/** The videos that may be unused after the lip-sync is deleted. */
export function videosOf(
  lipsync: Pick<LipsyncRow, 'owner' | 'sourceVideoId' | 'resultVideoId'>,
): { owner: string; key: string }[] {
  const { owner, sourceVideoId, resultVideoId } = lipsync;
  return [sourceVideoId, resultVideoId].flatMap((key) => (key === null ? [] : [{ owner, key }]));
}

/** Also deletes its events. `videosOf` must be released. */
export async function deleteLipsyncRow(tx: Sql, id: string): Promise<void> {
  await tx.query('delete from lipsyncs where id = $1', [id]);
}

/**
 * Deletes at most `limit` of the lip-syncs that finished first, with their events. A lip-sync with pending webhooks stays
 * until they have ended; one that should have been sent before `finishedBefore` is lost and does not count. Skips rows that
 * another transaction holds, such as a batch of another instance.
 */
export async function deleteFinishedLipsyncs(
  tx: Sql,
  { finishedBefore, limit }: { finishedBefore: Date; limit: number },
): Promise<Pick<LipsyncRow, 'owner' | 'sourceVideoId' | 'resultVideoId'>[]> {
  const deleted = await tx.query(
    `with old as materialized (
       select id from lipsyncs where finished_at < $1 and (
         select 1 from pending_webhooks where lipsync_id = lipsyncs.id and due_at > $1 limit 1
       ) is null
       order by finished_at limit $2 for update skip locked
     )
     delete from lipsyncs where id = any(array(select id from old))
     returning owner, source_video_id, result_video_id`,
    [finishedBefore, limit],
  );
  return deleted.map((row) => mapRow(row));
}

/** Without finished lip-syncs: counting them would read all of the history. */
export async function countByStatus(sql: Sql): Promise<{ status: string; count: number }[]> {
  return sql.query(
    'select status, count(*)::int as count from lipsyncs where finished_at is null group by status',
  );
}

/** For the stores of this folder: `rest` is SQL that follows `from lipsyncs`. */
export async function selectLipsyncs(
  sql: Sql,
  rest: string,
  params: readonly unknown[],
): Promise<Lipsync[]> {
  const rows = await sql.query(`select ${columns} from lipsyncs ${rest}`, params);
  return rows.map((row) => mapRow<Lipsync>(row));
}

async function selectOne(
  sql: Sql,
  rest: string,
  params: readonly unknown[],
): Promise<Lipsync | null> {
  const [found] = await selectLipsyncs(sql, rest, params);
  return found ?? null;
}

const jsonColumns: ReadonlySet<string> = new Set(['voice', 'failure']);

function toParam(name: string, value: unknown): unknown {
  return jsonColumns.has(name) && value !== null ? toJson(value) : value;
}
