/** Progress estimates. The upstream reports no progress, so it is estimated from the durations of earlier jobs. */

/** The estimate reaches this when the expected time is over, then approaches `maxPercent`. */
const percentAtExpected = 85;
const maxPercent = 95;

/** Longer audio takes longer: durations are compared within these upper bounds, in seconds of speech. */
const lengthBounds = [10, 30, Number.POSITIVE_INFINITY] as const;

/** About fourteen characters are spoken per second. */
export function secondsOfSpeech(text: string): number {
  return [...text].length / 14;
}

/** Jobs with comparable durations: same kind of speech, same tariff, seconds above `fromSeconds` and up to `toSeconds`. */
export function kindOf(job: { isText: boolean; seconds: number | null; isOffPeak: boolean }): {
  isText: boolean;
  isOffPeak: boolean;
  fromSeconds: number;
  toSeconds: number;
} {
  const seconds = job.seconds ?? 0;
  const at = lengthBounds.findIndex((bound) => seconds <= bound);
  return {
    isText: job.isText,
    isOffPeak: job.isOffPeak,
    fromSeconds: at <= 0 ? -1 : (lengthBounds[at - 1] ?? -1),
    toSeconds: lengthBounds[at] ?? Number.POSITIVE_INFINITY,
  };
}

/** The median of the durations in milliseconds, or the default if there are none. */
export function expectedMs(durations: readonly number[], defaultMs: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) return defaultMs;
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper;
  return Math.max(1, Math.round((lower + upper) / 2));
}

/** 0 to 95 while the job runs. It never falls, because the expected duration is fixed when the job is submitted. */
export function runningPercent(elapsedMs: number, expected: number): number {
  const share = Math.max(0, elapsedMs) / expected;
  const percent =
    share <= 1
      ? share * percentAtExpected
      : maxPercent - (maxPercent - percentAtExpected) * Math.exp(1 - share);
  return Math.min(maxPercent, Math.round(percent * 10) / 10);
}

/** The expected completion. Once that has passed: a tenth of the expected duration from now. */
export function estimatedCompletion(submittedAt: Date, expected: number, now: Date): Date {
  const due = submittedAt.getTime() + expected;
  return new Date(Math.max(due, now.getTime() + expected / 10));
}

/** At least 5 points and 5 seconds after the last logged percentage, so that a log stays short. */
export function isPercentWorthLogging(
  last: { percent: number; at: Date | null },
  percent: number,
  now: Date,
): boolean {
  const isFar = percent >= last.percent + 5;
  return isFar && (last.at === null || now.getTime() - last.at.getTime() >= 5_000);
}

/** A position is logged if it halved since the last event or is one of the first three. */
export function isPositionWorthLogging(last: number | null, position: number): boolean {
  if (last === null) return true;
  return position < last && (position <= 3 || position * 2 <= last);
}
