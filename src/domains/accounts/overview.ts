import type { Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import { getFeatures } from './endpoints.ts';
import { type Account, readLoads } from './store.ts';

/** What an operator sees of an account. */
export type AccountOverview = Account & {
  /** Lip-syncs that hold one of its slots. */
  inFlight: number;
  /** Lip-syncs that wait for this account and can't go to another. */
  waiting: number;
  /** What can be spent; null where the upstream does not tell. */
  credits: number | null;
  planName: string | null;
  /** Why credits and plan are not known. */
  failure: Failure | null;
};

/** Adds load and credits. A failure of one account is told with it and leaves the others whole. */
export async function describeAccounts(
  { db, upstream }: { db: Sql; upstream: Upstream },
  accounts: readonly Account[],
): Promise<AccountOverview[]> {
  const ids = accounts.map(({ id }) => id);
  const [loads, features] = await Promise.all([
    readLoads(db, ids),
    Promise.all(accounts.map(({ email }) => readFeatures(upstream, email))),
  ]);
  return accounts.map((account, at) => {
    const load = loads.find(({ id }) => id === account.id);
    return {
      ...account,
      inFlight: load?.inFlight ?? 0,
      waiting: load?.waiting ?? 0,
      ...(features[at] ?? { credits: null, planName: null, failure: null }),
    };
  });
}

type Told = Pick<AccountOverview, 'credits' | 'planName' | 'failure'>;

async function readFeatures(upstream: Upstream, email: string): Promise<Told> {
  try {
    const { credits, planName } = await getFeatures(upstream, email);
    return { credits, planName, failure: null };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { credits: null, planName: null, failure: thrown };
  }
}
