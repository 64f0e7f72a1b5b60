import type { Upstream } from '../../upstream/client.ts';
import { getAccount, getFeatures } from './endpoints.ts';
import type { Probe } from './store.ts';

/**
 * Whether a read with our own token shows that what paused the account is over. An answer that fails or does not say
 * heals nothing.
 */
export async function isHealed(upstream: Upstream, probe: Probe): Promise<boolean> {
  if (probe.pausedBy === 'ACCOUNT_PENDING') {
    const account = await getAccount(upstream, probe.email);
    return account !== null && !account.pendingError;
  }
  const { credits } = await getFeatures(upstream, probe.email);
  // Any good read shows that the token and the subscription are good again; only for credits it must say how many.
  return probe.pausedBy !== 'INSUFFICIENT_CREDITS' || (credits !== null && credits > 0);
}
