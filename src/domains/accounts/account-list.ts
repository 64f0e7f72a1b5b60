import { randomBytes } from 'node:crypto';
import type { Database } from '../../database/connect.ts';
import { Failure, UpstreamUnavailableError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import { CoalescedReads } from '../../upstream/coalesced-reads.ts';
import type { Freshness } from '../../upstream/freshness.ts';
import { listAccounts } from './endpoints.ts';
import { type Account, readPresent, replacePresent } from './store.ts';

/** Accounts are added and removed by hand; a new account may wait a minute before lip-syncs are sent to it. */
const freshMs = 60_000;

/** While the upstream fails, callers get the older list instead of waiting for another failure. */
const retryMs = 10_000;

/** What never changes of an account, so that it can be cached. */
export type AccountIdentity = Pick<Account, 'id' | 'email'>;

/** Reads the accounts that the upstream lists, stores them, and caches the list. */
export function createAccountList(options: {
  db: Database;
  upstream: Upstream;
  freshness: Freshness;
  now: () => Date;
  log: Log;
}) {
  const { db, upstream, freshness, now, log } = options;
  const reads = new CoalescedReads<Account[]>();
  const cached = freshness.openReads<AccountIdentity[]>(['accounts', 'videos'], { maxCached: 1 });
  /** Id → e-mail of every account seen present. */
  const emails = new Map<string, string>();
  let readAt = Number.NEGATIVE_INFINITY;
  let failedAt = Number.NEGATIVE_INFINITY;
  const isOlderThan = (at: number, ms: number) => now().getTime() - at >= ms;

  const refresh = () =>
    reads.read('refresh', async () => {
      const requestedAt = now();
      const listed = await listAccounts(upstream);
      const accounts = await replacePresent(
        db,
        listed.map((account) => ({ ...account, freshId: createId() })),
      );
      readAt = now().getTime();
      for (const { id, email } of accounts) emails.set(id, email);
      cached.put('present', { value: accounts.map(toIdentity), requestedAt, work: readIdentities });
      return accounts;
    });

  async function refreshOrUseOlder(): Promise<Account[]> {
    try {
      return await refresh();
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const older = await readPresent(db);
      if (older.length === 0) throw thrown;
      failedAt = now().getTime();
      log.warn({ code: thrown.code }, 'could not read the accounts; using an older list');
      return older;
    }
  }

  const mayRetry = () => isOlderThan(failedAt, retryMs);

  async function readIdentities(): Promise<AccountIdentity[]> {
    const accounts = mayRetry() ? await refreshOrUseOlder() : await readPresent(db);
    return accounts.map(toIdentity);
  }

  return {
    refresh,
    async listPresent(): Promise<Account[]> {
      const isDue = isOlderThan(readAt, freshMs) && mayRetry();
      const accounts = isDue
        ? await reads.read('refresh-or-older', refreshOrUseOlder)
        : await reads.read('stored', () => readPresent(db));
      return notEmpty(accounts);
    },
    async listCached(): Promise<AccountIdentity[]> {
      return notEmpty(await cached.read('present', readIdentities));
    },
    /** Without a read; null if the account was not seen present. */
    idOf: (email: string): string | null => [...emails].find(([, it]) => it === email)?.[0] ?? null,
    emailOf: (id: string): string | null => emails.get(id) ?? null,
  };
}

function toIdentity({ id, email }: Account): AccountIdentity {
  return { id, email };
}

function notEmpty<T>(accounts: T[]): T[] {
  if (accounts.length === 0) throw new UpstreamUnavailableError('NO_ACCOUNT');
  return accounts;
}

/** 72 random bits, 12 URL-safe characters. */
export function createId(): string {
  return randomBytes(9).toString('base64url');
}
