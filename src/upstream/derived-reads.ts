import { CoalescedReads, type Work } from './coalesced-reads.ts';
import { noteSource, ReadSources } from './read-sources.ts';

type Made<T> = { value: T; sources: ReadSources };

/** Caches results of cached answers, such as a page merged from several lists, for as long as those answers are current. */
export class DerivedReads<T> {
  readonly #maxCached: number;
  readonly #cached = new Map<string, Made<T>>();
  readonly #reads = new CoalescedReads<Made<T>>();

  constructor({ maxCached }: { maxCached: number }) {
    this.#maxCached = maxCached;
  }

  async read(key: string, make: Work<T>, signal?: AbortSignal): Promise<T> {
    const cached = this.#cached.get(key);
    const { value, sources } =
      cached?.sources.isCurrent() === true
        ? cached
        : await this.#reads.read(key, (shared) => this.#make(key, make, shared), signal);
    noteSource(sources);
    return value;
  }

  /** After a change of the lists: later callers share no work that began before. */
  forgetRunning(): void {
    this.#reads.forgetAll();
  }

  async #make(key: string, make: Work<T>, signal: AbortSignal): Promise<Made<T>> {
    const sources = new ReadSources();
    const made = { value: await sources.collect(() => make(signal)), sources };
    this.#cached.delete(key);
    if (!sources.isCurrent()) return made;
    this.#cached.set(key, made);
    const [oldest] = this.#cached.keys();
    if (this.#cached.size > this.#maxCached && oldest !== undefined) this.#cached.delete(oldest);
    return made;
  }
}
