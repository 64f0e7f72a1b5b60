import type { Database, Sql } from '../../database/connect.ts';
import { Failure, type FailureCode } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { Freshness } from '../../upstream/freshness.ts';
import { type AccountIdentity, createAccountList, createId } from './account-list.ts';
import { createAccountChanges } from './changes.ts';
import { createCreditGuard } from './credit-guard.ts';
import { recordSpending } from './credit-store.ts';
import { type AccountOverview, createOverviews } from './overview.ts';
import { claimProbes, type Probe, pauseAccount, resumeAccount } from './pause-store.ts';
import { isRecovered } from './probe.ts';
import { type ReconnectInput, reconnectAccount } from './reconnect.ts';
import {
  type Account,
  type AccountAvailability,
  claimExternalLoadCheck,
  coolDownAccount,
  emailOf,
  endCooldown,
  findOrInsertByEmail,
  notifyQueue,
  queueChannel,
  readAvailability,
  recordExternalLoad,
} from './store.ts';

export type { AccountOverview } from './overview.ts';
export type { ReconnectInput } from './reconnect.ts';
export type { Account, AccountAvailability } from './store.ts';
export { notifyQueue, queueChannel };

export type AccountServiceOptions = {
  db: Database;
  upstream: Upstream;
  freshness: Freshness;
  now: () => Date;
  log: Log;
  /** How long a create waits for the credits of its accounts. Default: that of the credit guard. */
  creditWaitMs?: number | undefined;
};

type LoadOverviews = ReturnType<typeof createOverviews>['load'];

export type AccountService = {
  /** Reads the upstream's list and stores it. @returns the present accounts @throws the upstream's failure */
  refresh(): Promise<Account[]>;
  /**
   * The present accounts, at most a minute old. While the upstream fails, an older list, if there is one.
   *
   * @throws {UpstreamUnavailableError} NO_ACCOUNT if the upstream has none; the upstream's failure without an older list
   */
  listPresent(): Promise<Account[]>;
  /**
   * The present accounts, at most `READ_FRESH_MS` old, and usually without a database query: for reads of the accounts' lists.
   * While the upstream fails, an older list. Throws as `listPresent` does.
   */
  listCached(): Promise<AccountIdentity[]>;
  /**
   * The account or one of its videos has changed at the upstream: every instance drops its cached lists of the account,
   * this instance before its next read. Null = any account.
   */
  announceChange(sql: Sql, accountId: string | null): Promise<void>;
  /** As `announceChange`, for the account with this e-mail. */
  announceChangeOf(email: string | null): Promise<void>;
  /** Something may have changed at the upstream, and only this instance knows: it drops its cached lists. */
  expectChange(): void;
  /** @param listener gets the e-mail of the account, or null if it can be any */
  onChange(listener: (email: string | null) => void): void;
  /** Receives the changes that other instances announce. */
  receiveChanges(): Promise<void>;
  /** The account with an e-mail found in a video id; inserted as not present if the upstream never listed it. */
  ensure(email: string): Promise<Account>;
  /** The id of the account with this e-mail, as `ensure` gives it. Cached once the account is present: it is never deleted. */
  idOf(email: string): Promise<string>;
  /**
   * Nothing is sent to the account until a probe finds it recovered or no longer listed. False if it was already paused by
   * this code.
   */
  pause(tx: Sql, accountId: string, code: FailureCode): Promise<boolean>;
  /** Pauses the accounts without credits, from readings at most a minute old. Doesn't throw failures. */
  guardCredits(accounts: readonly Account[]): Promise<void>;
  /** The account accepted a job that costs this much. */
  recordSpending(tx: Sql, accountId: string, credits: number): Promise<void>;
  /**
   * The credits that a job can use, at most `READ_FRESH_MS` old: of one account, or of the present account with the most.
   * Null if they could not be read. Doesn't throw failures.
   */
  readCredits(accountId: string | null): Promise<number | null>;
  /** Nothing is sent to the account before `until`, or before the end of a longer cooldown. */
  coolDown(tx: Sql, accountId: string, until: Date): Promise<void>;
  /** The account accepted a job after its cooldown, so it may get as many as its slots allow. */
  endCooldown(tx: Sql, accountId: string, at: Date): Promise<void>;
  /** Probes the paused accounts whose probe is due. True if any pause ended. Doesn't throw failures. */
  probeDue(): Promise<boolean>;
  /** True if no instance has checked the external load since `before`; then this instance must. */
  claimExternalLoadCheck(before: Date): Promise<boolean>;
  /** Stores how many slots of the account jobs of other clients take. */
  recordExternalLoad(email: string, count: number): Promise<void>;
  /** Null for an unknown id. */
  emailOf(sql: Sql, accountId: string): Promise<string | null>;
  /** What decides whether jobs can be sent: one entry for every account, in the order of their ids. */
  readAvailability(sql: Sql, now: Date): Promise<AccountAvailability[]>;
  /** The e-mail for POST /files: of a healthy account if there is one. Throws as `listPresent` does. */
  pickForUpload(): Promise<string | undefined>;
  /** For admins: every present account with its load and credits. List and credits are at most `READ_FRESH_MS` old. */
  listWithCredits(): Promise<AccountOverview[]>;
  /** For admins: by id, also accounts that are no longer present; null for an unknown id. */
  loadWithCredits(ids: readonly string[]): Promise<(AccountOverview | null)[]>;
  /** For admins: signs the account in again and ends its pause. The password is passed on and not stored. */
  reconnectAccount(input: ReconnectInput): Promise<AccountOverview>;
};

export function createAccountService(options: AccountServiceOptions): AccountService {
  const { db, upstream, now } = options;
  const changes = createAccountChanges(options);
  const list = createAccountList(options);
  const { refresh, listPresent } = list;
  const overviews = createOverviews({ ...options, changes, refresh });
  const guard = createCreditGuard(options);
  const ids = new Map<string, string>();

  async function ensure(email: string): Promise<Account> {
    const account = await findOrInsertByEmail(db, { id: createId(), email });
    if (account === null) throw new Error('An account was removed while it was being read.');
    // Two instances can insert one account with two spellings at the same moment; the next read finds the listed one.
    if (account.isPresent) ids.set(email, account.id);
    return account;
  }

  return {
    refresh,
    listPresent,
    listCached: list.listCached,
    announceChange: changes.announce,
    announceChangeOf: (email) => changes.announce(db, email === null ? null : list.idOf(email)),
    expectChange: () => changes.apply(null),
    onChange: (listener) =>
      changes.onChange((id) => listener(id === null ? null : list.emailOf(id))),
    receiveChanges: changes.receive,
    ensure,
    idOf: async (email) => ids.get(email) ?? (await ensure(email)).id,
    pause: (tx, accountId, code) => pauseAccount(tx, accountId, { code, at: now() }),
    guardCredits: guard.check,
    recordSpending,
    readCredits: (accountId) => readCredits(accountId, { listPresent, load: overviews.load }),
    coolDown: coolDownAccount,
    endCooldown,
    probeDue: () => probeDue({ ...options, refresh }, guard.forget),
    claimExternalLoadCheck: (before) => claimExternalLoadCheck(db, { before, at: now() }),
    recordExternalLoad: (email, count) => recordExternalLoad(db, { email, count, at: now() }),
    emailOf,
    readAvailability,
    async pickForUpload() {
      return sortHealthyFirst(await listPresent())[0]?.email;
    },
    listWithCredits: overviews.list,
    loadWithCredits: async (ids) => {
      const known = await overviews.load(ids.filter(isAccountId));
      return ids.map((id) => known.find((overview) => overview?.id === id) ?? null);
    },
    async reconnectAccount(input) {
      const id = await reconnectAccount({ db, upstream, changes }, input);
      guard.forget(id);
      const [overview] = await overviews.load([id]);
      if (!overview) throw new Error('The account was removed while it was being reconnected.');
      return overview;
    },
  };
}

/** Accounts without a pause or a pending error come first. */
export function sortHealthyFirst(accounts: readonly Account[]): Account[] {
  const isHealthy = (it: Account) => it.pausedBy === null && !it.hasPendingError;
  return accounts.toSorted((a, b) => Number(isHealthy(b)) - Number(isHealthy(a)));
}

async function readCredits(
  accountId: string | null,
  { listPresent, load }: { listPresent: () => Promise<Account[]>; load: LoadOverviews },
): Promise<number | null> {
  try {
    const ids = accountId === null ? (await listPresent()).map(({ id }) => id) : [accountId];
    const known = (await load(ids)).flatMap((overview) => overview?.credits ?? []);
    return known.length === 0 ? null : Math.max(...known);
  } catch (thrown) {
    if (thrown instanceof Failure) return null;
    throw thrown;
  }
}

type ProbeOptions = AccountServiceOptions & Pick<AccountService, 'refresh'>;

async function probeDue(
  options: ProbeOptions,
  onResumed: (accountId: string) => void,
): Promise<boolean> {
  const { db, now } = options;
  const probes = await claimProbes(db, now());
  const resumed = await Promise.all(
    probes.map(async (probe) => {
      const isResumed = await resumeIfRecovered(options, probe);
      if (isResumed) onResumed(probe.id);
      return isResumed;
    }),
  );
  if (!resumed.includes(true)) return false;
  await notifyQueue(db);
  return true;
}

/**
 * Nothing can show that an unlisted account recovered, so its pause ends: the next POST fails with the upstream's present
 * reason, and lip-syncs that are bound to the account do not wait for ever. If that reason pauses it again, the probes back off.
 */
async function resumeIfRecovered(options: ProbeOptions, probe: Probe): Promise<boolean> {
  const { db, upstream, refresh, now, log } = options;
  let isListed = probe.isPresent;
  try {
    isListed ||= (await refresh()).some(({ id }) => id === probe.id);
    if (isListed && !(await isRecovered(upstream, probe))) return false;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    log.debug({ accountId: probe.id, code: thrown.code }, 'paused account has not recovered');
    return false;
  }
  const isResumed = await resumeAccount(db, probe, now());
  const was = probe.pausedBy;
  if (isResumed) log.info({ accountId: probe.id, was, isListed }, 'account resumed');
  return isResumed;
}

function isAccountId(text: string): boolean {
  return /^[A-Za-z0-9_-]{12}$/.test(text);
}
