import type { Sql } from '../../database/connect.ts';
import { writeCursor } from './cursor.ts';
import { numberOf, type Position, positionOf } from './order.ts';
import type { Search } from './scan.ts';
import type { VideoPage } from './slice.ts';
import { type OwnRange, readOwnVideos } from './store.ts';
import type { StoredVideo } from './stored.ts';

/** The videos that the owner's lip-syncs used or made, out of what is kept with them: no upstream call. */
export async function listOwn(
  sql: Sql,
  owner: string,
  { range, filter }: Search,
): Promise<VideoPage> {
  const { direction, count, cursor } = range;
  const read = (part: Pick<OwnRange, 'position' | 'direction' | 'limit'>) =>
    readOwnVideos(sql, { owner, ...filter, ...part });
  const position = toParams(cursor?.position ?? null);
  const found = await read({ position, direction, limit: count + 1 });
  const nearest = found.slice(0, count);
  const start = toParams(nearest[0] === undefined ? null : positionOf(nearest[0])) ?? position;
  const isOlder = direction === 'older';
  const behind =
    cursor === null
      ? []
      : await read({ position: start, direction: isOlder ? 'newer' : 'older', limit: 1 });
  const edges = (isOlder ? nearest : nearest.toReversed()).map(toEdge);
  const hasBeyond = found.length > count;
  return {
    edges,
    pageInfo: {
      hasNextPage: isOlder ? hasBeyond : behind.length > 0,
      hasPreviousPage: isOlder ? behind.length > 0 : hasBeyond,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function toEdge(node: StoredVideo) {
  return { cursor: writeCursor({ position: positionOf(node), offsets: {} }), node };
}

function toParams(position: Position | null): OwnRange['position'] {
  if (position === null) return null;
  const { at, key } = position;
  return { at: new Date(at), number: String(numberOf(position)), key };
}
