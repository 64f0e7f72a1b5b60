import type { Upstream } from '../../upstream/client.ts';
import { getAccount, getFeatures } from './endpoints.ts';
import type { Probe } from './pause-store.ts';

/**
 * Whether the cause of an account's pause is gone, checked by a read that costs no credits. A failed or incomplete
 * response counts as not recovered.
 */
export async function isRecovered(upstream: Upstream, probe: Probe): Promise<boolean> {
  if (probe.pausedBy === 'ACCOUNT_PENDING') {
    const account = await getAccount(upstream, probe.email);
    return account !== null && !account.pendingError;
  }
  const { credits } = await getFeatures(upstream, probe.email);
  // Any successful read proves that token and subscription are valid; INSUFFICIENT_CREDITS also needs a positive number.
  return probe.pausedBy !== 'INSUFFICIENT_CREDITS' || (credits !== null && credits > 0);
}
