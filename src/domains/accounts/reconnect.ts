import { z } from 'zod';
import { checkInput } from '../../check-input.ts';
import type { Database } from '../../database/connect.ts';
import { NotFoundError } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { AccountChanges } from './changes.ts';
import { reconnect } from './endpoints.ts';
import { reopenAccount } from './pause-store.ts';
import { notifyQueue, readByIds } from './store.ts';

export type ReconnectInput = {
  /** Null for an invalid id. */
  accountId: string | null;
  password: string;
  /** 1…8; null keeps the account's current number. */
  maxJobs: number | null;
};

/** If neither the caller nor the upstream gives a number: the middle of the upstream's own examples. */
const defaultMaxJobs = 3;

const maxJobsMessage = 'maxJobs must be from 1 to 8.';

const inputShape = z.object({
  password: z.string().min(1, 'The password is empty.'),
  maxJobs: z.int().min(1, maxJobsMessage).max(8, maxJobsMessage).nullable(),
});

/** @returns the id of the account */
export async function reconnectAccount(
  { db, upstream, changes }: { db: Database; upstream: Upstream; changes: AccountChanges },
  input: ReconnectInput,
): Promise<string> {
  const { password, maxJobs: wantedMaxJobs } = checkInput(inputShape, input);
  const account = await findAccount(db, input.accountId);
  const maxJobs = wantedMaxJobs ?? account.maxJobs ?? defaultMaxJobs;
  await reconnect(upstream, account.email, { password, maxJobs });
  await db.transaction(async (tx) => {
    await reopenAccount(tx, account.id, maxJobs);
    await notifyQueue(tx);
    await changes.announce(tx, account.id);
  });
  return account.id;
}

async function findAccount(db: Database, id: string | null) {
  const [account] = id === null || !/^[\w-]+$/.test(id) ? [] : await readByIds(db, [id]);
  if (account === undefined) throw new NotFoundError('The account');
  return account;
}
