import type { Upstream } from '../../upstream/client.ts';
import { getAccount, getFeatures } from './endpoints.ts';
import type { Probe } from './pause-store.ts';

/** An account whose credits are not all reported resumes after this time at the earliest. */
const minPauseOfUnknownCreditsMs = 60_000;

/**
 * Whether the cause of an account's pause is gone, checked by a read that costs no credits. A failed response counts as
 * not recovered.
 */
export async function isRecovered(upstream: Upstream, probe: Probe): Promise<boolean> {
  if (probe.pausedBy === 'ACCOUNT_PENDING') {
    const account = await getAccount(upstream, probe.email);
    return account !== null && !account.pendingError;
  }
  const { credits, isComplete } = await getFeatures(upstream, probe.email);
  // Any successful read proves that token and subscription are valid.
  if (probe.pausedBy !== 'INSUFFICIENT_CREDITS') return true;
  if (credits !== null && credits > 0) return true;
  if (isComplete) return false;
  // Every field of the response is optional, and a missing one may hold the credits. An account whose credits are never all
  // reported must not stay paused for ever: the next POST shows whether it has credits, and after another 412 the probes back
  // off.
  return probe.probedAt.getTime() - probe.pausedAt.getTime() >= minPauseOfUnknownCreditsMs;
}
