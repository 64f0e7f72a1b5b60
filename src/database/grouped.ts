import { AsyncLocalStorage } from 'node:async_hooks';
import { isStatementRejected, isTransient } from './failures.ts';

/** A bound on the time for which one group holds its locks and its connection. */
const maxSize = 100;

type Waiting<Item, Result> = {
  item: Item;
  resolve: (result: Result) => void;
  reject: (reason: unknown) => void;
};

/** `beginNext` can be called before the work has ended. */
type GroupWork<Item, Result> = (
  items: readonly Item[],
  beginNext: () => void,
) => Promise<readonly Result[]>;

/**
 * Does the same work for many items with few statements: items that arrive while a group is in progress form the next
 * group. So a group is large exactly when the database is busy, and an item that arrives alone does not wait.
 */
export class GroupedWork<Item, Result> {
  readonly #work: GroupWork<Item, Result>;
  // A group must not run in the context, such as a transaction, of the caller that happens to begin it.
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  #waiting: Waiting<Item, Result>[] = [];
  #isRunning = false;

  /**
   * @param work returns one result for each item, in their order. If it throws, each item of the group is rejected, except
   * where the database rejected a statement: one item can be the reason, so each is then processed alone,
   * maybe after items of the next group. The next group begins when the work has ended, or when it calls `beginNext`
   */
  constructor(work: GroupWork<Item, Result>) {
    this.#work = work;
  }

  /** Items are processed in the order of these calls. */
  run(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Requests that are read in the same turn of the event loop join the first group.
      setImmediate(() => this.#inOwnContext(() => this.#runAll()));
    }
    return promise;
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { promise: isNextAllowed, resolve: beginNext } = Promise.withResolvers<void>();
      const group = this.#waiting.splice(0, maxSize);
      await Promise.race([this.#runGroup(group, beginNext), isNextAllowed]);
    }
    this.#isRunning = false;
  }

  async #runGroup(
    group: readonly Waiting<Item, Result>[],
    beginNext: () => void = () => undefined,
  ): Promise<void> {
    try {
      const items = group.map(({ item }) => item);
      const results = await this.#work(items, beginNext);
      for (const [at, { resolve }] of group.entries()) resolve(results[at] as Result);
    } catch (error) {
      await this.#handleError(group, error);
    }
  }

  async #handleError(group: readonly Waiting<Item, Result>[], error: unknown): Promise<void> {
    if (group.length > 1 && isStatementRejected(error) && !isTransient(error)) {
      for (const each of group) await this.#runGroup([each]);
    } else {
      for (const { reject } of group) reject(error);
    }
  }
}
