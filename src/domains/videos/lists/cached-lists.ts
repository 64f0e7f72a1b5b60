import { InvalidInputError } from '../../../errors.ts';
import type { FreshReads } from '../../../upstream/fresh-reads.ts';
import type { VideoDependencies } from '../dependencies.ts';
import { getVideo } from '../endpoints.ts';
import { listVideos, type VideoQuery } from '../list-endpoint.ts';
import { type StoredVideo, toStored } from '../stored-video.ts';
import { type ListPage, pageSize } from './list-window.ts';
import { positionOf } from './order.ts';

/** One page of one account's list. */
export type PageQuery = { email: string; limit: number; offset: number };
export type ReadPageOptions = {
  signal?: AbortSignal | undefined;
  /** Queries the upstream, also if the page is cached. */
  isNew?: boolean;
};

/** Reads of pages and single videos, as they are shown to callers. Throws failures. */
export type VideoReader = {
  readPage(query: PageQuery, options?: ReadPageOptions): Promise<ListPage>;
  /** By GET. Null on 404, which the upstream also gives for a running video. */
  readOne(video: {
    key: string;
    upstreamId: string;
    email: string | null;
  }): Promise<StoredVideo | null>;
};

/** Per account: the 100 pages of a query's longest read, and some more. A page is about 60 KB. */
const maxCachedPages = 128;
const maxCachedVideos = 500;

/** The cached pages and videos of one account. */
type AccountReads = { pages: FreshReads<ListPage>; videos: FreshReads<StoredVideo | null> };

/** The reader that always asks the upstream. */
export function createDirectReader({ upstream, ids }: VideoDependencies): VideoReader {
  async function read(query: VideoQuery, signal?: AbortSignal): Promise<ListPage> {
    const page = await listVideos(upstream, query, { signal });
    const keys = await ids.toKeys(page.items.map(({ id }) => id));
    const items = page.items.map((video, index) => {
      const stored = toStored(keys[index] ?? '', video);
      return { video: stored, position: positionOf(stored), offset: query.offset + index };
    });
    const { nextOffset, hasMore, mayHaveMore } = page;
    return { items, nextOffset, hasMore, mayHaveMore };
  }

  return {
    async readPage(query, { signal } = {}) {
      try {
        return await read(query, signal);
      } catch (thrown) {
        // No maximum is documented: an upstream may reject a large page.
        if (!(thrown instanceof InvalidInputError) || query.limit <= pageSize) throw thrown;
        return read({ ...query, limit: pageSize }, signal);
      }
    },
    async readOne({ key, upstreamId }) {
      const video = await getVideo(upstream, upstreamId);
      return video === null ? null : toStored(key, video);
    },
  };
}

/** The reader that caches pages and videos for `READ_FRESH_MS`, until something changes in their account. */
export class CachedLists implements VideoReader {
  readonly #deps: VideoDependencies;
  readonly #direct: VideoReader;
  readonly #accounts = new Map<string, AccountReads>();

  constructor(deps: VideoDependencies) {
    this.#deps = deps;
    this.#direct = createDirectReader(deps);
  }

  readPage(query: PageQuery, { signal, isNew = false }: ReadPageOptions = {}): Promise<ListPage> {
    const { pages } = this.#open(query.email);
    const read = (shared: AbortSignal) => this.#direct.readPage(query, { signal: shared });
    const key = `${query.limit} ${query.offset}`;
    const whole = isNew || query.offset > 0 ? undefined : findWhole(pages);
    if (whole !== undefined && whole.items.length <= query.limit) return Promise.resolve(whole);
    return isNew ? pages.readNew(key, read, signal) : pages.read(key, read, signal);
  }

  readOne(video: Parameters<VideoReader['readOne']>[0]): Promise<StoredVideo | null> {
    const { videos } = this.#open(video.email ?? '');
    return videos.read(video.upstreamId, () => this.#direct.readOne(video));
  }

  /** The videos with these keys that fresh pages contain. */
  findAll(keys: readonly string[]): Map<string, StoredVideo> {
    const missing = new Set(keys);
    const found = new Map<string, StoredVideo>();
    for (const { pages } of this.#accounts.values()) {
      pages.visitFresh(({ items }) => {
        const before = found.size;
        for (const { video } of items) if (missing.delete(video.key)) found.set(video.key, video);
        return found.size > before;
      });
    }
    return found;
  }

  /** @param email null = of every account */
  drop(email: string | null): void {
    const dropped = email?.toLowerCase();
    for (const [account, { pages, videos }] of this.#accounts) {
      if (dropped !== undefined && account !== dropped && account !== '') continue;
      pages.drop();
      videos.drop();
    }
  }

  // Nothing is evicted: every e-mail comes from the upstream's accounts or from an id that it gave.
  // Ids of videos may write an e-mail with other capitals than the list of accounts.
  #open(spelling: string): AccountReads {
    const email = spelling.toLowerCase();
    const opened = this.#accounts.get(email);
    if (opened !== undefined) return opened;
    const { freshness } = this.#deps;
    const reads = {
      pages: freshness.openReads<ListPage>(['videos'], { maxCached: maxCachedPages }),
      videos: freshness.openReads<StoredVideo | null>(['videos'], { maxCached: maxCachedVideos }),
    };
    this.#accounts.set(email, reads);
    return reads;
  }
}

/** A fresh page that is the whole list, whatever its limit was. */
function findWhole(pages: FreshReads<ListPage>): ListPage | undefined {
  let whole: ListPage | undefined;
  pages.visitFresh((page) => {
    if (whole !== undefined || page.hasMore || page.items[0]?.offset !== 0) return false;
    whole = page;
    return true;
  });
  return whole;
}
