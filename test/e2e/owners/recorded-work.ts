import { vi } from 'vitest';
import type { Database, Row, Transaction } from '../../../src/database/connect.ts';

/**
 * Records the statements sent to the database, and the upstream requests of `readRequests`, so that the work of two answers can
 * be compared: equal steps take equal time, independent of the load of the machine.
 */
export function listenToWork(db: Database, readRequests: () => Promise<{ sequence: number }[]>) {
  let texts: string[] = [];
  const hear = (text: string) => {
    texts.push(text.replaceAll(/\s+/g, ' ').trim());
  };
  const { query, transaction } = { query: db.query.bind(db), transaction: db.transaction.bind(db) };
  vi.spyOn(db, 'query').mockImplementation(
    <R extends Row>(text: string, params?: readonly unknown[]) => {
      hear(text);
      return query<R>(text, params);
    },
  );
  vi.spyOn(db, 'transaction').mockImplementation(<T>(work: (tx: Transaction) => Promise<T>) =>
    transaction((tx) =>
      work({
        ...tx,
        query: <R extends Row>(text: string, params?: readonly unknown[]) => {
          hear(text);
          return tx.query<R>(text, params);
        },
      }),
    ),
  );
  let background: ReadonlySet<string> = new Set();

  return {
    /** Records the background statements of the process: two rounds of its scheduler, and one search for due webhooks. */
    async learnBackground(): Promise<void> {
      const rounds = () => texts.filter((text) => text.includes("status = 'SUBMITTING'")).length;
      texts = [];
      await vi.waitFor(
        () => {
          if (rounds() < 3) throw new Error('The clock has not come round twice.');
          if (!texts.some((text) => text.includes('due_owners'))) throw new Error('No search yet.');
        },
        { timeout: 60_000, interval: 50 },
      );
      background = new Set(texts);
    },
    /** The work during `act`, without the background statements. */
    async during<T>(act: () => Promise<T>): Promise<{ answer: T; work: string[] }> {
      const last = (await readRequests()).at(-1)?.sequence ?? 0;
      texts = [];
      const answer = await act();
      const statements = texts.filter((text) => !background.has(text) && !/pgboss/.test(text));
      const calls = (await readRequests()).filter(({ sequence }) => sequence > last);
      const upstream = calls.map((call) => `${Reflect.get(call, 'method')} upstream`);
      return { answer, work: [...statements, ...upstream].toSorted() };
    },
  };
}
