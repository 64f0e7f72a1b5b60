import { AsyncLocalStorage } from 'node:async_hooks';

/** Cached content that an answer used. `isCurrent` also starts a refresh of the content that is due, as a read does. */
export type ReadSource = { isCurrent(): boolean };

const collecting = new AsyncLocalStorage<ReadSources | undefined>();

/** Never current: the answer also depends on something that is not cached, such as rows of the database. */
const uncached: ReadSource = { isCurrent: () => false };

/** The cached lists that a piece of work read. Its result can be used again for as long as they are current. */
export class ReadSources implements ReadSource {
  readonly #sources = new Set<ReadSource>();

  /** Collects what `work` reads, in everything that it calls and awaits. */
  collect<R>(work: () => R): R {
    return collecting.run(this, work);
  }

  /** False without any source: such work read nothing that is cached. */
  isCurrent(): boolean {
    for (const source of this.#sources) if (!source.isCurrent()) return false;
    return this.#sources.size > 0;
  }

  add(source: ReadSource): void {
    this.#sources.add(source);
  }
}

/** Adds a source to the work in progress, if its sources are collected. */
export function noteSource(source: ReadSource): void {
  collecting.getStore()?.add(source);
}

/** For reads of rows that change without a change of a cached list: the work in progress is never current. */
export function noteUncachedSource(): void {
  noteSource(uncached);
}

/** Runs work whose reads are not sources of the work in progress. */
export function withoutSources<R>(work: () => R): R {
  return collecting.run(undefined, work);
}
