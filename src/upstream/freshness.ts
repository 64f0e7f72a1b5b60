import { Failure } from '../errors.ts';
import type { Log } from '../log.ts';
import { FreshReads, type FreshReadsOptions } from './fresh-reads.ts';
import { ReadSources } from './read-sources.ts';

export type CachedList = 'videos' | 'voices' | 'accounts';

export type FreshnessOptions = {
  /** `READ_FRESH_MS`: the maximum age of a cached answer that is used for a query. 0 = the upstream is always asked. */
  readFreshMs: number;
  now: () => Date;
  log: Log;
};

/** The upstream's lists that are cached in this process, and how long. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #versions: Record<CachedList, number> = { videos: 0, voices: 0, accounts: 0 };

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  get readFreshMs(): number {
    return this.#options.readFreshMs;
  }

  /** @param lists whose version changes with the content. `freshMs`: default `READ_FRESH_MS` */
  openReads<T>(
    lists: readonly CachedList[],
    options: Pick<FreshReadsOptions<T>, 'maxCached' | 'isCacheable'> & { freshMs?: number },
  ): FreshReads<T> {
    const { readFreshMs, now, log } = this.#options;
    return new FreshReads<T>({
      freshMs: readFreshMs,
      now,
      ...options,
      onChange: () => {
        for (const list of lists) this.#versions[list] += 1;
      },
      onRefreshError: (error) => {
        if (error instanceof Failure) {
          log.debug({ code: error.code }, 'a cached list could not be refreshed');
        } else {
          log.error({ err: error }, 'a cached list could not be refreshed');
        }
      },
    });
  }

  /**
   * Changes whenever cached content of the list is replaced by different content or dropped. It does not say whether the
   * content is still fresh: `track` does, for exactly the content that an answer used.
   */
  version(list: CachedList): number {
    return this.#versions[list];
  }

  /**
   * Runs `work` and collects the cached lists that it reads. For as long as `sources.isCurrent()`, the result can serve
   * later requests: the same content is cached and fresh. The check also starts refreshes that are due, as a read does, so
   * that a shared result never makes a request wait. Reads that are not cached make it false: those
   * that fail, those of an owner's rows, and all with `READ_FRESH_MS=0`.
   */
  track<R>(work: () => R): { result: R; sources: ReadSources } {
    const sources = new ReadSources();
    return { result: sources.collect(work), sources };
  }
}
