import type { Row, Sql } from '../../database/connect.ts';
import type { StoredFailure } from '../../errors.ts';

const uploadKinds = ['AUDIO', 'VIDEO'] as const;
export type UploadKind = (typeof uploadKinds)[number];

const uploadStates = ['WAITING', 'RECEIVING', 'READY', 'FAILED', 'EXPIRED'] as const;
export type UploadState = (typeof uploadStates)[number];

/** One row of `uploads`, with the columns named as our code speaks. */
export type Upload = {
  id: string;
  owner: string;
  kind: UploadKind;
  state: UploadState;
  /** As declared while nothing has arrived, then what the bytes turned out to be. */
  contentType: string;
  /** In bytes. As declared, null = not told; then what arrived. */
  size: number | null;
  filename: string | null;
  durationSeconds: number | null;
  failure: StoredFailure | null;
  /** The upstream's name for the file. Opaque, and never shown to a caller. */
  path: string | null;
  createdAt: Date;
  expiresAt: Date;
  /** When bytes were last known to arrive; null before the first. */
  receivingAt: Date | null;
};

/** What the bytes turned out to be and where they went. */
export type Arrival = Pick<Upload, 'contentType' | 'size' | 'durationSeconds'> & { path: string };

function fromRow(row: Row): Upload {
  const entries = Object.entries(row).map(([column, value]) => [
    column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as Upload;
}

function toColumn(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export async function insertUpload(
  sql: Sql,
  fresh: Omit<Upload, 'failure' | 'receivingAt'>,
): Promise<void> {
  const names = Object.keys(fresh);
  await sql.query(
    `insert into uploads (${names.map(toColumn).join(', ')})
     values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
    Object.values(fresh),
  );
}

/** Whoever holds the signed token may ask without being the owner. */
export async function findUpload(sql: Sql, id: string): Promise<Upload | null> {
  const [row] = await sql.query('select * from uploads where id = $1::uuid', [id]);
  return row === undefined ? null : fromRow(row);
}

export async function findUploads(
  sql: Sql,
  owner: string,
  ids: readonly string[],
): Promise<Upload[]> {
  const rows = await sql.query('select * from uploads where owner = $1 and id = any($2::uuid[])', [
    owner,
    ids,
  ]);
  return rows.map(fromRow);
}

/** Only one of those who ask at the same time gets true: the row lock decides. */
export async function claimUpload(sql: Sql, id: string, now: Date): Promise<boolean> {
  const rows = await sql.query(
    `update uploads set state = 'RECEIVING', receiving_at = $2::timestamptz
     where id = $1::uuid and state = 'WAITING' and expires_at > $2::timestamptz returning id`,
    [id, now],
  );
  return rows.length > 0;
}

export async function touchUpload(sql: Sql, id: string, now: Date): Promise<void> {
  await sql.query(`update uploads set receiving_at = $2 where id = $1::uuid`, [id, now]);
}

/** Also where it was given up meanwhile: the file has arrived, whatever somebody believed. */
export async function finishUpload(sql: Sql, id: string, arrival: Arrival): Promise<void> {
  await sql.query(
    `update uploads set state = 'READY', failure = null, path = $2, content_type = $3, size = $4,
       duration_seconds = $5
     where id = $1::uuid`,
    [id, arrival.path, arrival.contentType, arrival.size, arrival.durationSeconds],
  );
}

export async function failUpload(sql: Sql, id: string, failure: StoredFailure): Promise<void> {
  await sql.query(
    `update uploads set state = 'FAILED', failure = $2::jsonb
     where id = $1::uuid and state = 'RECEIVING'`,
    [id, JSON.stringify(failure)],
  );
}

/** @returns how many rows changed */
export async function expireWaiting(sql: Sql, now: Date): Promise<number> {
  const rows = await sql.query(
    `update uploads set state = 'EXPIRED' where state = 'WAITING' and expires_at <= $1 returning id`,
    [now],
  );
  return rows.length;
}

/** @returns how many rows changed */
export async function failReceiving(
  sql: Sql,
  quietSince: Date,
  failure: StoredFailure,
): Promise<number> {
  const rows = await sql.query(
    `update uploads set state = 'FAILED', failure = $2::jsonb
     where state = 'RECEIVING' and (receiving_at is null or receiving_at <= $1) returning id`,
    [quietSince, JSON.stringify(failure)],
  );
  return rows.length;
}
