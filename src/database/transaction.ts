import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { isConflict } from './failures.ts';
import type { Row, Sql } from './sql.ts';

const retries = 3;

/** Runs `attempt` again after a serialization failure or deadlock, up to 3 times. */
export async function retryConflicts<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (retry === retries || !isConflict(error)) throw error;
      // Random, so that the two which met do not meet again.
      await wait(Math.random() * 10 * 2 ** retry);
    }
  }
}

/**
 * Knows whether the running code was called from inside `work` of a transaction. On PGlite, `db.query` there would wait
 * for the one connection that its own transaction holds: for ever. On PostgreSQL it would run, outside the transaction.
 */
export class TransactionScope {
  readonly #storage = new AsyncLocalStorage<{ isOpen: boolean }>();

  /** @throws where a transaction of this database is open around the caller */
  refuseInside(name: string): void {
    if (this.#storage.getStore()?.isOpen === true) {
      throw new Error(`${name} was called inside transaction(): only tx may be used there.`);
    }
  }

  /** `run` executes one statement; statements of one transaction are sent one after the other. */
  async run<T>(run: Sql['query'], work: (tx: Sql) => Promise<T>): Promise<T> {
    // Code that `work` started and did not wait for keeps this store; it may use the database once we are through.
    const store = { isOpen: true };
    let last: Promise<unknown> = Promise.resolve();
    const tx: Sql = {
      query<R extends Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
        if (!store.isOpen) return Promise.reject(new Error('This transaction is over.'));
        const result = last.then(() => run<R>(text, params));
        last = result.catch(() => undefined);
        return result;
      },
    };
    try {
      return await this.#storage.run(store, () => work(tx));
    } finally {
      store.isOpen = false;
      // A statement that `work` did not wait for must not slip behind the COMMIT.
      await last;
    }
  }
}
