import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { testDatabase } from '../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase({ migrated: false });
});
afterAll(() => db.close());

describe('listen', () => {
  const collect = () => {
    const messages: string[] = [];
    let wake = (): void => undefined;
    return {
      messages,
      listener: {
        onMessage: (payload: string) => {
          messages.push(payload);
          wake();
        },
        onReconnected: () => undefined,
      },
      async until(count: number) {
        while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
        return messages;
      },
    };
  };

  it('delivers all notifications after it resolves, in order', async () => {
    const { listener, until } = collect();
    const stop = await db.listen('orders', listener);
    for (const n of [1, 2, 3]) await db.query('select pg_notify($1, $2)', ['orders', `${n}`]);
    expect(await until(3)).toEqual(['1', '2', '3']);
    await stop();
  });

  it('delivers notifications at commit, and none after a rollback', async () => {
    const { listener, messages, until } = collect();
    const stop = await db.listen('commits', listener);
    await db
      .transaction(async (tx) => {
        await tx.query("select pg_notify('commits', 'lost')");
        throw new Error('no');
      })
      .catch(() => undefined);
    await db.transaction(async (tx) => {
      await tx.query("select pg_notify('commits', 'kept')");
      await tx.query('select 1');
      expect(messages).toEqual([]);
    });
    expect(await until(1)).toEqual(['kept']);
    await stop();
  });

  it('allows a listener to use the database, also for a message from a transaction', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const stop = await db.listen('reader', {
      onMessage: () => void db.query('select 1 as a').then(resolve, reject),
      onReconnected: () => undefined,
    });
    await db.transaction((tx) => tx.query("select pg_notify('reader', '')"));
    await expect(promise).resolves.toEqual([{ a: 1 }]);
    await stop();
  });

  it('runs a listener in the async context in which it was added', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const stop = await storage.run('mine', () =>
      db.listen('context', {
        onMessage: () => resolve(storage.getStore()),
        onReconnected: () => undefined,
      }),
    );
    await storage.run('other', () => db.query("select pg_notify('context', '')"));
    expect(await promise).toBe('mine');
    await stop();
  });

  it('serves several listeners and channels with unusual names, and stops each separately', async () => {
    const [a, b, other] = [collect(), collect(), collect()];
    const name = 'Odd "name"; drop';
    const stopA = await db.listen(name, a.listener);
    const stopB = await db.listen(name, b.listener);
    const stopOther = await db.listen('other', other.listener);
    await db.query('select pg_notify($1, $2)', [name, 'both']);
    await Promise.all([a.until(1), b.until(1)]);
    await stopA();
    await stopA();
    await db.query('select pg_notify($1, $2)', [name, 'only b']);
    expect(await b.until(2)).toEqual(['both', 'only b']);
    await stopB();
    await db.query('select pg_notify($1, $2)', [name, 'nobody']);
    await db.query("select pg_notify('other', 'still')");
    expect(await other.until(1)).toEqual(['still']);
    expect(a.messages).toEqual(['both']);
    expect(b.messages).toHaveLength(2);
    await stopOther();
  });

  it('delivers to the other listeners if one throws', async () => {
    const { listener, until } = collect();
    const stopBad = await db.listen('bad', {
      onMessage: () => {
        throw new Error('bad listener');
      },
      onReconnected: () => undefined,
    });
    const stop = await db.listen('bad', listener);
    await db.query("select pg_notify('bad', 'x')");
    expect(await until(1)).toEqual(['x']);
    await Promise.all([stop(), stopBad()]);
  });
});
