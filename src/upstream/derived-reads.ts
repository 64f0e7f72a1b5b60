import { CoalescedReads, type Work } from './coalesced-reads.ts';
import { noteSource, ReadSources } from './read-sources.ts';

type Made<T> = { value: T; sources: ReadSources };

/** Results made from kept answers, such as a page merged from several lists. Each is used for as long as they are current. */
export class DerivedReads<T> {
  readonly #maxKept: number;
  readonly #kept = new Map<string, Made<T>>();
  readonly #reads = new CoalescedReads<Made<T>>();

  constructor({ maxKept }: { maxKept: number }) {
    this.#maxKept = maxKept;
  }

  async read(key: string, make: Work<T>, signal?: AbortSignal): Promise<T> {
    const kept = this.#kept.get(key);
    const { value, sources } =
      kept?.sources.isCurrent() === true
        ? kept
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
    this.#kept.delete(key);
    if (!sources.isCurrent()) return made;
    this.#kept.set(key, made);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#maxKept && oldest !== undefined) this.#kept.delete(oldest);
    return made;
  }
}
