import type { Sql } from '../../database/connect.ts';
import { writeCursor } from './cursor.ts';
import type { VideoPage } from './merge-page.ts';
import { numberOf, positionOf, type VideoPosition } from './order.ts';
import type { ListQuery } from './scan.ts';
import { type OwnVideosRange, readOwnVideos } from './store.ts';
import type { StoredVideo } from './stored-video.ts';

/** The videos that the owner's lip-syncs used or made, from the copies stored with them: no upstream call. */
export async function listOwnVideos(
  sql: Sql,
  owner: string,
  { range, filter }: ListQuery,
): Promise<VideoPage> {
  const { direction, count, cursor } = range;
  const read = (part: Pick<OwnVideosRange, 'position' | 'direction' | 'limit'>) =>
    readOwnVideos(sql, { owner, ...filter, ...part });
  const position = toParams(cursor?.position ?? null);
  const found = await read({ position, direction, limit: count + 1 });
  const nearest = found.slice(0, count);
  const start = toParams(nearest[0] === undefined ? null : positionOf(nearest[0])) ?? position;
  const isOlder = direction === 'older';
  const onOtherSide =
    cursor === null
      ? []
      : await read({ position: start, direction: isOlder ? 'newer' : 'older', limit: 1 });
  const edges = (isOlder ? nearest : nearest.toReversed()).map(toEdge);
  const hasAhead = found.length > count;
  return {
    edges,
    pageInfo: {
      hasNextPage: isOlder ? hasAhead : onOtherSide.length > 0,
      hasPreviousPage: isOlder ? onOtherSide.length > 0 : hasAhead,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function toEdge(node: StoredVideo) {
  return { cursor: writeCursor({ position: positionOf(node), offsets: {} }), node };
}

function toParams(position: VideoPosition | null): OwnVideosRange['position'] {
  if (position === null) return null;
  const { at, key } = position;
  return { at: new Date(at), number: String(numberOf(position)), key };
}
