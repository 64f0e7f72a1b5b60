import type { Database } from '../../database/connect.ts';
import { InvalidInputError, NotFoundError } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import { reconnect } from './endpoints.ts';
import { type AccountOverview, describeAccounts } from './overview.ts';
import { notifyQueue, readByIds, reopenAccount } from './store.ts';

export type ReconnectInput = {
  /** Null for an id that is none. */
  accountId: string | null;
  password: string;
  /** 1…8; null keeps what the account has. */
  maxJobs: number | null;
};

/** Where neither the caller nor the upstream says: the middle of what the upstream's own examples show. */
const defaultMaxJobs = 3;

export async function reconnectAccount(
  { db, upstream }: { db: Database; upstream: Upstream },
  input: ReconnectInput,
): Promise<AccountOverview> {
  checkInput(input);
  const account = await findAccount(db, input.accountId);
  const maxJobs = input.maxJobs ?? account.maxJobs ?? defaultMaxJobs;
  await reconnect(upstream, account.email, { password: input.password, maxJobs });
  await db.transaction(async (tx) => {
    await reopenAccount(tx, account.id, maxJobs);
    await notifyQueue(tx);
  });
  const [overview] = await describeAccounts({ db, upstream }, await readByIds(db, [account.id]));
  if (overview === undefined) throw new Error('An account vanished while it was reconnected.');
  return overview;
}

function checkInput({ password, maxJobs }: ReconnectInput): void {
  const issues = [];
  if (password === '') {
    issues.push({ path: ['input', 'password'], message: 'The password is empty.' });
  }
  if (maxJobs !== null && (maxJobs < 1 || maxJobs > 8)) {
    issues.push({ path: ['input', 'maxJobs'], message: 'maxJobs must be from 1 to 8.' });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
}

async function findAccount(db: Database, id: string | null) {
  const [account] = id === null || !/^[\w-]+$/.test(id) ? [] : await readByIds(db, [id]);
  if (account === undefined) throw new NotFoundError('The account');
  return account;
}
