import { GroupedWork } from '../../../database/grouped.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { readPastCredits } from '../store/past-credits.ts';
import { type PricedJob, priceKindOf } from './kind.ts';
import { findPrice } from './prices.ts';

export type CreditEstimate = {
  /** Null if neither prices nor past jobs tell. */
  credits: number | null;
  basis: 'PRICES' | 'PAST_JOBS' | 'UNKNOWN';
  /** How many past jobs of the kind were looked at. */
  sampleCount: number;
};

export type EstimateCredits = (job: PricedJob) => Promise<CreditEstimate>;

/** From `CREDIT_PRICES`, else the median of past jobs of the same kind. Jobs that are estimated at the same time share a read. */
export function createCreditEstimates({
  db,
  creditPrices,
}: Pick<LipsyncDependencies, 'db' | 'creditPrices'>): EstimateCredits {
  const past = new GroupedWork(async (kinds: readonly string[]) => {
    const wanted = [...new Set(kinds)];
    const read = await readPastCredits(db, wanted);
    return kinds.map((kind) => read[wanted.indexOf(kind)]);
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
