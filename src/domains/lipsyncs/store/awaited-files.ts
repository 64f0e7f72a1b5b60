import type { Sql } from '../../../database/connect.ts';
import { mapRow } from '../../../database/rows.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { UploadState } from '../../uploads/service.ts';
import type { Lipsync } from './lipsyncs.ts';

/** What a lip-sync needs to know of an upload. */
export type UploadFile = {
  id: string;
  state: UploadState;
  path: string | null;
  durationSeconds: number | null;
  failure: StoredFailure | null;
};

/** Rows per search. The next search finds the others. */
const batch = 100;

/** Ids of waiting lip-syncs whose files have all arrived, or that await a file that will not arrive; the oldest first. */
export async function findEndedWaits(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select id from lipsyncs awaiting
     where status = 'QUEUED' and is_awaiting_file and (
       ${hasNoFile('source_upload_id')} or ${hasNoFile('speech_upload_id')}
       or not (${isArriving('source_upload_id')} or ${isArriving('speech_upload_id')}))
     order by queue_order limit ${batch}`,
  );
  return rows.map(({ id }) => id);
}

const stateOf = (column: string) =>
  `coalesce((select state from upload_files where id = awaiting.${column}), 'FAILED')`;

const isArriving = (column: string) =>
  `(awaiting.${column} is not null and ${stateOf(column)} = 'RECEIVING')`;

const hasNoFile = (column: string) =>
  `(awaiting.${column} is not null and ${stateOf(column)} not in ('RECEIVING', 'READY'))`;

/** The uploads that the lip-sync names. One that was erased is left out. */
export async function readFiles(sql: Sql, lipsync: Lipsync): Promise<UploadFile[]> {
  const { owner, sourceUploadId, speechUploadId } = lipsync;
  const rows = await sql.query(
    `select id, state, path, duration_seconds, failure from upload_files
     where id = any($2::uuid[]) and owner || '' = $1`,
    [owner, [sourceUploadId, speechUploadId].filter((id) => id !== null)],
  );
  return rows.map((row) => mapRow<UploadFile>(row));
}

/**
 * Puts a lip-sync whose files have arrived at the end of the queue. It was not counted in the positions of the others, which
 * must not rise.
 */
export async function enterQueue(
  tx: Sql,
  id: string,
  files: Pick<Lipsync, 'sourcePath' | 'audioPath' | 'mediaSeconds' | 'estimatedCredits'>,
): Promise<void> {
  await tx.query(
    `update lipsyncs set is_awaiting_file = false, queue_order = default,
       source_path = $2, audio_path = $3, media_seconds = $4, estimated_credits = $5
     where id = $1`,
    [id, files.sourcePath, files.audioPath, files.mediaSeconds, files.estimatedCredits],
  );
}
