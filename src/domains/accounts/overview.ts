import type { Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import { getFeatures } from './endpoints.ts';
import { type Account, readLoads } from './store.ts';

/** An account as an operator sees it. */
export type AccountOverview = Account & {
  /** Lip-syncs that hold one of its slots. */
  inFlight: number;
  /** Lip-syncs that wait for this account and cannot use another. */
  waiting: number;
  /** Credits that can be spent; null where the upstream does not report them. */
  credits: number | null;
  planName: string | null;
  /** Why credits and plan could not be read. */
  failure: Failure | null;
};

/** Adds load and credits. If the credits of one account cannot be read, only that account shows the failure. */
export async function describeAccounts(
  { db, upstream }: { db: Sql; upstream: Upstream },
  accounts: readonly Account[],
): Promise<AccountOverview[]> {
  const ids = accounts.map(({ id }) => id);
  const [loads, plans] = await Promise.all([
    readLoads(db, ids),
    Promise.all(accounts.map(({ email }) => readPlan(upstream, email))),
  ]);
  return accounts.map((account, at) => {
    const load = loads.find(({ id }) => id === account.id);
    return {
      ...account,
      inFlight: load?.inFlight ?? 0,
      waiting: load?.waiting ?? 0,
      ...(plans[at] ?? { credits: null, planName: null, failure: null }),
    };
  });
}

type Plan = Pick<AccountOverview, 'credits' | 'planName' | 'failure'>;

async function readPlan(upstream: Upstream, email: string): Promise<Plan> {
  try {
    const { credits, planName } = await getFeatures(upstream, email);
    return { credits, planName, failure: null };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { credits: null, planName: null, failure: thrown };
  }
}
