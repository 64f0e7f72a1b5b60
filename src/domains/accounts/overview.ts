import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { FreshReads } from '../../upstream/fresh-reads.ts';
import type { Freshness } from '../../upstream/freshness.ts';
import { noteUncachedSource } from '../../upstream/read-sources.ts';
import type { AccountChanges } from './changes.ts';
import { getFeatures, type UpstreamFeatures } from './endpoints.ts';
import { type Account, readByIds, readLoads } from './store.ts';

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

type Plan = Pick<AccountOverview, 'credits' | 'planName' | 'failure'>;

/** Only a bound: a token has fewer accounts. */
const maxCached = 200;

/**
 * Reads accounts with their load and credits. Load and pauses are read from the database each time, credits and the list
 * from the caches of the upstream's responses.
 */
export function createOverviews(options: {
  db: Database;
  upstream: Upstream;
  freshness: Freshness;
  changes: AccountChanges;
  refresh: () => Promise<Account[]>;
}) {
  const { db, upstream, freshness, changes, refresh } = options;
  const listings = freshness.openReads<string[]>(['accounts'], { maxCached: 1 });
  const features = new Map<string, FreshReads<UpstreamFeatures>>();
  changes.onChange((accountId) => {
    listings.drop();
    if (accountId !== null) features.get(accountId)?.drop();
    else for (const reads of features.values()) reads.drop();
  });

  function featuresOf(accountId: string): FreshReads<UpstreamFeatures> {
    const known = features.get(accountId);
    if (known !== undefined) return known;
    const reads = freshness.openReads<UpstreamFeatures>(['accounts'], { maxCached: 1 });
    if (features.size < maxCached) features.set(accountId, reads);
    return reads;
  }

  async function readPlan({ id, email }: Account): Promise<Plan> {
    try {
      const read = (signal: AbortSignal) => getFeatures(upstream, email, { signal });
      const { credits, planName } = await featuresOf(id).read('features', read);
      return { credits, planName, failure: null };
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      return { credits: null, planName: null, failure: thrown };
    }
  }

  /** If the credits of one account cannot be read, only that account shows the failure. */
  async function describe(ids: readonly string[]): Promise<AccountOverview[]> {
    noteUncachedSource();
    const accounts = await readByIds(db, ids);
    const [loads, plans] = await Promise.all([
      readLoads(db, ids),
      Promise.all(accounts.map(readPlan)),
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

  /** One result for each id, in order; null for an unknown id. */
  async function load(ids: readonly string[]): Promise<(AccountOverview | null)[]> {
    const overviews = await describe(ids);
    return ids.map((id) => overviews.find((overview) => overview.id === id) ?? null);
  }

  return {
    load,
    /** The accounts that the upstream lists, in its order. */
    async list(): Promise<AccountOverview[]> {
      const read = async () => (await refresh()).map(({ id }) => id);
      const overviews = await load(await listings.read('list', read));
      return overviews.filter((overview) => overview !== null);
    },
  };
}
