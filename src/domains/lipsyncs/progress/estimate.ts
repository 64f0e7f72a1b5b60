/** How far along a lip-sync is. The upstream tells no progress, so it is estimated from how long others took. */

/** The estimate reaches this when the expected time is over, then creeps towards `ceiling`. */
const percentAtExpected = 85;
const ceiling = 95;

/** Longer audio takes longer: durations are compared within these upper bounds, in seconds of speech. */
const lengthBounds = [10, 30, Number.POSITIVE_INFINITY] as const;

/** About fourteen characters are spoken in a second. */
export function secondsOfSpeech(text: string): number {
  return text.length / 14;
}

/** Jobs whose durations may be compared: `'audio/10'`, `'text/30/off-peak'`. */
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

/** The median of the durations in milliseconds, or the first guess where there are none. */
export function expectedMs(durations: readonly number[], firstGuessMs: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) return firstGuessMs;
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper;
  return Math.max(1, Math.round((lower + upper) / 2));
}

/** 0 to 95 while it runs. It never falls, as the expected duration of a job is fixed when it is submitted. */
export function runningPercent(elapsedMs: number, expected: number): number {
  const share = Math.max(0, elapsedMs) / expected;
  const percent =
    share <= 1
      ? share * percentAtExpected
      : ceiling - (ceiling - percentAtExpected) * Math.exp(1 - share);
  return Math.min(ceiling, Math.round(percent * 10) / 10);
}

/** When it should be done: as expected, or, once that has passed, a tenth of the expected time from now. */
export function estimatedCompletion(submittedAt: Date, expected: number, now: Date): Date {
  const due = submittedAt.getTime() + expected;
  return new Date(Math.max(due, now.getTime() + expected / 10));
}

/** Whether a new percentage is worth an event: 5 points and 5 seconds after the last, so that a log stays short. */
export function isWorthTelling(
  last: { percent: number; at: Date | null },
  percent: number,
  now: Date,
): boolean {
  const isFar = percent >= last.percent + 5;
  return isFar && (last.at === null || now.getTime() - last.at.getTime() >= 5_000);
}

/** Whether a new place in the queue is worth an event: halved, or among the first three. */
export function isPositionWorthTelling(last: number | null, position: number): boolean {
  if (last === null) return true;
  return position < last && (position <= 3 || position * 2 <= last);
}
