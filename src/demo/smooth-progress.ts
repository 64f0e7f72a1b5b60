/** The last event of a lip-sync. */
export type ProgressEvent = {
  status: string;
  /** 0 to 100. */
  percent: number;
  /** When the video is expected to be finished. */
  expectedAt: Date | null;
};

/**
 * The position of the bar at the expected end. The server estimates at most 95 before the real end; a lower position keeps
 * the bar behind the next event.
 */
const percentAtExpectedEnd = 85;

/** Moves a bar between two events: evenly to the expected end, never back, and to 100 only when the video is finished. */
export function createSmoothProgress() {
  let shown = 0;
  let last: (ProgressEvent & { receivedAtMs: number }) | null = null;
  return {
    update(event: ProgressEvent, now: Date): void {
      last = { ...event, receivedAtMs: now.getTime() };
    },
    percentAt(now: Date): number {
      if (last?.status === 'COMPLETED') return 100;
      if (last !== null) shown = Math.min(99, Math.max(shown, last.percent, estimate(last, now)));
      return shown;
    },
  };
}

function estimate(last: ProgressEvent & { receivedAtMs: number }, now: Date): number {
  if (last.expectedAt === null) return last.percent;
  const span = last.expectedAt.getTime() - last.receivedAtMs;
  const share = span <= 0 ? 0 : Math.min(1, (now.getTime() - last.receivedAtMs) / span);
  return last.percent + share * Math.max(0, percentAtExpectedEnd - last.percent);
}
