import { type PricedJob, secondsOf } from './kind.ts';

/** An entry of `CREDIT_PRICES`. A condition that is left out is always met. */
export type CreditPrice = {
  readonly speech?: 'TEXT' | 'AUDIO' | undefined;
  readonly offPeak?: boolean | undefined;
  /** Up to this length of speech. */
  readonly upToSeconds?: number | undefined;
  readonly credits: number;
  /** For each second of speech that has begun, on top of `credits`. */
  readonly creditsPerSecond?: number | undefined;
};

/** By the first price that fits. Null if none fits, or if it depends on a length that is not known. */
export function findPrice(prices: readonly CreditPrice[], job: PricedJob): number | null {
  const seconds = secondsOf(job);
  const isShort = ({ upToSeconds }: CreditPrice) => (seconds ?? 0) <= (upToSeconds ?? Infinity);
  const price = prices.find((each) => isOfKind(each, job) && isShort(each));
  if (price === undefined) return null;
  const { credits, creditsPerSecond = 0, upToSeconds } = price;
  if (seconds !== null) return credits + creditsPerSecond * Math.ceil(seconds);
  return upToSeconds === undefined && creditsPerSecond === 0 ? credits : null;
}

function isOfKind({ speech, offPeak }: CreditPrice, job: PricedJob): boolean {
  const isSpeech = speech === undefined || speech === (job.text === null ? 'AUDIO' : 'TEXT');
  return isSpeech && (offPeak ?? job.offPeak) === job.offPeak;
}
