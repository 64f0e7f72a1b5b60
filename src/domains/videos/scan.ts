import { listVideos } from './endpoints.ts';
import type { Library } from './library.ts';
import {
  comparePositions,
  isWanted,
  type Position,
  positionOf,
  type VideoFilter,
} from './order.ts';
import type { Range } from './range.ts';
import { toStored } from './stored.ts';
import { type Item, pageSize, type ReadPage, Window } from './window.ts';

/** What a range asks of the list: how many, which, and on which side of which video. */
export type Search = { range: Range; filter: VideoFilter };

/** What one account's list has for a range. */
export type Scan = {
  accountId: string;
  /** Newest first, without holes; also those that were only read on the way. */
  items: Item[];
  /** The offset behind the last of them. */
  bottom: number;
  reachesStart: boolean;
  reachesEnd: boolean;
  /** Items of this time and beyond it may be missing; null = it has all that the range can want. */
  edge: number | null;
};

/**
 * Every present account's part of a page. One account's failure is the page's: a page that silently lacks an
 * account's videos would be wrong, and its cursor would skip them for ever.
 */
export async function scanAccounts(
  library: Library,
  search: Search,
  signal?: AbortSignal,
): Promise<Scan[]> {
  const accounts = await library.accounts.listPresent();
  return Promise.all(
    accounts.map(async ({ id, email }) => {
      const window = new Window(createReader(library, email, signal));
      const offset = search.range.cursor?.offsets[id] ?? 0;
      const edge =
        search.range.direction === 'older'
          ? await scanOlder(window, offset, search)
          : await scanNewer(window, offset, search);
      const { items, bottom, reachesStart, reachesEnd } = window;
      return { accountId: id, items, bottom, reachesStart, reachesEnd, edge };
    }),
  );
}

/** Whether the item is on the asked side of the cursor and passes the filter. */
export function isAnswer({ video, position }: Item, { range, filter }: Search): boolean {
  if (!isWanted(video, filter)) return false;
  if (range.cursor === null) return true;
  const order = comparePositions(range.cursor.position, position);
  return range.direction === 'older' ? order < 0 : order > 0;
}

async function scanOlder(window: Window, offset: number, search: Search): Promise<number | null> {
  const from = search.range.cursor?.position ?? null;
  await window.openAbove(offset);
  while (!window.reachesStart && !startsAbove(window, from)) await window.growUp();
  const { createdAfter } = search.filter;
  const isDone = () =>
    window.reachesEnd || (createdAfter !== null && window.oldestAt <= createdAfter.getTime());
  const count = () =>
    window.items.filter((item) => item.position.at > window.oldestAt && isAnswer(item, search))
      .length;
  while (!isDone() && window.mayRead && count() <= search.range.count) await window.growDown();
  return isDone() ? null : window.oldestAt;
}

async function scanNewer(window: Window, offset: number, search: Search): Promise<number | null> {
  const from = search.range.cursor?.position ?? null;
  await window.openBelow(offset);
  while (!window.reachesEnd && !endsBelow(window, from)) await window.growDown();
  const { createdBefore } = search.filter;
  const isDone = () =>
    window.reachesStart || (createdBefore !== null && window.newestAt >= createdBefore.getTime());
  const count = () =>
    window.items.filter((item) => item.position.at < window.newestAt && isAnswer(item, search))
      .length;
  while (!isDone() && window.mayRead && count() <= search.range.count) await window.growUp();
  return isDone() ? null : window.newestAt;
}

// Strictly: those of the cursor's own time may stand in any order, on both sides of the window's end.
function startsAbove(window: Window, from: Position | null): boolean {
  return from === null || window.newestAt > from.at;
}

function endsBelow(window: Window, from: Position | null): boolean {
  return from === null || window.oldestAt < from.at;
}

function createReader({ upstream, ids }: Library, email: string, signal?: AbortSignal): ReadPage {
  return async (offset) => {
    const page = await listVideos(upstream, { email, limit: pageSize, offset }, { signal });
    const keys = await ids.toKeys(page.items.map(({ id }) => id));
    const items = page.items.map((video, index) => {
      const stored = toStored(keys[index] ?? '', video);
      return { video: stored, position: positionOf(stored), offset: offset + index };
    });
    return { items, nextOffset: page.nextOffset, hasMore: page.hasMore };
  };
}
