import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { isConflict } from './failures.ts';
import type { QueryOptions, Row, Sql, Transaction } from './sql.ts';

const maxRetries = 3;

type Commit = { listeners: (() => void)[]; isOver: boolean };

const commits = new AsyncLocalStorage<Commit>();

/**
 * Calls the listener when the transaction that this runs in is committed, and never if it is rolled back; outside of
 * transactions at once. For logs and metrics: the listener must not throw.
 */
export function afterCommit(listener: () => void): void {
  const commit = commits.getStore();
  if (commit === undefined || commit.isOver) listener();
  else commit.listeners.push(listener);
}

/** Runs `attempt`, which commits before it resolves, and then the listeners of `afterCommit`. */
async function notifyAfterCommit<T>(attempt: () => Promise<T>): Promise<T> {
  const commit: Commit = { listeners: [], isOver: false };
  const result = await commits.run(commit, attempt).finally(() => {
    commit.isOver = true;
  });
  for (const listener of commit.listeners) listener();
  return result;
}

/** Runs `attempt`, a transaction, and repeats it after a serialization failure or deadlock, up to 3 times. */
export async function retryConflicts<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await notifyAfterCommit(attempt);
    } catch (error) {
      if (retry === maxRetries || !isConflict(error)) throw error;
      // A random delay, so that the same two transactions do not conflict again.
      await wait(Math.random() * 10 * 2 ** retry);
    }
  }
}

/**
 * Detects database calls from inside `work` of a transaction. On PGlite, `db.query` there would deadlock: it waits for the
 * one connection, which its own transaction holds. On PostgreSQL it would run outside the transaction.
 */
export class TransactionScope {
  readonly #storage = new AsyncLocalStorage<{ isOpen: boolean }>();

  /** @throws if the caller runs inside a transaction of this database */
  assertOutside(name: string): void {
    if (this.#storage.getStore()?.isOpen === true) {
      throw new Error(`${name} was called inside transaction(): use only tx there.`);
    }
  }

  /**
   * @param run executes one statement
   * @param options.isPipelined `run` keeps the order of its calls, also without waiting. Otherwise one statement is sent at a
   * time
   * @param options.onFinish called when `work` has sent its last statements with `finish`
   */
  async run<T>(
    run: Sql['query'],
    work: (tx: Transaction) => Promise<T>,
    { isPipelined, onFinish }: { isPipelined: boolean; onFinish?: () => void },
  ): Promise<T> {
    // Code that `work` started without awaiting it keeps this store. It can use the database again after the transaction.
    const store = { isOpen: true };
    let isFinished = false;
    let last: Promise<unknown> = Promise.resolve();
    const tx: Transaction = {
      query<R extends Row>(
        text: string,
        params?: readonly unknown[],
        options?: QueryOptions,
      ): Promise<R[]> {
        if (!store.isOpen || isFinished) {
          return Promise.reject(new Error('This transaction has ended.'));
        }
        const send = () => run<R>(text, params, options);
        const result = isPipelined ? send() : last.then(send);
        const settled = result.then(ignore, ignore);
        last = isPipelined ? Promise.all([last, settled]) : settled;
        return result;
      },
      finish(statements) {
        const result = statements();
        isFinished = true;
        onFinish?.();
        return result;
      },
    };
    try {
      return await this.#storage.run(store, () => work(tx));
    } finally {
      store.isOpen = false;
      // A statement that `work` did not await must not run after the COMMIT.
      await last;
    }
  }
}

function ignore(): void {}
