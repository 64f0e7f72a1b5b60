import type { Sql } from '../../../database/connect.ts';
import { GroupedWork } from '../../../database/grouped.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { type PastCredits, readPastCredits } from '../store/past-credits.ts';
import { type PricedJob, priceKindOf } from './kind.ts';
import { findPrice } from './prices.ts';

export type CreditEstimate = {
  /** Null if no price fits and no past job is similar. */
  credits: number | null;
  basis: 'PRICES' | 'PAST_JOBS' | 'UNKNOWN';
  /** The number of past jobs of the kind that the estimate is based on. */
  sampleCount: number;
};

export type EstimateCredits = (job: PricedJob) => Promise<CreditEstimate>;

/**
 * A median of fifty jobs changes slowly, and a thousand creations a second need the same one. A missing median is not
 * cached.
 */
const cacheMs = 1_000;

/**
 * From `CREDIT_PRICES`, else the median of past jobs of the same kind, at most a second old. Jobs that are estimated at
 * the same time share a read.
 */
export function createCreditEstimates({
  db,
  creditPrices,
  now,
}: { db: Sql } & Pick<LipsyncDependencies, 'creditPrices' | 'now'>): EstimateCredits {
  /** By kind, of which there are few. */
  const cached = new Map<string, { past: PastCredits | undefined; readAtMs: number }>();
  const past = new GroupedWork(async (kinds: readonly string[]) => {
    const readAtMs = now().getTime();
    const isDue = (kind: string) => {
      const known = cached.get(kind);
      if (known?.past?.median == null) return true;
      const age = readAtMs - known.readAtMs;
      return age < 0 || age >= cacheMs;
    };
    const wanted = [...new Set(kinds)].filter(isDue);
    const read = wanted.length === 0 ? [] : await readPastCredits(db, wanted);
    for (const [at, kind] of wanted.entries()) cached.set(kind, { past: read[at], readAtMs });
    return kinds.map((kind) => cached.get(kind)?.past);
  });
  return async (job) => {
    const price = findPrice(creditPrices, job);
    if (price !== null) return { credits: price, basis: 'PRICES', sampleCount: 0 };
    const { median = null, count = 0 } = (await past.run(priceKindOf(job))) ?? {};
    return {
      credits: median,
      basis: median === null ? 'UNKNOWN' : 'PAST_JOBS',
      sampleCount: count,
    };
  };
}

/** An unknown cost is not too expensive. */
export function isTooExpensive(credits: number | null, maxCredits: number | null): boolean {
  return credits !== null && maxCredits !== null && credits > maxCredits;
}
