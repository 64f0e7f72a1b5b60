/** Where a bar stands: the percentage that was told last, when that was, and when the end is expected. */
export type Estimate = { percent: number; toldAtMs: number; endsAtMs: number | null };

/** At the expected end a bar stands here, and then creeps towards `ceiling`: as the server itself estimates. */
const atExpectedEnd = 85;
const ceiling = 95;

/**
 * What to show between two events, so that the bar moves although nothing is told. It never falls, and never says that
 * something is done before it is.
 */
export function percentAt({ percent, toldAtMs, endsAtMs }: Estimate, nowMs: number): number {
  if (endsAtMs === null || percent >= ceiling) return percent;
  const wholeMs = Math.max(endsAtMs - toldAtMs, 1);
  const share = Math.max(0, nowMs - toldAtMs) / wholeMs;
  const aim = Math.max(percent, atExpectedEnd);
  if (share <= 1) return percent + (aim - percent) * share;
  return ceiling - (ceiling - aim) * Math.exp(1 - share);
}

/** For people: never more exact than an estimate is. */
export function describeRest(endsAtMs: number, nowMs: number): string {
  const seconds = Math.round((endsAtMs - nowMs) / 1_000);
  if (seconds <= 1) return 'any moment now';
  if (seconds <= 10) return 'a few seconds left';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} seconds left`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes === 1 ? 'about a minute left' : `about ${minutes} minutes left`;
}
