import type { Sql } from '../../database/connect.ts';
import type { StoredVideo, VideoStatus } from './stored.ts';

/** Null for a key that was never given out. */
export async function findPrefix(sql: Sql, key: string): Promise<string | null> {
  const [row] = await sql.query<{ prefix: string }>(
    'select prefix from id_prefixes where key = $1',
    [key],
  );
  return row?.prefix ?? null;
}

/** The key that each prefix has, which is the offered one where it had none. */
export async function keepPrefixes(
  sql: Sql,
  offered: readonly { key: string; prefix: string }[],
): Promise<{ key: string; prefix: string }[]> {
  // The update changes nothing; it makes a row that another instance added meanwhile come back too.
  return sql.query<{ key: string; prefix: string }>(
    `insert into id_prefixes (key, prefix)
     select key, prefix from unnest($1::text[], $2::text[]) as offered (key, prefix)
     order by prefix
     on conflict (prefix) do update set prefix = excluded.prefix returning key, prefix`,
    [offered.map(({ key }) => key), offered.map(({ prefix }) => prefix)],
  );
}

/**
 * What lip-syncs keep of a video, whoever they belong to, and whether one of them belongs to the owner. `prefix` is what
 * stands in front of its number upstream; null for a key that was never given out.
 */
export type Snapshot = {
  key: string;
  prefix: string | null;
  video: StoredVideo | null;
  isOwn: boolean;
};

export async function readSnapshots(
  sql: Sql,
  owner: string,
  keys: readonly string[],
): Promise<Snapshot[]> {
  return sql.query<Snapshot>(
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

export type OwnRange = {
  owner: string;
  /** Null = from the newest, or to it. Exclusive. */
  position: { at: Date; number: string; key: string } | null;
  direction: 'older' | 'newer';
  limit: number;
  status: readonly VideoStatus[] | null;
  createdAfter: Date | null;
  createdBefore: Date | null;
};

/**
 * Videos that the owner's lip-syncs used or made, from the position on in the direction: the nearest come first. The
 * order is that of `order.ts`: time, number, key.
 */
export async function readOwnVideos(sql: Sql, range: OwnRange): Promise<StoredVideo[]> {
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
