import { writeCursor } from './cursor.ts';
import { comparePositions, isWanted, type Position } from './order.ts';
import { isAnswer, type Scan, type Search } from './scan.ts';
import type { StoredVideo } from './stored.ts';
import type { Item } from './window.ts';

export type VideoPage = {
  edges: { cursor: string; node: StoredVideo }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

/** Merges what the accounts have into one page. */
export function cutPage(scans: readonly Scan[], search: Search): VideoPage {
  const { range } = search;
  const { answers, limit } = merge(scans, search);
  const isMore = answers.length > range.count;
  const items =
    range.direction === 'older' ? answers.slice(0, range.count) : answers.slice(-range.count);
  const edges = items.map(({ video, position }) => ({
    cursor: cursorAt(scans, position),
    node: video,
  }));
  const first = edges[0]?.cursor ?? null;
  const last = edges.at(-1)?.cursor ?? null;
  // The reading stopped before the page was full: a filter matches little. It goes on from where it stopped.
  const stop = isMore || limit === null ? null : cursorAt(scans, stopPosition(limit, search));
  const isOlder = range.direction === 'older';
  const hasBeyond = isMore || stop !== null;
  return {
    edges,
    pageInfo: {
      hasNextPage: isOlder ? hasBeyond : hasBehind(scans, search),
      hasPreviousPage: isOlder ? hasBehind(scans, search) : hasBeyond,
      startCursor: isOlder ? first : (stop ?? first),
      endCursor: isOlder ? (stop ?? last) : last,
    },
  };
}

/** The answers of all accounts, newest first, as far as none of them may have more in between. */
function merge(scans: readonly Scan[], search: Search) {
  const limits = scans.flatMap(({ edge }) => (edge === null ? [] : [edge]));
  const isOlder = search.range.direction === 'older';
  const limit = isOlder ? Math.max(...limits) : Math.min(...limits);
  const answers = scans
    .flatMap(({ items }) => items)
    .filter((item) => isAnswer(item, search) && isInside(item, limit, isOlder))
    .sort((a, b) => comparePositions(a.position, b.position));
  return { answers, limit: limits.length === 0 ? null : limit };
}

function isInside({ position }: Item, limit: number, isOlder: boolean): boolean {
  return isOlder ? position.at > limit : position.at < limit;
}

/** Just before those that may be missing; but never back behind where the page began. */
function stopPosition(limit: number, { range }: Search): Position {
  const isOlder = range.direction === 'older';
  const stop = { at: isOlder ? limit + 1 : limit, key: '' };
  const from = range.cursor?.position;
  if (from === undefined) return stop;
  const isAhead = comparePositions(from, stop) < 0;
  return isAhead === isOlder ? stop : from;
}

/** Whether the list has answers on the other side of the cursor. */
function hasBehind(scans: readonly Scan[], { range, filter }: Search): boolean {
  const { cursor } = range;
  if (cursor === null) return false;
  const isOlder = range.direction === 'older';
  const isSeen = scans.some(({ items }) =>
    items.some(({ video, position }) => {
      const order = comparePositions(cursor.position, position);
      return (isOlder ? order >= 0 : order <= 0) && isWanted(video, filter);
    }),
  );
  // What was not read is there, though a filter may not want it.
  return isSeen || scans.some((scan) => !(isOlder ? scan.reachesStart : scan.reachesEnd));
}

/** With the offset, by account, of the first video behind the position. */
function cursorAt(scans: readonly Scan[], position: Position): string {
  const offsets = scans.map(({ accountId, items, bottom }) => {
    const next = items.find((item) => comparePositions(position, item.position) < 0);
    return [accountId, next?.offset ?? bottom] as const;
  });
  return writeCursor({ position, offsets: Object.fromEntries(offsets) });
}
