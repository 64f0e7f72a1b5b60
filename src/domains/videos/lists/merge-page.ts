import type { StoredVideo } from '../stored-video.ts';
import { writeCursor } from './cursor.ts';
import type { ListItem } from './list-window.ts';
import { comparePositions, matchesFilter, type VideoPosition } from './order.ts';
import { type AccountScan, type ListQuery, matchesQuery } from './scan.ts';

export type VideoPage = {
  edges: { cursor: string; node: StoredVideo }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

/** Merges the scans of all accounts into one page. */
export function mergePage(scans: readonly AccountScan[], query: ListQuery): VideoPage {
  const { range } = query;
  const { matches, limit } = mergeScans(scans, query);
  const hasMoreMatches = matches.length > range.count;
  const items =
    range.direction === 'older' ? matches.slice(0, range.count) : matches.slice(-range.count);
  const edges = items.map(({ video, position }) => ({
    cursor: cursorAt(scans, position),
    node: video,
  }));
  const first = edges[0]?.cursor ?? null;
  const last = edges.at(-1)?.cursor ?? null;
  // Reading stopped before the page was full, because the filter matches little. The next page continues from there.
  const stop =
    hasMoreMatches || limit === null ? null : cursorAt(scans, stopPosition(limit, query));
  const isOlder = range.direction === 'older';
  const hasAhead = hasMoreMatches || stop !== null;
  return {
    edges,
    pageInfo: {
      hasNextPage: isOlder ? hasAhead : hasBehind(scans, query),
      hasPreviousPage: isOlder ? hasBehind(scans, query) : hasAhead,
      startCursor: isOlder ? first : (stop ?? first),
      endCursor: isOlder ? (stop ?? last) : last,
    },
  };
}

/** The matches of all accounts, newest first, up to the first time from which any account is incomplete. */
function mergeScans(scans: readonly AccountScan[], query: ListQuery) {
  const limits = scans.flatMap(({ incompleteFrom }) =>
    incompleteFrom === null ? [] : [incompleteFrom],
  );
  const isOlder = query.range.direction === 'older';
  const limit = isOlder ? Math.max(...limits) : Math.min(...limits);
  // An upstream that ignores the e-mail shows each video in the list of each account.
  const items = new Map(scans.flatMap(({ items }) => items.map((item) => [item.video.key, item])));
  const matches = [...items.values()]
    .filter((item) => matchesQuery(item, query) && isWithin(item, limit, isOlder))
    .sort((a, b) => comparePositions(a.position, b.position));
  return { matches, limit: limits.length === 0 ? null : limit };
}

function isWithin({ position }: ListItem, limit: number, isOlder: boolean): boolean {
  return isOlder ? position.at > limit : position.at < limit;
}

/** Just before the items that may be missing, but never before the position where the page began. */
function stopPosition(limit: number, { range }: ListQuery): VideoPosition {
  const isOlder = range.direction === 'older';
  const stop = { at: isOlder ? limit + 1 : limit, key: '' };
  const from = range.cursor?.position;
  if (from === undefined) return stop;
  const isAhead = comparePositions(from, stop) < 0;
  return isAhead === isOlder ? stop : from;
}

/** Whether the list has matches on the other side of the cursor. */
function hasBehind(scans: readonly AccountScan[], { range, filter }: ListQuery): boolean {
  const { cursor } = range;
  if (cursor === null) return false;
  const isOlder = range.direction === 'older';
  const isSeen = scans.some(({ items }) =>
    items.some(({ video, position }) => {
      const order = comparePositions(cursor.position, position);
      return (isOlder ? order >= 0 : order <= 0) && matchesFilter(video, filter);
    }),
  );
  // The unread part of a list counts as matching, although the filter may exclude all of it.
  return isSeen || scans.some((scan) => !(isOlder ? scan.reachesStart : scan.reachesEnd));
}

/** The cursor also contains, for each account, the offset of its first video after the position. */
function cursorAt(scans: readonly AccountScan[], position: VideoPosition): string {
  const offsets = scans.map(({ accountId, items, bottom }) => {
    const next = items.find((item) => comparePositions(position, item.position) < 0);
    return [accountId, next?.offset ?? bottom] as const;
  });
  return writeCursor({ position, offsets: Object.fromEntries(offsets) });
}
