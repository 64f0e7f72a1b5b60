import { isDeepStrictEqual } from 'node:util';
import { CoalescedReads, type Work } from './coalesced-reads.ts';
import { noteSource, noteUncachedSource, type ReadSource, withoutSources } from './read-sources.ts';

export type FreshReadsOptions<T> = {
  /** How old an answer may be when it is served, from the start of its request. 0 = nothing is cached. */
  freshMs: number;
  now: () => Date;
  /** The least recently used answers beyond this number are dropped. */
  maxCached: number;
  /** False for an answer that must not be served again. Default: every answer is cached. */
  isCacheable?: (value: T) => boolean;
  /** Called when an answer that was cached is replaced by a different one, or dropped. */
  onChange?: () => void;
  /** An error of a refresh in the background, which no caller gets. */
  onRefreshError?: (error: unknown) => void;
};

type Cached<T> = ReadSource & { value: T; requestedAt: number; work: Work<T> };
type FailedRead = { error: unknown; at: number };

/**
 * Requests that arrive one after the other in a burst share a failure for this long, so that an upstream that fails fast is
 * not called by each of them.
 */
const sharedFailureMs = 200;

/**
 * Reads whose answers are cached. An answer younger than `freshMs` is served without a call; once it is half as old as that,
 * a read also refreshes it in the background, so that under steady load no caller waits. An older answer is never served.
 * Concurrent reads share one call. Failures are not cached, and a failed refresh leaves the cached answer.
 */
export class FreshReads<T> {
  readonly #options: FreshReadsOptions<T>;
  readonly #cached = new Map<string, Cached<T>>();
  readonly #failed = new Map<string, FailedRead>();
  readonly #reads = new CoalescedReads<T>();
  #drops = 0;

  constructor(options: FreshReadsOptions<T>) {
    this.#options = options;
  }

  async read(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const cached = this.#cached.get(key);
    if (cached?.isCurrent() === true) {
      // Moved to the end: the first entry of the map is the least recently used one.
      this.#cached.delete(key);
      this.#cached.set(key, cached);
      noteSource(cached);
      return cached.value;
    }
    const ask = (shared: AbortSignal) => this.#ask(key, work, shared);
    return this.#noted(key, async () => {
      const failed = this.#findRecentFailure(key);
      if (failed !== undefined) throw failed.error;
      return this.#reads.read(key, ask, signal);
    });
  }

  /** Calls the upstream even if an answer is fresh, and caches the new answer. Never shares a call that began before. */
  async readNew(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    const ask = (shared: AbortSignal) => this.#ask(key, work, shared);
    return this.#noted(key, () => this.#reads.readFresh(key, ask, signal));
  }

  /** Visits the fresh answers, from the latest to the earliest requested. `visit` returns whether it used the answer. */
  visitFresh(visit: (value: T) => boolean): void {
    const latestFirst = [...this.#cached.values()].sort((a, b) => b.requestedAt - a.requestedAt);
    for (const cached of latestFirst) {
      if (this.#isFresh(cached) && visit(cached.value) && cached.isCurrent()) noteSource(cached);
    }
  }

  /** The cached answer of any age. One that is due is refreshed in the background. */
  findCached(key: string): T | undefined {
    const cached = this.#cached.get(key);
    if (cached === undefined) return undefined;
    noteSource(cached);
    this.#refreshIfDue(key, cached);
    return cached.value;
  }

  /** Caches an answer that was requested at this time for another purpose. `work` refreshes it later. */
  put(key: string, answer: { value: T; requestedAt: Date; work: Work<T> }): void {
    this.#keep(key, { ...answer, requestedAt: answer.requestedAt.getTime() });
  }

  /** After a change: the next reads call the upstream, and share no call that began before. */
  drop(): void {
    this.#drops += 1;
    this.#reads.forgetAll();
    this.#failed.clear();
    if (this.#cached.size === 0) return;
    this.#cached.clear();
    this.#options.onChange?.();
  }

  async #ask(key: string, work: Work<T>, signal: AbortSignal): Promise<T> {
    const drops = this.#drops;
    const requestedAt = this.#nowMs();
    try {
      const value = await withoutSources(() => work(signal));
      this.#failed.delete(key);
      // An answer that was requested before a change may lack it.
      return drops === this.#drops ? this.#keep(key, { value, requestedAt, work }) : value;
    } catch (error) {
      if (!signal.aborted && drops === this.#drops) this.#keepFailure(key, error);
      throw error;
    }
  }

  /** @returns the value that is cached: the earlier one if both are equal, so that results that use it stay valid */
  #keep(key: string, answer: { value: T; requestedAt: number; work: Work<T> }): T {
    const { freshMs, isCacheable, maxCached, onChange } = this.#options;
    if (freshMs === 0 || isCacheable?.(answer.value) === false) return answer.value;
    const earlier = this.#cached.get(key);
    if (earlier !== undefined && isDeepStrictEqual(earlier.value, answer.value)) {
      earlier.requestedAt = Math.max(earlier.requestedAt, answer.requestedAt);
      return earlier.value;
    }
    const cached: Cached<T> = {
      ...answer,
      isCurrent: () => {
        if (this.#cached.get(key) !== cached || !this.#isFresh(cached)) return false;
        this.#refreshIfDue(key, cached);
        return true;
      },
    };
    this.#cached.delete(key);
    this.#cached.set(key, cached);
    const [oldest] = this.#cached.keys();
    const isOverfull = this.#cached.size > maxCached && oldest !== undefined;
    if (isOverfull) this.#cached.delete(oldest);
    if (earlier !== undefined || isOverfull) onChange?.();
    return answer.value;
  }

  #refreshIfDue(key: string, { requestedAt, work }: Cached<T>): void {
    const isDue = 2 * (this.#nowMs() - requestedAt) >= this.#options.freshMs;
    if (!isDue || this.#reads.isReading(key) || this.#findRecentFailure(key) !== undefined) return;
    this.#reads
      .read(key, (signal) => this.#ask(key, work, signal))
      .catch((error: unknown) => this.#options.onRefreshError?.(error));
  }

  #keepFailure(key: string, error: unknown): void {
    if (this.#options.freshMs === 0) return;
    if (this.#failed.size >= this.#options.maxCached) this.#failed.clear();
    this.#failed.set(key, { error, at: this.#nowMs() });
  }

  #findRecentFailure(key: string): FailedRead | undefined {
    const failed = this.#failed.get(key);
    return failed !== undefined && this.#isYounger(failed.at, sharedFailureMs) ? failed : undefined;
  }

  /** Also a failure is a source: a result that shows it is not cached. */
  async #noted(key: string, read: () => Promise<T>): Promise<T> {
    let source: ReadSource | undefined;
    try {
      const value = await read();
      const cached = this.#cached.get(key);
      if (cached?.value === value) source = cached;
      return value;
    } finally {
      if (source === undefined) noteUncachedSource();
      else noteSource(source);
    }
  }

  #isFresh({ requestedAt }: Cached<T>): boolean {
    return this.#isYounger(requestedAt, this.#options.freshMs);
  }

  // A time in the future means that the clock was set back: its age is not known.
  #isYounger(at: number, ms: number): boolean {
    const age = this.#nowMs() - at;
    return age >= 0 && age < ms;
  }

  #nowMs(): number {
    return this.#options.now().getTime();
  }
}
