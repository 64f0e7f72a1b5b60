import { randomBytes } from 'node:crypto';
import type { Database, Sql } from '../../database/connect.ts';
import { Failure, type FailureCode, UpstreamUnavailableError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import { SingleFlight } from '../../upstream/single-flight.ts';
import { createCreditGuard } from './credits.ts';
import { listAccounts } from './endpoints.ts';
import { type AccountOverview, describeAccounts } from './overview.ts';
import { isHealed } from './probe.ts';
import { type ReconnectInput, reconnectAccount } from './reconnect.ts';
import {
  type Account,
  type AccountAvailability,
  claimOthers,
  claimProbes,
  coolAccount,
  emailOf,
  endCooldown,
  healAccount,
  isSpentEverywhere,
  keepEmail,
  noteOthers,
  notifyQueue,
  type Probe,
  pauseAccount,
  readAvailability,
  readByIds,
  readPresent,
  replacePresent,
} from './store.ts';

export type { AccountOverview } from './overview.ts';
export type { ReconnectInput } from './reconnect.ts';
export type { Account, AccountAvailability } from './store.ts';

export type AccountServiceOptions = {
  db: Database;
  upstream: Upstream;
  now: () => Date;
  log: Log;
};

/** Accounts come and go by hand; a new one may wait a minute to be used. */
const freshMs = 60_000;

/** While the upstream fails, callers live with the older list and do not each wait for another failure. */
const retryMs = 10_000;

export type AccountService = {
  /** Reads the upstream's list and takes it over; those present. Throws the upstream's failure. */
  refresh(): Promise<Account[]>;
  /**
   * Those present, as of a minute ago at most; an older list where the upstream fails and there is one.
   *
   * @throws {UpstreamUnavailableError} NO_ACCOUNT where the upstream has none; else its failure
   */
  listPresent(): Promise<Account[]>;
  /** The row of an e-mail met in a video id. Not present where the upstream never listed it. */
  ensure(email: string): Promise<Account>;
  /** Nothing is sent there until a read says that it healed. False where it was paused by the same already. */
  pause(tx: Sql, accountId: string, code: FailureCode): Promise<boolean>;
  /** Pauses those that are known to have nothing to spend, as of a minute ago at most. Doesn't throw failures. */
  guardCredits(accounts: readonly Account[]): Promise<void>;
  coolDown(tx: Sql, accountId: string, until: Date): Promise<void>;
  /** It took a job after its cooldown, and may be sent as many as it takes again. */
  endCooldown(tx: Sql, accountId: string, at: Date): Promise<void>;
  /** Asks the upstream about the paused accounts whose time has come; whether any healed. Doesn't throw failures. */
  probeDue(): Promise<boolean>;
  /** True if no instance has checked the external load since `before`; then this instance must. */
  claimExternalLoadCheck(before: Date): Promise<boolean>;
  /** Stores how many slots of the account jobs of other clients take. */
  recordExternalLoad(email: string, count: number): Promise<void>;
  /** Null for an unknown id. */
  emailOf(sql: Sql, accountId: string): Promise<string | null>;
  /** What decides whether jobs can be sent: one entry for every account, in the order of their ids. */
  readAvailability(sql: Sql, now: Date): Promise<AccountAvailability[]>;
  /** Whether waiting is useless because every account that could do the job is out of credits. Null = any account. */
  isSpentEverywhere(sql: Sql, accountId: string | null): Promise<boolean>;
  /** The e-mail for POST /files: of an account in order, else of any. Throws as `known` does. */
  pickForUpload(): Promise<string | undefined>;
  /** For admins: every present account with its load and credits. One features call each for all who ask at once. */
  listWithCredits(): Promise<AccountOverview[]>;
  /** For admins: by id, also those not present any more; null for an unknown id. */
  loadWithCredits(ids: readonly string[]): Promise<(AccountOverview | null)[]>;
  /** For admins: signs the account in again, and ends its pause. The password is handed on and forgotten. */
  reconnectAccount(input: ReconnectInput): Promise<AccountOverview>;
};

export function createAccountService(options: AccountServiceOptions): AccountService {
  const { db, upstream, now } = options;
  const listings = new SingleFlight<AccountOverview[]>();
  const { refresh, known } = createList(options);
  return {
    refresh,
    listPresent: known,
    async ensure(email) {
      const account = await keepEmail(db, { id: freshId(), email });
      if (account === null) throw new Error('An account vanished while it was read.');
      return account;
    },
    pause: (tx, accountId, code) => pauseAccount(tx, accountId, { code, at: now() }),
    guardCredits: createCreditGuard(options),
    coolDown: coolAccount,
    endCooldown,
    probeDue: () => probeDue(options),
    claimExternalLoadCheck: (before) => claimOthers(db, { before, at: now() }),
    recordExternalLoad: (email, count) => noteOthers(db, { email, count, at: now() }),
    emailOf,
    readAvailability,
    isSpentEverywhere,
    async pickForUpload() {
      return inOrderFirst(await known())[0]?.email;
    },
    listWithCredits: () =>
      listings.join('all', async () => describeAccounts(options, await refresh())),
    async loadWithCredits(ids) {
      const accounts = await readByIds(db, ids.filter(isAccountId));
      const overviews = await describeAccounts(options, accounts);
      return ids.map((id) => overviews.find((overview) => overview.id === id) ?? null);
    },
    reconnectAccount: (input) => reconnectAccount({ db, upstream }, input),
  };
}

/** Those that nothing is known against before the others. */
export function inOrderFirst(accounts: readonly Account[]): Account[] {
  const isInOrder = (it: Account) => it.pausedBy === null && !it.hasPendingError;
  return accounts.toSorted((a, b) => Number(isInOrder(b)) - Number(isInOrder(a)));
}

function createList({ db, upstream, now, log }: AccountServiceOptions) {
  const flights = new SingleFlight<Account[]>();
  let readAt = Number.NEGATIVE_INFINITY;
  let failedAt = Number.NEGATIVE_INFINITY;
  const isOld = (at: number, ms: number) => now().getTime() - at >= ms;

  const refresh = () =>
    flights.join('refresh', async () => {
      const listed = await listAccounts(upstream);
      const accounts = await replacePresent(
        db,
        listed.map((account) => ({ ...account, freshId: freshId() })),
      );
      readAt = now().getTime();
      return accounts;
    });

  async function refreshOrOlder(): Promise<Account[]> {
    try {
      return await refresh();
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const older = await readPresent(db);
      if (older.length === 0) throw thrown;
      failedAt = now().getTime();
      log.warn({ code: thrown.code }, 'the accounts could not be read; an older list is used');
      return older;
    }
  }

  async function known(): Promise<Account[]> {
    const isDue = isOld(readAt, freshMs) && isOld(failedAt, retryMs);
    const accounts = isDue
      ? await flights.join('known', refreshOrOlder)
      : await flights.join('read', () => readPresent(db));
    if (accounts.length === 0) throw new UpstreamUnavailableError('NO_ACCOUNT');
    return accounts;
  }

  return { refresh, known };
}

async function probeDue(options: AccountServiceOptions): Promise<boolean> {
  const { db, now } = options;
  const probes = await claimProbes(db, now());
  const healed = await Promise.all(probes.map((probe) => probeOne(options, probe)));
  if (!healed.includes(true)) return false;
  await notifyQueue(db);
  return true;
}

async function probeOne(options: AccountServiceOptions, probe: Probe): Promise<boolean> {
  const { db, upstream, now, log } = options;
  try {
    if (!(await isHealed(upstream, probe))) return false;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    log.debug({ accountId: probe.id, code: thrown.code }, 'a paused account has not healed');
    return false;
  }
  const isOpen = await healAccount(db, probe, now());
  if (isOpen) log.info({ accountId: probe.id, was: probe.pausedBy }, 'a paused account healed');
  return isOpen;
}

function isAccountId(text: string): boolean {
  return /^[A-Za-z0-9_-]{12}$/.test(text);
}

/** 72 random bits, 12 URL-safe characters. */
function freshId(): string {
  return randomBytes(9).toString('base64url');
}
