import { QuotaExceededError } from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { Usage } from '../store/usage.ts';

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
