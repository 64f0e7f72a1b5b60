/** What the log of a lip-sync told last. */
export type Told = {
  status: string;
  /** 0 to 100. */
  percent: number;
  estimatedCompletionAt: Date | null;
};

/**
 * Where the bar stands when the expected time is over. The server's own estimate is at most 95 until the end; aiming
 * lower keeps the bar behind what the next event tells.
 */
const percentWhenDue = 85;

/** A bar between two events: it goes on evenly to the expected end, never falls, and is full only when it is done. */
export function createPace() {
  let shown = 0;
  let told: (Told & { at: number }) | null = null;
  return {
    tell(event: Told, now: Date): void {
      told = { ...event, at: now.getTime() };
    },
    percentAt(now: Date): number {
      if (told?.status === 'COMPLETED') return 100;
      if (told !== null) shown = Math.min(99, Math.max(shown, told.percent, forecast(told, now)));
      return shown;
    },
  };
}

function forecast(told: Told & { at: number }, now: Date): number {
  if (told.estimatedCompletionAt === null) return told.percent;
  const span = told.estimatedCompletionAt.getTime() - told.at;
  const share = span <= 0 ? 0 : Math.min(1, (now.getTime() - told.at) / span);
  return told.percent + share * Math.max(0, percentWhenDue - told.percent);
}
