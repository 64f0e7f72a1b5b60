/** The percentage of the last event, when that event arrived, and when the end is expected. */
export type Estimate = { percent: number; receivedAtMs: number; endsAtMs: number | null };

/** The percentage at the expected end. After it the bar slowly approaches `maxPercent`, as the server's estimate does. */
const percentAtExpectedEnd = 85;
const maxPercent = 95;

/**
 * The percentage to show between two events, so that the bar moves although nothing arrives. It never falls, and it
 * stays below 100 until the lip-sync is completed.
 */
export function percentAt({ percent, receivedAtMs, endsAtMs }: Estimate, nowMs: number): number {
  if (endsAtMs === null || percent >= maxPercent) return percent;
  const durationMs = Math.max(endsAtMs - receivedAtMs, 1);
  const share = Math.max(0, nowMs - receivedAtMs) / durationMs;
  const target = Math.max(percent, percentAtExpectedEnd);
  if (share <= 1) return percent + (target - percent) * share;
  return maxPercent - (maxPercent - target) * Math.exp(1 - share);
}

/** Rounded, because it is an estimate. */
export function describeRemaining(endsAtMs: number, nowMs: number): string {
  const seconds = Math.round((endsAtMs - nowMs) / 1_000);
  if (seconds <= 1) return 'almost done';
  if (seconds <= 10) return 'a few seconds left';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} seconds left`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes === 1 ? 'about a minute left' : `about ${minutes} minutes left`;
}
