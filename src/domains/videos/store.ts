import type { Sql } from '../../database/connect.ts';
import type { VideoStatus } from './status.ts';
import type { StoredVideo } from './stored-video.ts';

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
 * The copy of a video stored with lip-syncs of any owner, and whether one of these lip-syncs belongs to the given owner.
 * `prefix` is the part of the upstream id before the number; null for a key that was never created.
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
  return sql.query<VideoCopy>(
    `select wanted.key, kept.video,
       (select prefix from id_prefixes where key = substr(wanted.key, 1, 8)) as prefix,
       exists (select 1 from lipsync_videos where owner = $1 and key = wanted.key) as "isOwn"
     from unnest($2::text[]) as wanted (key)
     left join lateral (
       select video from lipsync_videos
       where key = wanted.key and video is not null limit 1
     ) kept on true`,
    [owner, keys],
  );
}

export type OwnVideosRange = {
  owner: string;
  /** Exclusive. Null = from the newest on, or up to the newest. */
  position: { at: Date; number: string; key: string } | null;
  direction: 'older' | 'newer';
  limit: number;
  status: readonly VideoStatus[] | null;
  createdAfter: Date | null;
  createdBefore: Date | null;
};

/**
 * Videos that the owner's lip-syncs used or made, in the given direction from the position, the nearest first. Ordered as
 * in `order.ts`: time, number, key.
 */
export async function readOwnVideos(sql: Sql, range: OwnVideosRange): Promise<StoredVideo[]> {
  const [than, order] = range.direction === 'older' ? ['<', 'desc'] : ['>', 'asc'];
  const rows = await sql.query<{ video: StoredVideo }>(
    `with own as (
       select distinct on (key) key collate "C" as key, video, video ->> 'status' as status,
         coalesce((video ->> 'createdAt')::timestamptz, 'epoch') as at,
         coalesce(nullif(substr(key, 10), ''), '0')::numeric as number
       from lipsync_videos where owner = $1 and video is not null
     )
     select video from own
     where not (status = 'COMPLETED' and video ->> 'url' is null)
       and ($2::text[] is null or status = any($2))
       and ($3::timestamptz is null or at > $3) and ($4::timestamptz is null or at < $4)
       and ($5::timestamptz is null or (at, number, key) ${than} ($5, $6::numeric, $7::text))
     order by at ${order}, number ${order}, key ${order} limit $8`,
    [
      range.owner,
      range.status,
      range.createdAfter,
      range.createdBefore,
      range.position?.at ?? null,
      range.position?.number ?? null,
      range.position?.key ?? null,
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
