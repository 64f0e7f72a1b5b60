import type { AccountService } from '../../accounts/service.ts';
import type { VideoReader } from './cached-lists.ts';
import { outdatedCursor } from './cursor.ts';
import { type ListItem, ListWindow, pageSize, type ReadPage } from './list-window.ts';
import { comparePositions, matchesFilter, type VideoFilter, type VideoPosition } from './order.ts';
import type { PageRange } from './page-arguments.ts';

/** Which videos a page must contain: how many, matching which filter, on which side of which cursor. */
export type ListQuery = { range: PageRange; filter: VideoFilter };

/** The part of one account's list that was read for a query. */
export type AccountScan = {
  accountId: string;
  /** Newest first, without gaps; also items that do not match the query. */
  items: ListItem[];
  /** The offset after the last item. */
  bottom: number;
  reachesStart: boolean;
  reachesEnd: boolean;
  /** From this time on, in reading direction, items may be missing. Null = no item that the query wants is missing. */
  incompleteFrom: number | null;
};

/**
 * Scans every present account. The failure of one account fails the page: a page that silently lacks an account's videos
 * would be wrong, and its cursor would skip those videos on all later pages.
 */
export async function scanAccounts(
  { accounts, reader }: { accounts: AccountService; reader: VideoReader },
  query: ListQuery,
  signal?: AbortSignal,
): Promise<AccountScan[]> {
  const present = await accounts.listCached();
  return Promise.all(
    present.map(async ({ id, email }) => {
      const window = new ListWindow(createReader(reader, email, signal));
      const offset = query.range.cursor?.offsets[id] ?? 0;
      const incompleteFrom =
        query.range.direction === 'older'
          ? await scanOlder(window, offset, query)
          : await scanNewer(window, offset, query);
      const { items, bottom, reachesStart, reachesEnd } = window;
      return { accountId: id, items, bottom, reachesStart, reachesEnd, incompleteFrom };
    }),
  );
}

/** Whether the item is on the wanted side of the cursor and passes the filter. */
export function matchesQuery({ video, position }: ListItem, { range, filter }: ListQuery): boolean {
  if (!matchesFilter(video, filter)) return false;
  if (range.cursor === null) return true;
  const order = comparePositions(range.cursor.position, position);
  return range.direction === 'older' ? order < 0 : order > 0;
}

async function scanOlder(
  window: ListWindow,
  offset: number,
  query: ListQuery,
): Promise<number | null> {
  const from = query.range.cursor?.position ?? null;
  await window.openAbove(offset);
  while (!window.reachesStart && !startsAbove(window, from)) {
    if (!window.canSeekCursor) throw outdatedCursor('after');
    await window.growUp();
  }
  const { createdAfter } = query.filter;
  const isDone = () =>
    window.reachesEnd || (createdAfter !== null && window.oldestAt <= createdAfter.getTime());
  const count = () =>
    window.items.filter((item) => item.position.at > window.oldestAt && matchesQuery(item, query))
      .length;
  while (!isDone() && window.canReadMore && count() <= query.range.count) await window.growDown();
  return isDone() ? null : window.oldestAt;
}

async function scanNewer(
  window: ListWindow,
  offset: number,
  query: ListQuery,
): Promise<number | null> {
  const from = query.range.cursor?.position ?? null;
  await window.openBelow(offset);
  while (!window.reachesEnd && !endsBelow(window, from)) {
    if (!window.canSeekCursor) throw outdatedCursor('before');
    await window.growDown();
  }
  const { createdBefore } = query.filter;
  const isDone = () =>
    window.reachesStart || (createdBefore !== null && window.newestAt >= createdBefore.getTime());
  const count = () =>
    window.items.filter((item) => item.position.at < window.newestAt && matchesQuery(item, query))
      .length;
  while (!isDone() && window.canReadMore && count() <= query.range.count) await window.growUp();
  return isDone() ? null : window.newestAt;
}

// Strict comparison: videos with the cursor's own time may be in any order, on both sides of the window's edge.
function startsAbove(window: ListWindow, from: VideoPosition | null): boolean {
  return from === null || window.newestAt > from.at;
}

function endsBelow(window: ListWindow, from: VideoPosition | null): boolean {
  return from === null || window.oldestAt < from.at;
}

function createReader(reader: VideoReader, email: string, signal?: AbortSignal): ReadPage {
  return (offset, { isNew }) =>
    reader.readPage({ email, limit: pageSize, offset }, { signal, isNew });
}
