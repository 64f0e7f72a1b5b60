import type { Sql } from '../../../database/connect.ts';
import type { AccountAvailability } from '../../accounts/service.ts';
import type { JobNeeds } from '../store/queue.ts';
import { readReservations } from '../store/reserved-credits.ts';

/** The credits that are left for further jobs, by account. An account whose credits are not known has no entry. */
export type CreditsLeft = ReadonlyMap<string, number>;

/**
 * The credits in each account's last reading, minus the cost of the jobs that were accepted since or are being sent. Exact
 * under the queue's lock, as long as no other client uses the account.
 */
export async function readCreditsLeft(
  sql: Sql,
  availability: readonly AccountAvailability[],
): Promise<CreditsLeft> {
  const known = availability.filter(({ credits }) => credits !== null);
  if (known.length === 0) return new Map();
  const reserved = await readReservations(
    sql,
    known.map(({ id }) => id),
  );
  const leftOf = ({ id, credits, creditsAt }: AccountAvailability): number =>
    reserved
      // A reading includes the cost of a job that started before it, although the job's POST had no answer.
      .filter(({ outcomeUnknownAt: at }) => at === null || creditsAt === null || at >= creditsAt)
      .filter(({ accountId }) => accountId === id)
      .reduce((left, job) => left - job.credits, credits ?? 0);
  return new Map(known.map((account) => [account.id, leftOf(account)]));
}

export function afterReservation(
  left: CreditsLeft,
  accountId: string,
  credits: number | null,
): CreditsLeft {
  const before = left.get(accountId);
  return before === undefined ? left : new Map(left).set(accountId, before - (credits ?? 0));
}

/**
 * Whether the accounts can pay for the job in addition to everything that waits already.
 *
 * @param accountIds the accounts that can do the job
 * @param pool the accounts that everything without an account of its own can use
 * @param waiting the cost of what waits, as `readWaitingCredits` returns it
 */
export function canPayBesideWaiting(
  job: Pick<JobNeeds, 'estimatedCredits'>,
  {
    left,
    accountIds,
    pool,
    waiting,
  }: {
    left: CreditsLeft;
    accountIds: readonly string[];
    pool: readonly string[];
    waiting: ReadonlyMap<string, number>;
  },
): boolean {
  const cost = job.estimatedCredits;
  if (cost === null) return true;
  const free = (id: string) =>
    Math.max(0, (left.get(id) ?? Number.POSITIVE_INFINITY) - (waiting.get(id) ?? 0));
  const ofAll = [...new Set([...pool, ...accountIds])].reduce((sum, id) => sum + free(id), 0);
  return (
    accountIds.some((id) => cost <= free(id)) && cost <= ofAll - (waiting.get(anyAccount) ?? 0)
  );
}

/** The key in `waiting` of what can use any account. */
export const anyAccount = '';
