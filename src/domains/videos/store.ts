import type { Sql } from '../../database/connect.ts';
import { toJson } from '../../database/rows.ts';
import { type VideoStatus, videoStatuses } from './status.ts';
import { isDeleted, type StoredVideo } from './stored-video.ts';

/** Null for a key that was never created. */
export async function findPrefix(sql: Sql, key: string): Promise<string | null> {
  const [row] = await sql.query<{ prefix: string }>(
    'select prefix from id_prefixes where key = $1',
    [key],
  );
  return row?.prefix ?? null;
}

/** The key of each prefix: an existing one, otherwise the offered one. */
export async function insertPrefixes(
  sql: Sql,
  offered: readonly { key: string; prefix: string }[],
): Promise<{ key: string; prefix: string }[]> {
  // The update changes nothing; without it a row that another instance has inserted would not be returned.
  return sql.query<{ key: string; prefix: string }>(
    `insert into id_prefixes (key, prefix)
     select key, prefix from unnest($1::text[], $2::text[]) as offered (key, prefix)
     order by prefix
     on conflict (prefix) do update set prefix = excluded.prefix returning key, prefix`,
    [offered.map(({ key }) => key), offered.map(({ prefix }) => prefix)],
  );
}

/**
 * The stored copy of a video, whichever owner's lip-syncs refer to it, and whether one of these lip-syncs belongs to the
 * given owner. `prefix` is the part of the upstream id before the number; null for a key that was never created.
 */
export type VideoCopy = {
  key: string;
  prefix: string | null;
  video: StoredVideo | null;
  isOwn: boolean;
};

export async function readVideoCopies(
  sql: Sql,
  owner: string,
  keys: readonly string[],
): Promise<VideoCopy[]> {
  // Subqueries, not joins: without statistics a join may read the whole table.
  return sql.query<VideoCopy>(
    `select wanted.key,
       (select prefix from id_prefixes where key = substr(wanted.key, 1, 8)) as prefix,
       (select video from videos where key = wanted.key) as video,
       (select true from owner_videos where owner = $1 and key = wanted.key) is not null as "isOwn"
     from unnest($2::text[]) as wanted (key)`,
    [owner, keys],
    { isPrepared: true },
  );
}

/**
 * Stores the videos and adds them to their owners' lists, unless they are there. Until the transaction ends, `deleteUnused`
 * of another transaction waits: it then sees the lip-syncs that this transaction inserts.
 */
export async function insertOwnVideos(
  tx: Sql,
  videos: readonly { owner: string; video: StoredVideo }[],
): Promise<void> {
  const rows = videos.map(({ owner, video }) => ({
    ...{ owner, key: video.key, video },
    status: isDeleted(video) ? null : video.status,
    created_at: new Date(video.createdAt ?? 0),
  }));
  // In one order, so that two transactions that lock the same rows can't deadlock.
  await tx.query(
    `with used as materialized (
       select distinct on (owner, key) * from jsonb_to_recordset($1::jsonb)
         as used (owner text, key text, video jsonb, status text, created_at timestamptz)
       order by owner, key
     ), listed as materialized (
       select owner, key from used join owner_videos using (owner, key)
       order by owner, key for key share of owner_videos
     ), added as materialized (
       select used.* from used left join listed using (owner, key) where listed.key is null
     ), stored as (
       insert into videos (key, video) select distinct on (key) key, video from added order by key
       on conflict (key) do update set video = excluded.video
     )
     insert into owner_videos (owner, key, status, created_at)
     select owner, key, added.status, added.created_at from added on conflict (owner, key) do nothing`,
    [toJson(rows)],
    { isPrepared: true },
  );
}

/** A video of an owner's list. */
export type OwnVideo = { owner: string; key: string };

/** Deletes those of the videos to which none of the owner's lip-syncs refers any more. */
export async function deleteUnused(tx: Sql, videos: readonly OwnVideo[]): Promise<void> {
  const params = [videos.map(({ owner }) => owner), videos.map(({ key }) => key)];
  // Two statements, so that the second one sees what was committed while the first one waited for a lock.
  await tx.query(
    `select 1 from unnest($1::text[], $2::text[]) as freed (owner, key)
     join owner_videos using (owner, key) order by owner, key for update of owner_videos`,
    params,
  );
  const deleted = await tx.query<{ key: string }>(
    `delete from owner_videos using unnest($1::text[], $2::text[]) as freed (owner, key)
     where owner_videos.owner = freed.owner and owner_videos.key = freed.key
       and (select 1 from lipsync_videos used
         where used.owner = freed.owner and used.key = freed.key limit 1) is null
     returning owner_videos.key`,
    params,
  );
  if (deleted.length === 0) return;
  const keys = [deleted.map(({ key }) => key)];
  await tx.query('select 1 from videos where key = any($1::text[]) order by key for update', keys);
  await tx.query(
    `delete from videos where key = any($1::text[])
       and (select 1 from owner_videos used where used.key = videos.key limit 1) is null`,
    keys,
  );
}

/** After a video was deleted upstream: its row stays for the history, without URLs that no longer work, and in no list. */
export async function markDeleted(sql: Sql, key: string): Promise<void> {
  await sql.query(
    `with erased as (
       update videos set video = video || '{"url": null, "posterUrl": null, "lastFrameUrl": null}'
       where key = $1
     )
     update owner_videos set status = null where key = $1`,
    [key],
  );
}

export type OwnVideosPosition = { at: Date; number: string; key: string };

export type OwnVideosRange = {
  owner: string;
  /** Only older videos. Null = from the newest on. */
  olderThan: OwnVideosPosition | null;
  /** Only newer videos. Null = up to the oldest. */
  newerThan: OwnVideosPosition | null;
  /** From `olderThan` on, or from `newerThan` on. */
  direction: 'older' | 'newer';
  limit: number;
  /** Repetitions have no effect; null: all. */
  statuses: readonly VideoStatus[] | null;
};

/**
 * Videos that the owner's lip-syncs used or made, in the given direction. Ordered as in `order.ts`: time, number, key. Reads
 * one page of each status from the index, so that a rare status costs no search.
 */
export async function readOwnVideos(sql: Sql, range: OwnVideosRange): Promise<StoredVideo[]> {
  const { olderThan, newerThan } = range;
  const order = range.direction === 'older' ? 'desc' : 'asc';
  const inOrder = `created_at ${order}, number ${order}, key collate "C" ${order}`;
  const rows = await sql.query<{ video: StoredVideo }>(
    `select (select video from videos where key = page.key) as video from (
       select listed.* from unnest($2::text[]) as wanted (status)
       cross join lateral (
         select key, created_at, number from owner_videos
         where owner = $1 and status = wanted.status
           and ($3::timestamptz is null
             or (created_at, number, key collate "C") < ($3, $4::numeric, $5::text))
           and ($6::timestamptz is null
             or (created_at, number, key collate "C") > ($6, $7::numeric, $8::text))
         order by ${inOrder} limit $9
       ) listed
       order by ${inOrder} limit $9
     ) page order by ${inOrder}`,
    [
      range.owner,
      [...new Set(range.statuses ?? videoStatuses)],
      ...[olderThan?.at ?? null, olderThan?.number ?? null, olderThan?.key ?? null],
      ...[newerThan?.at ?? null, newerThan?.number ?? null, newerThan?.key ?? null],
      range.limit,
    ],
  );
  return rows.map(({ video }) => video);
}

/** Whether one of the owner's lip-syncs made the video. */
export async function isMadeBy(sql: Sql, owner: string, key: string): Promise<boolean> {
  const rows = await sql.query(
    "select 1 from lipsync_videos where owner = $1 and key = $2 and role = 'RESULT' limit 1",
    [owner, key],
  );
  return rows.length > 0;
}
