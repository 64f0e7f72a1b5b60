/** Runs a callback after a time. */
export type Timer = (callback: () => void, ms: number) => void;

export const logWindowMs = 60_000;

/**
 * Messages are fixed texts, so there are about a hundred kinds. Should texts of another kind get in, they share one
 * limit from here on.
 */
const maxKinds = 500;

/**
 * Limits the lines of each kind in each minute, so that one caller, or one broken dependency, can't fill the disk of the
 * log. At the end of a minute `report` is called once for each kind with the number of its suppressed lines.
 */
export function createLineLimiter(parts: {
  report: (kind: string, suppressed: number) => void;
  /** Default: a timer that does not keep the process alive. */
  timer?: Timer | undefined;
}) {
  const { report, timer = (callback, ms) => void setTimeout(callback, ms).unref() } = parts;
  const counts = new Map<string, number>();

  function startWindow(kind: string, max: number): void {
    timer(() => {
      const suppressed = (counts.get(kind) ?? 0) - max;
      counts.delete(kind);
      if (suppressed > 0) report(kind, suppressed);
    }, logWindowMs);
  }

  return {
    /** Whether a line of this kind may be written now. `max` is the number of lines in a minute. */
    admit(text: string, max: number): boolean {
      const kind = counts.has(text) || counts.size < maxKinds ? text : 'other';
      const count = (counts.get(kind) ?? 0) + 1;
      if (count === 1) startWindow(kind, max);
      counts.set(kind, count);
      return count <= max;
    },
  };
}
