import { setTimeout as wait } from 'node:timers/promises';
import { isStatementRejected, isTransient } from '../../../database/failures.ts';
import type { Engine } from '../dependencies.ts';

/** How long to wait before the database is asked again; it doubles. */
const firstDelayMs = 100;
const longestDelayMs = 2_000;

/**
 * Writes something of a claimed lip-sync, again and again while the database is away or too busy. What a POST led to is
 * known to nobody else: let go, a job that was refused would be looked for until it is given up.
 *
 * @param until when it is too late for it; null: never, but for a stop of the process
 * @param write may be run again after a time of which nobody knows whether it was committed
 */
export async function outlast<T>(
  engine: Engine,
  { lipsyncId, until }: { lipsyncId: string; until: Date | null },
  write: () => Promise<T>,
): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
    try {
      return await write();
    } catch (error) {
      const isLate = until !== null && engine.now() >= until;
      if (isLate || (isStatementRejected(error) && !isTransient(error))) throw error;
      engine.log.warn({ err: error, lipsyncId }, 'a submission waits for the database');
      await wait(delayMs, undefined, { signal: engine.stopping });
    }
  }
}
