import { setTimeout as wait } from 'node:timers/promises';
import { isUuid } from '../../../database/uuid.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { addHintedVideoId } from '../store/claims.ts';
import { reconcileLipsync } from './find-job.ts';

const defaultIntervalMs = 1_000;

/** PostgreSQL rejects U+0000, and a body that contains it must not prevent the reconciliation. */
function isPlausibleId(text: string): boolean {
  return text.length <= 512 && !text.includes('\0');
}

/**
 * Reconciles a lip-sync when a callback comes, at most once per interval. Callbacks within an interval share one
 * more reconciliation at its end, so that the last callback of a burst is never lost.
 */
export function createCallbackHandler(deps: LipsyncDependencies) {
  const runs = new Map<string, { isRequested: boolean; done: Promise<void> }>();
  const closing = new AbortController();
  const intervalMs = deps.intervals?.callbackMs ?? defaultIntervalMs;

  async function reconcileUntilQuiet(id: string, run: { isRequested: boolean }): Promise<void> {
    try {
      while (run.isRequested && !closing.signal.aborted) {
        run.isRequested = false;
        await reconcileLipsync(deps, id, 'CALLBACK');
        await wait(intervalMs, undefined, { signal: closing.signal, ref: false });
      }
    } catch (error) {
      if (!closing.signal.aborted) {
        deps.log.error({ err: error, lipsyncId: id }, 'reconciling after a callback failed');
      }
    } finally {
      runs.delete(id);
    }
  }

  return {
    /** `claimedVideoId` comes from the callback's body. It is kept as a hint while the job's id is not known. */
    async onCallback(id: string, claimedVideoId: string | null): Promise<void> {
      if (!isUuid(id) || closing.signal.aborted) return;
      // Each callback, also one that shares a later reconciliation: what it reports is visible to the next read.
      deps.accounts.expectChange();
      if (claimedVideoId !== null && isPlausibleId(claimedVideoId)) {
        await addHintedVideoId(deps.db, id, claimedVideoId);
      }
      const running = runs.get(id);
      if (running !== undefined) {
        running.isRequested = true;
        return;
      }
      const run = { isRequested: true, done: Promise.resolve() };
      runs.set(id, run);
      run.done = reconcileUntilQuiet(id, run);
    },
    async close(): Promise<void> {
      closing.abort();
      await Promise.allSettled([...runs.values()].map(({ done }) => done));
    },
  };
}
