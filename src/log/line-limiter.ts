import { OwnerSlots } from '../owner-slots.ts';

/** Runs a callback after a time. */
export type Timer = (callback: () => void, ms: number) => void;

export const logWindowMs = 60_000;

/**
 * Messages are fixed texts, so there are about a hundred kinds. Above this number, all other messages share one limit.
 */
const maxKinds = 500;

/** Lines of one kind in one minute. */
type Window = { lines: OwnerSlots; suppressed: number };

export type Line = {
  kind: string;
  /** The owner, or another cause, whose share of the lines of this kind the line uses. */
  share: string;
};

/**
 * Limits the lines of each kind in each minute, so that one caller, or one broken dependency, can't fill the disk of the
 * log. A share writes another line only while it has written fewer than are left, so it can't hide the lines of the others.
 * At the end of a minute `report` is called once for each kind with the number of its suppressed lines.
 */
export function createLineLimiter(parts: {
  report: (kind: string, suppressed: number) => void;
  /** Default: a timer that does not keep the process alive. */
  timer?: Timer | undefined;
}) {
  const { report, timer = (callback, ms) => void setTimeout(callback, ms).unref() } = parts;
  const windows = new Map<string, Window>();

  function openWindow(kind: string, maxOfShare: number): Window {
    const window = { lines: new OwnerSlots({ all: 2 * maxOfShare }), suppressed: 0 };
    windows.set(kind, window);
    timer(() => {
      if (windows.get(kind) === window) closeWindow(kind, window);
    }, logWindowMs);
    return window;
  }

  function closeWindow(kind: string, { suppressed }: Window): void {
    windows.delete(kind);
    if (suppressed > 0) report(kind, suppressed);
  }

  return {
    /** Whether this line may be written now. `maxOfShare` is the most that one share gets in a minute; all get twice that. */
    admit({ kind: text, share }: Line, maxOfShare: number): boolean {
      const kind = windows.has(text) || windows.size < maxKinds ? text : 'other';
      const window = windows.get(kind) ?? openWindow(kind, maxOfShare);
      const isAdmitted = window.lines.acquire(share) !== null;
      if (!isAdmitted) window.suppressed += 1;
      return isAdmitted;
    },

    /** Reports now what was suppressed in the minutes that have not ended. */
    reportAll(): void {
      for (const [kind, window] of [...windows]) closeWindow(kind, window);
    },
  };
}
