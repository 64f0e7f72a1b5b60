import { QuotaExceededError } from '../../../errors.ts';
import { type Allowance, toAllowance } from '../../quotas/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { readUsage, type Usage } from '../store/usage.ts';

type Limits = LipsyncDependencies['limits'];

export function hasOwnerLimits({ perDay, inFlight }: Limits): boolean {
  return perDay !== null || inFlight !== null;
}

/** The limit that the owner has used up, if any. Exact only if the usage was read under the queue's lock. */
export function findExceededLimit(
  { perDay, inFlight }: Limits,
  usage: Usage | undefined,
): QuotaExceededError | null {
  if (usage === undefined) return null;
  if (inFlight !== null && usage.inFlight >= inFlight) {
    return new QuotaExceededError(`${inFlight} lip-syncs at a time`, 30);
  }
  if (perDay !== null && usage.today >= perDay) {
    return new QuotaExceededError(`${perDay} lip-syncs a day`, usage.secondsUntilNext);
  }
  return null;
}

/** How much of a limit the owner has used. Null if there is no limit. */
export async function readAllowance(
  { db, limits, now }: LipsyncDependencies,
  owner: string,
  name: 'perDay' | 'inFlight',
): Promise<Allowance | null> {
  const limit = limits[name];
  if (limit === null) return null;
  const { today, inFlight, nextAt } = await readUsage(db, owner, {
    now: now(),
    perDay: limits.perDay,
  });
  return name === 'perDay' ? toAllowance(limit, today, nextAt) : toAllowance(limit, inFlight);
}
