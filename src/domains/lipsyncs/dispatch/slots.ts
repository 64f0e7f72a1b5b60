import type { Sql } from '../../../database/connect.ts';
import type { AccountAvailability } from '../../accounts/service.ts';
import { type CreditsLeft, readCreditsLeft } from '../credits/guard.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import {
  findSubmittingAccounts,
  type HeldSlots,
  hasWaitingFor,
  type JobNeeds,
  readHeldSlots,
  type Target,
} from '../store/queue.ts';

/** The slots of an account to which jobs may be sent now. */
export type AccountSlots = {
  accountId: string;
  email: string;
  maxJobs: number;
  /** Slots held by our lip-syncs. */
  holding: number;
  /** Slots taken by jobs of other clients, if the upstream reported them lately. */
  externalLoad: number;
  /** Whether the upstream still lists the account. */
  isPresent: boolean;
  hasPendingError: boolean;
  /** Its cooldown is over and no POST has shown yet that it accepts jobs again: it gets a single one. */
  isOnTrial: boolean;
  /** Null if they are not known. */
  creditsLeft: number | null;
};

/**
 * Assumed for an account that does not report how many jobs it accepts. The upstream's own examples use 3. If it is too
 * many, the upstream answers 429 and the job waits.
 */
export const defaultMaxJobs = 3;

export async function readAccountSlots(
  { accounts }: Pick<LipsyncDependencies, 'accounts'>,
  sql: Sql,
  now: Date,
): Promise<AccountSlots[]> {
  const availability = await accounts.readAvailability(sql, now);
  const creditsLeft = await readCreditsLeft(sql, availability);
  return countSlots(sql, { availability, held: await readHeldSlots(sql), creditsLeft, now });
}

/**
 * An account whose cooldown is over gets one POST, and more only after it accepted that one. With several at once, a later
 * lip-sync could be accepted after the first in line was rejected again.
 */
export async function countSlots(
  sql: Sql,
  known: {
    availability: readonly AccountAvailability[];
    held: HeldSlots;
    creditsLeft: CreditsLeft;
    now: Date;
  },
): Promise<AccountSlots[]> {
  const { availability, held, creditsLeft, now } = known;
  const available = availability.filter(
    ({ isPaused, cooldownUntil }) => !isPaused && (cooldownUntil === null || cooldownUntil <= now),
  );
  const cooledDown = available.filter(({ cooldownUntil }) => cooldownUntil !== null);
  const ids = cooledDown.map(({ id }) => id);
  const beingTried = ids.length === 0 ? [] : await findSubmittingAccounts(sql, ids);
  return available
    .filter(({ id }) => !beingTried.includes(id))
    .map(({ id, email, maxJobs, externalLoad, isPresent, hasPendingError }) => ({
      ...{ accountId: id, email, externalLoad, isPresent, hasPendingError },
      maxJobs: maxJobs ?? defaultMaxJobs,
      holding: held.find(({ accountId }) => accountId === id)?.count ?? 0,
      isOnTrial: ids.includes(id),
      creditsLeft: creditsLeft.get(id) ?? null,
    }));
}

/** The slots that are left after a job was claimed for an account. */
export function afterClaim(
  accounts: readonly AccountSlots[],
  accountId: string,
  { offPeak, estimatedCredits }: Pick<JobNeeds, 'offPeak' | 'estimatedCredits'>,
): AccountSlots[] {
  return accounts.flatMap((slots) => {
    if (slots.accountId !== accountId) return [slots];
    if (slots.isOnTrial) return [];
    const { holding, creditsLeft } = slots;
    return [
      {
        ...slots,
        holding: holding + (offPeak ? 0 : 1),
        creditsLeft: creditsLeft === null ? null : creditsLeft - (estimatedCredits ?? 0),
      },
    ];
  });
}

/**
 * Whether a waiting lip-sync may be sendable. Takes no lock, so that the many calls while all accounts are full delay no
 * decision that needs the queue's lock.
 */
export async function hasSendableWork(
  deps: Pick<LipsyncDependencies, 'accounts' | 'db' | 'now'>,
): Promise<boolean> {
  const accounts = await readAccountSlots(deps, deps.db, deps.now());
  if (accounts.length === 0) return false;
  const withSlot = accounts.filter((slots) => freeSlots(slots) > 0);
  return hasWaitingFor(deps.db, { withSlot: toTarget(withSlot), forOffPeak: toTarget(accounts) });
}

function toTarget(accounts: readonly AccountSlots[]): Target {
  return {
    accountIds: accounts.map(({ accountId }) => accountId),
    isAny: accounts.some(({ isPresent }) => isPresent),
  };
}

/**
 * An off-peak job takes no slot: the upstream's scheduler does not track it. A job whose known cost is above the known
 * credits that are left would be rejected.
 */
export function hasSlotFor(slots: AccountSlots, job: JobNeeds): boolean {
  if (job.accountId === null ? !slots.isPresent : job.accountId !== slots.accountId) return false;
  if ((job.estimatedCredits ?? 0) > (slots.creditsLeft ?? Number.POSITIVE_INFINITY)) return false;
  if (job.offPeak) return true;
  return slots.holding + slots.externalLoad < Math.min(slots.maxJobs, job.maxJobs ?? slots.maxJobs);
}

/** The account with the most free slots that can take the job now. Accounts with a pending error come last. */
export function chooseAccount(
  accounts: readonly AccountSlots[],
  job: JobNeeds,
): AccountSlots | null {
  const fitting = accounts.filter((slots) => hasSlotFor(slots, job));
  return (
    fitting.toSorted(
      (a, b) =>
        Number(a.hasPendingError) - Number(b.hasPendingError) || freeSlots(b) - freeSlots(a),
    )[0] ?? null
  );
}

function freeSlots({ maxJobs, holding, externalLoad }: AccountSlots): number {
  return maxJobs - holding - externalLoad;
}
