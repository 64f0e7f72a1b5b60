import { comparePositions, type Position } from './order.ts';
import type { StoredVideo } from './stored.ts';

/** What one list call gave, in the upstream's order. `offset` is where each item stood. */
export type Page = { items: Item[]; nextOffset: number; hasMore: boolean };
export type Item = { video: StoredVideo; position: Position; offset: number };
export type ReadPage = (offset: number) => Promise<Page>;

/** The upstream's default, and the most that is believed to be allowed. */
export const pageSize = 40;

/** Pages overlap by so many items, so that they still meet after as many were added or deleted in between. */
const overlap = 5;

/** For one request and account: a filter that matches nearly nothing must not read years of videos at once. */
const maxPages = 25;

/** For pages that do not meet. After that the list changes too fast for this, and is read whole. */
const maxTries = 3;

/** For a list in an unknown order, which can only be read whole: 4,000 videos. */
const maxPagesOfWhole = 100;

/**
 * A part of one account's list, without holes, grown downwards (older) and upwards (newer) page by page.
 *
 * That the upstream lists newest first is an assumption: its page does not say. Only the time is relied on; those of the
 * same time may stand in any order. Where a page shows another order (oldest first, say), the whole list is read and
 * sorted instead.
 */
export class Window {
  readonly #read: ReadPage;
  readonly #items = new Map<string, Item>();
  #pagesRead = 0;
  #top = 0;
  #bottom = 0;
  #hasMore = true;

  constructor(read: ReadPage) {
    this.#read = read;
  }

  /** Newest first. */
  get items(): Item[] {
    return [...this.#items.values()].sort((a, b) => comparePositions(a.position, b.position));
  }

  /** The offset behind its last item. */
  get bottom(): number {
    return this.#bottom;
  }

  get reachesStart(): boolean {
    return this.#top === 0;
  }

  get reachesEnd(): boolean {
    return !this.#hasMore;
  }

  /** Whether it may grow. What is not read then is read by the next request. */
  get mayRead(): boolean {
    return this.#pagesRead < maxPages;
  }

  get newestAt(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.#times());
  }

  get oldestAt(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#times());
  }

  /** Reads its first page, a bit above the offset at which older items are expected. */
  async openAbove(offset: number): Promise<void> {
    await this.#open(Math.max(0, offset - overlap));
  }

  /** Reads its first page so that it ends a bit below the offset at which newer items end. */
  async openBelow(offset: number): Promise<void> {
    await this.#open(Math.max(0, offset + overlap - pageSize));
  }

  async growDown(): Promise<void> {
    let offset = Math.max(0, this.#bottom - overlap);
    let page = await this.#next(offset);
    // So many were deleted meanwhile that the list moved up past the overlap.
    for (let tries = 0; !this.#meets(page) && offset > 0 && tries < maxTries; tries += 1) {
      offset = Math.max(0, offset - pageSize + overlap);
      page = await this.#next(offset);
    }
    const isWithoutHole = this.#meets(page) || offset === 0;
    if (isWithoutHole && isInOrder(page)) this.#add(page, { top: this.#top });
    else await this.#readWhole();
  }

  async growUp(): Promise<void> {
    const top = Math.max(0, this.#top - pageSize + overlap);
    const pages = [await this.#next(top)];
    let last = pages[0];
    // So many were added meanwhile that the list moved down past the overlap.
    for (
      let tries = 0;
      last && !this.#meets(last) && last.hasMore && tries < maxTries;
      tries += 1
    ) {
      last = await this.#next(Math.max(top + 1, last.nextOffset - overlap));
      pages.push(last);
    }
    const isWithoutHole = last !== undefined && (this.#meets(last) || !last.hasMore);
    if (!isWithoutHole || !pages.every(isInOrder)) await this.#readWhole();
    else for (const page of pages) this.#add(page, { top, keepsBottom: true });
  }

  async #open(offset: number): Promise<void> {
    const page = await this.#next(offset);
    // The list has become shorter than the hint, or the hint was made up.
    if (page.items.length === 0 && offset > 0) await this.#open(0);
    else if (isInOrder(page)) this.#add(page, { top: offset });
    else await this.#readWhole();
  }

  async #readWhole(): Promise<void> {
    this.#items.clear();
    this.#hasMore = true;
    let offset = 0;
    for (let pages = 0; this.#hasMore && pages < maxPagesOfWhole; pages += 1) {
      const page = await this.#next(offset);
      this.#add(page, { top: 0 });
      offset = Math.max(offset + 1, page.nextOffset - overlap);
    }
    this.#hasMore = false;
  }

  async #next(offset: number): Promise<Page> {
    this.#pagesRead += 1;
    return this.#read(offset);
  }

  #add(page: Page, { top, keepsBottom = false }: { top: number; keepsBottom?: boolean }): void {
    for (const item of page.items) this.#items.set(item.video.key, item);
    this.#top = top;
    if (keepsBottom) return;
    this.#bottom = page.nextOffset;
    this.#hasMore = page.hasMore;
  }

  /** Whether nothing can be missing between the page and what is held. */
  #meets(page: Page): boolean {
    if (page.items.some(({ video }) => this.#items.has(video.key))) return true;
    const times = page.items.map(({ position }) => position.at);
    return Math.max(...times) > this.oldestAt && Math.min(...times) < this.newestAt;
  }

  #times(): number[] {
    return [...this.#items.values()].map(({ position }) => position.at);
  }
}

/**
 * Newest first by time. A full page of one and the same time shows no order, and one without times cannot be trusted
 * to have any.
 */
function isInOrder({ items }: Page): boolean {
  const times = items.map(({ position }) => position.at);
  if (times.includes(0)) return false;
  if (items.length >= pageSize && times[0] === times.at(-1)) return false;
  return times.every((at, index) => at <= (times[index - 1] ?? at));
}
