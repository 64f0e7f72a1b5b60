import type { Sql } from '../../../database/connect.ts';
import { type OwnVideosPosition, readOwnVideos } from '../store.ts';
import type { StoredVideo } from '../stored-video.ts';
import { writeCursor } from './cursor.ts';
import type { VideoPage } from './merge-page.ts';
import { comparePositions, numberOf, positionOf, type VideoPosition } from './order.ts';
import type { ListQuery } from './scan.ts';

/** The videos that the owner's lip-syncs used or made, as they are stored: no upstream call. */
export async function listOwnVideos(
  sql: Sql,
  owner: string,
  { range, filter }: ListQuery,
): Promise<VideoPage> {
  const { direction, count, cursor } = range;
  const read = (part: Pick<Start, 'position' | 'direction'> & { limit: number }) =>
    readOwnVideos(sql, {
      ...{ owner, statuses: filter.statuses, direction: part.direction, limit: part.limit },
      ...boundsOf({ ...part, filter }),
    });
  const position = cursor?.position ?? null;
  const found = await read({ position, direction, limit: count + 1 });
  const nearest = found.slice(0, count);
  const start = nearest[0] === undefined ? position : positionOf(nearest[0]);
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

type Start = {
  position: VideoPosition | null;
  direction: 'older' | 'newer';
  filter: ListQuery['filter'];
};

/**
 * One bound at each end, the nearer one of the position and the filter. With two, the index would be read from one of them,
 * and a deep page would read all rows up to its cursor.
 */
function boundsOf({ position, direction, filter: { createdAfter, createdBefore } }: Start) {
  const isOlder = direction === 'older';
  const newest = createdBefore === null ? null : { at: createdBefore.getTime(), key: '' };
  const oldest = createdAfter === null ? null : { at: createdAfter.getTime(), key: lastKey };
  const upper = [isOlder ? position : null, newest].filter((each) => each !== null);
  const lower = [isOlder ? null : position, oldest].filter((each) => each !== null);
  return {
    olderThan: toParams(upper.toSorted(comparePositions).at(-1)),
    newerThan: toParams(lower.toSorted(comparePositions)[0]),
  };
}

/** After the key of every video: numbers have at most 64 digits. */
const lastKey = `zzzzzzzz-1${'0'.repeat(64)}`;

function toParams(position: VideoPosition | undefined): OwnVideosPosition | null {
  if (position === undefined) return null;
  const { at, key } = position;
  return { at: new Date(at), number: String(numberOf(position)), key };
}
