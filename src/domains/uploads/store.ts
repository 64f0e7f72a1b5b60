import type { Sql } from '../../database/connect.ts';
import { mapRow, toColumn } from '../../database/rows.ts';
import type { StoredFailure } from '../../errors.ts';

const uploadKinds = ['AUDIO', 'VIDEO'] as const;
export type UploadKind = (typeof uploadKinds)[number];

const uploadStates = ['WAITING', 'RECEIVING', 'READY', 'FAILED', 'EXPIRED'] as const;
export type UploadState = (typeof uploadStates)[number];

/** A row of `uploads`, with its columns in camelCase. */
export type Upload = {
  id: string;
  owner: string;
  kind: UploadKind;
  state: UploadState;
  /** As declared, until the file has arrived; then as detected. */
  contentType: string;
  /** The type of the file that the upstream got, which differs if the file was decoded. Null until then. */
  storedContentType: string | null;
  /** The part of the sound that is used; null = from the beginning, and to the end. */
  clipStartSeconds: number | null;
  clipDurationSeconds: number | null;
  /** In bytes. As declared, null = not declared; then as received. */
  size: number | null;
  filename: string | null;
  durationSeconds: number | null;
  failure: StoredFailure | null;
  /** The upstream's path of the file. Opaque, and never shown to callers. */
  path: string | null;
  createdAt: Date;
  expiresAt: Date;
  /** When the process that receives the file last said so; null before. */
  receivingAt: Date | null;
  /** How many bytes have arrived, as last counted; null before the first. */
  receivedBytes: number | null;
  /** Where this server fetches the file. Null for a file that a client sends. */
  sourceUrl: string | null;
  /** The id of the request that created the upload. */
  requestId: string | null;
  /** The `traceparent` of the span in which it was created; without tracing, the one that the caller sent. */
  traceparent: string | null;
};

/** The detected properties of a received file, and its path upstream. */
export type TransferredFile = Pick<
  Upload,
  'contentType' | 'storedContentType' | 'size' | 'durationSeconds'
> & {
  path: string;
};

export async function insertUpload(
  sql: Sql,
  fresh: Omit<Upload, 'failure' | 'receivingAt' | 'receivedBytes' | 'sourceUrl'>,
): Promise<void> {
  const names = Object.keys(fresh);
  await sql.query(
    `insert into uploads (${names.map(toColumn).join(', ')})
     values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
    Object.values(fresh),
  );
}

/** Counts at most `max` of the owner's waiting uploads that were created after this moment. */
export async function countWaiting(
  sql: Sql,
  { owner, createdAfter, max }: { owner: string; createdAfter: Date; max: number },
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*)::int as count from (
       select from uploads
       where owner = $1 and created_at > $2 and state = 'WAITING'
       order by created_at desc limit $3
     ) waiting`,
    [owner, createdAfter, max],
  );
  return row?.count ?? 0;
}

/** Not restricted to an owner: for the holder of a signed token. */
export async function findUpload(sql: Sql, id: string): Promise<Upload | null> {
  const [row] = await sql.query('select * from uploads where id = $1::uuid', [id]);
  return row === undefined ? null : mapRow<Upload>(row);
}

/** An upload by its id (`key`) and its owner. */
export type UploadKey = { owner: string; key: string };

/** In no particular order; a key without an upload is left out. */
export async function findUploads(sql: Sql, keys: readonly UploadKey[]): Promise<Upload[]> {
  // `|| ''` keeps the planner from reading all rows of the owner.
  const rows = await sql.query(
    `select uploads.* from uploads
     join unnest($1::text[], $2::uuid[]) as wanted (by, key) on id = wanted.key and owner || '' = wanted.by`,
    [keys.map(({ owner }) => owner), keys.map(({ key }) => key)],
  );
  return rows.map((row) => mapRow<Upload>(row));
}

/** A position in an owner's list, which is ordered by creation time, newest first. */
export type UploadPosition = { createdAt: Date; id: string };

/** The owner's uploads between the two positions, both exclusive. */
export async function listUploads(
  sql: Sql,
  owner: string,
  page: {
    after: UploadPosition | null;
    before: UploadPosition | null;
    limit: number;
    isBackwards: boolean;
  },
): Promise<Upload[]> {
  const direction = page.isBackwards ? 'asc' : 'desc';
  const { after, before, limit } = page;
  const rows = await sql.query(
    `select * from uploads
     where owner = $1
       and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
       and ($4::timestamptz is null or (created_at, id) > ($4, $5::uuid))
     order by created_at ${direction}, id ${direction} limit $6`,
    [
      owner,
      after?.createdAt ?? null,
      after?.id ?? null,
      before?.createdAt ?? null,
      before?.id ?? null,
      limit,
    ],
  );
  return rows.map((row) => mapRow<Upload>(row));
}

/** Locks the row until the transaction ends. Null if the owner has no such upload. */
export async function lockUpload(
  tx: Sql,
  { owner, id }: Pick<Upload, 'owner' | 'id'>,
): Promise<(Pick<Upload, 'state'> & { isWaitedFor: boolean }) | null> {
  const [row] = await tx.query<Pick<Upload, 'state'>>(
    'select state from uploads where id = $1::uuid and owner = $2 for update',
    [id, owner],
  );
  if (row === undefined) return null;
  const waiting = await tx.query('select from uploads_to_send where upload_id = $1::uuid limit 1', [
    id,
  ]);
  return { state: row.state, isWaitedFor: waiting.length > 0 };
}

export async function deleteUploadRow(tx: Sql, id: string): Promise<void> {
  await tx.query('delete from uploads where id = $1::uuid', [id]);
}

/** True for only one of several concurrent calls: the row lock decides. */
export async function claimUpload(sql: Sql, id: string, now: Date): Promise<boolean> {
  const rows = await sql.query(
    `update uploads set state = 'RECEIVING', receiving_at = $2::timestamptz
     where id = $1::uuid and state = 'WAITING' and expires_at > $2::timestamptz returning id`,
    [id, now],
  );
  return rows.length > 0;
}

/** @param size of the whole file in bytes, as announced; null = not announced */
export async function touchUpload(
  sql: Sql,
  id: string,
  { now, receivedBytes, size }: { now: Date; receivedBytes: number; size: number | null },
): Promise<void> {
  await sql.query(
    `update uploads set receiving_at = $2, received_bytes = $3, size = coalesce($4, size)
     where id = $1::uuid and state = 'RECEIVING'`,
    [id, now, receivedBytes, size],
  );
}

/** Also if the upload was failed as abandoned meanwhile: the file has arrived. */
export async function finishUpload(sql: Sql, id: string, file: TransferredFile): Promise<void> {
  await sql.query(
    `update uploads set state = 'READY', failure = null, path = $2, content_type = $3, size = $4,
       duration_seconds = $5, stored_content_type = $6, received_bytes = $4
     where id = $1::uuid`,
    [id, file.path, file.contentType, file.size, file.durationSeconds, file.storedContentType],
  );
}

export async function failUpload(sql: Sql, id: string, failure: StoredFailure): Promise<void> {
  await sql.query(
    `update uploads set state = 'FAILED', failure = $2::jsonb
     where id = $1::uuid and state = 'RECEIVING'`,
    [id, JSON.stringify(failure)],
  );
}

/** @returns the number of changed rows */
export async function expireWaiting(sql: Sql, now: Date): Promise<number> {
  const rows = await sql.query(
    `update uploads set state = 'EXPIRED' where state = 'WAITING' and expires_at <= $1 returning id`,
    [now],
  );
  return rows.length;
}

/** @returns the number of erased rows, at most `limit` */
export async function deleteUnused(sql: Sql, before: Date, limit: number): Promise<number> {
  const rows = await sql.query(
    `delete from uploads where id in (
       select id from uploads where state in ('EXPIRED', 'FAILED') and created_at < $1
       order by created_at limit $2
     ) returning id`,
    [before, limit],
  );
  return rows.length;
}

/** At most `limit`. @returns how many */
export async function deleteUploadsOf(tx: Sql, owner: string, limit: number): Promise<number> {
  const rows = await tx.query(
    `delete from uploads where id = any(array(
       select id from uploads where owner = $1 order by created_at limit $2)) returning id`,
    [owner, limit],
  );
  return rows.length;
}

/** Lip-syncs that use a file have its path, and need no row. @returns the number of erased rows, at most `limit` */
export async function deleteReady(sql: Sql, before: Date, limit: number): Promise<number> {
  const rows = await sql.query(
    `delete from uploads where id in (
       select id from uploads where state = 'READY' and created_at < $1
       order by created_at limit $2
     ) returning id`,
    [before, limit],
  );
  return rows.length;
}
