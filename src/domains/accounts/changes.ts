import { randomUUID } from 'node:crypto';
import type { Database, Sql } from '../../database/connect.ts';
import type { Upstream } from '../../upstream/client.ts';
import { accountChannel, notifyAccountChanged } from './store.ts';

export type AccountChanges = ReturnType<typeof createAccountChanges>;

/** In the payload of a notification: a change whose account is not known. */
const anyAccount = '*';

/**
 * What changed in the upstream's accounts: a video was made, finished or deleted, or an account was signed in again. Cached
 * lists of the account are dropped, on this instance at once and on the others by a notification with ids only.
 */
export function createAccountChanges({ db, upstream }: { db: Database; upstream: Upstream }) {
  const instanceId = randomUUID();
  const listeners: ((accountId: string | null) => void)[] = [];

  function apply(accountId: string | null): void {
    upstream.forgetReads();
    for (const listener of listeners) listener(accountId);
  }

  return {
    /** @param listener gets the id of the account, or null if it can be any */
    onChange(listener: (accountId: string | null) => void): void {
      listeners.push(listener);
    },
    /** On this instance only. */
    apply,
    /** On every instance. The upstream must have the change already; the others drop their lists at the commit. */
    async announce(sql: Sql, accountId: string | null): Promise<void> {
      apply(accountId);
      await notifyAccountChanged(sql, `${accountId ?? anyAccount} ${instanceId}`);
    },
    /** Receives what other instances announce, until the database is closed. */
    async receive(): Promise<void> {
      await db.listen(accountChannel, {
        onMessage: (payload) => {
          const [accountId, sender] = payload.split(' ');
          if (sender === instanceId || accountId === undefined) return;
          apply(accountId === anyAccount ? null : accountId);
        },
        onReconnected: () => apply(null),
      });
    },
  };
}
