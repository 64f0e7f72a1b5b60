export type Throttle = { run: () => void; stop: () => void };

/**
 * Runs `work` at most once per `intervalMs`: at once if the last run is long enough ago, otherwise at the end of the
 * interval. Every call is followed by a run.
 */
export function createThrottle(intervalMs: number, work: () => void): Throttle {
  let next: NodeJS.Timeout | null = null;
  let ranAt = Number.NEGATIVE_INFINITY;
  const runNow = () => {
    next = null;
    ranAt = performance.now();
    work();
  };
  return {
    run(): void {
      if (next !== null) return;
      const delayMs = ranAt + intervalMs - performance.now();
      if (delayMs <= 0) runNow();
      else next = setTimeout(runNow, delayMs);
    },
    stop(): void {
      if (next !== null) clearTimeout(next);
    },
  };
}
