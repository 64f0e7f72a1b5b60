import type { StoredVideo } from '../stored-video.ts';
import { comparePositions, type VideoPosition } from './order.ts';

/** The result of one list call, in the upstream's order. `offset` is each item's place in the list. */
export type ListPage = {
  items: ListItem[];
  nextOffset: number;
  hasMore: boolean;
  /** False only where the page is certainly the end of the list. */
  mayHaveMore: boolean;
};
export type ListItem = { video: StoredVideo; position: VideoPosition; offset: number };
/** `isNew`: a page that was cached must be read again. */
export type ReadPage = (offset: number, options: { isNew: boolean }) => Promise<ListPage>;

/** The upstream's default, and the largest page that every upstream is assumed to allow. */
export const pageSize = 40;

/**
 * Pages overlap by this many items, so that they still connect after as many were added or deleted in between. Shorter pages,
 * of an upstream that allows less, overlap by less: each page must reach further than the one before.
 */
const maxOverlap = 5;

/** Per request and account: a filter with few matches must not read years of videos at once. */
const maxPages = 25;

/**
 * How many of `maxPages` may be read to find the cursor's place from its offset: enough if 350 videos were added or deleted
 * since. So a forged offset does not make a request read years of videos either.
 */
const maxPagesToCursor = 10;

/** Attempts to find a page that connects to the window. If all fail, the list changes too fast, and is read whole. */
const maxTries = 3;

/** The limit for a list in an unknown order, which must be read whole: 4,000 videos. */
const maxPagesOfWholeList = 100;

/**
 * A part of one account's list without gaps, extended downwards (older) and upwards (newer) page by page.
 *
 * The upstream is assumed to list newest first; this is not documented. Only the time is relied on; videos of the same
 * time may be in any order. If a page is in another order, such as oldest first, the whole list is read and sorted.
 */
export class ListWindow {
  readonly #read: ReadPage;
  readonly #items = new Map<string, ListItem>();
  #pagesRead = 0;
  #pageLength = pageSize;
  #isNew = false;
  #top = 0;
  #bottom = 0;
  #hasMore = true;

  constructor(read: ReadPage) {
    this.#read = read;
  }

  /** Newest first. */
  get items(): ListItem[] {
    return [...this.#items.values()].sort((a, b) => comparePositions(a.position, b.position));
  }

  /** The offset after the last item. */
  get bottom(): number {
    return this.#bottom;
  }

  get reachesStart(): boolean {
    return this.#top === 0;
  }

  get reachesEnd(): boolean {
    return !this.#hasMore;
  }

  /** False once this request has read its maximum of pages; the next request continues. */
  get canReadMore(): boolean {
    return this.#pagesRead < maxPages;
  }

  /** False: the cursor's place is too far from its offset. */
  get canSeekCursor(): boolean {
    return this.#pagesRead <= maxPagesToCursor;
  }

  get newestAt(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.#times());
  }

  get oldestAt(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#times());
  }

  /** Reads the first page, starting slightly above the offset at which older items are expected. */
  async openAbove(offset: number): Promise<void> {
    await this.#open(Math.max(0, offset - this.#overlap));
  }

  /** Reads the first page so that it ends slightly below the offset at which newer items end. */
  async openBelow(offset: number): Promise<void> {
    const top = Math.max(0, offset + this.#overlap - pageSize);
    await this.#open(top);
    // Pages of an upstream that allows less end far above the offset, and growing down from there takes too many of them.
    const isFarAbove = this.#bottom + this.#pageLength - this.#overlap <= offset;
    if (this.#top === top && this.#hasMore && isFarAbove) await this.#reopenBelow(offset);
  }

  async growDown(): Promise<void> {
    let offset = Math.max(0, this.#bottom - this.#overlap);
    let page = await this.#nextTo(offset);
    // More items were deleted meanwhile than pages overlap, so the list moved up past the overlap.
    for (let tries = 0; !this.#connects(page) && offset > 0 && tries < maxTries; tries += 1) {
      offset = Math.max(0, offset - this.#pageLength + this.#overlap);
      page = await this.#next(offset);
    }
    const hasNoGap = this.#connects(page) || offset === 0;
    if (!isInOrder(page)) return this.#readUnordered(offset);
    if (!hasNoGap) return this.#readWhole();
    const [bottom, count] = [this.#bottom, this.#items.size];
    this.#add(page, { top: this.#top });
    // Some upstreams announce a next page also after the last one.
    if (page.nextOffset <= bottom && this.#items.size === count) this.#hasMore = false;
  }

  async growUp(): Promise<void> {
    const top = Math.max(0, this.#top - this.#pageLength + this.#overlap);
    const pages = [await this.#nextTo(top)];
    let last = pages[0];
    // More items were added meanwhile than pages overlap, so the list moved down past the overlap.
    for (
      let tries = 0;
      last && !this.#connects(last) && last.hasMore && tries < maxTries;
      tries += 1
    ) {
      last = await this.#next(Math.max(top + 1, last.nextOffset - this.#overlap));
      pages.push(last);
    }
    const hasNoGap = last !== undefined && (this.#connects(last) || !last.hasMore);
    if (!pages.every(isInOrder)) await this.#readUnordered(top);
    else if (!hasNoGap) await this.#readWhole();
    else for (const page of pages) this.#add(page, { top, keepsBottom: true });
  }

  async #open(offset: number): Promise<void> {
    const page = await this.#next(offset);
    // The list has become shorter than the cursor's offset, or the offset is forged.
    if (page.items.length === 0 && offset > 0) await this.#open(0);
    else if (isInOrder(page)) this.#add(page, { top: offset });
    else await this.#readUnordered(offset);
  }

  /** As `openBelow`, with the length of a page that the first read has shown. */
  async #reopenBelow(offset: number): Promise<void> {
    const top = offset + this.#overlap - this.#pageLength;
    const page = await this.#next(top);
    // The list has become shorter than the offset: its end is found by growing down.
    if (page.items.length === 0) return;
    this.#items.clear();
    if (isInOrder(page)) this.#add(page, { top });
    else await this.#readUnordered(top);
  }

  /**
   * Reads the whole list because the page at this offset is not in order. Other pages can be in order by themselves: the next
   * request must begin where it sees the disorder too.
   */
  async #readUnordered(offset: number): Promise<void> {
    await this.#readWhole();
    this.#bottom = offset + maxOverlap;
    for (const [key, item] of this.#items) {
      this.#items.set(key, { ...item, offset: this.#bottom });
    }
  }

  async #readWhole(): Promise<void> {
    this.#items.clear();
    this.#hasMore = true;
    let offset = 0;
    for (let pages = 0; this.#hasMore && pages < maxPagesOfWholeList; pages += 1) {
      const page = await this.#next(offset);
      this.#add(page, { top: 0 });
      offset = Math.max(offset + 1, page.nextOffset - this.#overlap);
    }
    this.#hasMore = false;
  }

  async #next(offset: number): Promise<ListPage> {
    this.#pagesRead += 1;
    const page = await this.#read(offset, { isNew: this.#isNew });
    if (page.hasMore && page.items.length > 0) {
      this.#pageLength = Math.min(pageSize, page.items.length);
    }
    return page;
  }

  /**
   * A page that must connect to this window. Cached pages were read at different times, and the list can have moved by more
   * than the overlap in between. From the first page that does not connect, all pages are read from the upstream.
   */
  async #nextTo(offset: number): Promise<ListPage> {
    const page = await this.#next(offset);
    if (this.#isNew || this.#connects(page)) return page;
    this.#isNew = true;
    return this.#next(offset);
  }

  #add(page: ListPage, { top, keepsBottom = false }: { top: number; keepsBottom?: boolean }): void {
    for (const item of page.items) this.#items.set(item.video.key, item);
    this.#top = top;
    if (keepsBottom) return;
    this.#bottom = page.nextOffset;
    this.#hasMore = page.hasMore;
  }

  /** Whether no item can be missing between the page and this window. */
  #connects(page: ListPage): boolean {
    if (page.items.some(({ video }) => this.#items.has(video.key))) return true;
    const times = page.items.map(({ position }) => position.at);
    return Math.max(...times) > this.oldestAt && Math.min(...times) < this.newestAt;
  }

  get #overlap(): number {
    return Math.min(maxOverlap, Math.floor(this.#pageLength / 2));
  }

  #times(): number[] {
    return [...this.#items.values()].map(({ position }) => position.at);
  }
}

/** Newest first by time. A full page with a single time shows no order, and items without times prove none. */
function isInOrder({ items }: ListPage): boolean {
  const times = items.map(({ position }) => position.at);
  if (times.includes(0)) return false;
  if (items.length >= pageSize && times[0] === times.at(-1)) return false;
  return times.every((at, index) => at <= (times[index - 1] ?? at));
}
