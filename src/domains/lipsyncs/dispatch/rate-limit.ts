import { type Failure, RateLimitedError, type UpstreamLimit } from '../../../errors.ts';
import { randomRetryAfterSeconds } from '../../../upstream/errors.ts';
import { addMs } from '../dependencies.ts';

/**
 * What a busy upstream means for a lip-sync: every decision about a 429, or about a slot that is not free, is made here.
 *
 * - The caller waits 10 to 30 seconds before it retries. `upstream/errors.ts` has that range, since every endpoint may
 *   answer 429. The upstream's own value counts if it gives one, else a random one.
 * - A lip-sync that may wait is requeued. With `whenBusy: FAIL` its create request is rejected, if it is not answered yet.
 * - The account gets no POST until its cooldown is over, then a single one to try it: see `readAccountSlots`.
 */

/** For a create request with `whenBusy: FAIL` that found no free slot. */
export function noFreeSlot(limit: UpstreamLimit): RateLimitedError {
  return new RateLimitedError(limit, randomRetryAfterSeconds());
}

export function isRateLimited(failure: Failure): boolean {
  return failure.code === 'RATE_LIMITED';
}

/** What a 429 does to the lip-sync. `isFirstAnswer`: the create request that made it still waits for the answer. */
export function decideWhenBusy(lipsync: {
  mayWait: boolean;
  isFirstAnswer: boolean;
}): 'requeue' | 'reject' {
  return lipsync.mayWait || !lipsync.isFirstAnswer ? 'requeue' : 'reject';
}

/** Until when an account gets no further POST after it rejected one, or after one that could not be sent. */
export function cooldownEnd(failure: Failure, rejectedAt: Date): Date {
  const seconds = failure.retryAfterSeconds ?? randomRetryAfterSeconds();
  return addMs(rejectedAt, seconds * 1000);
}
