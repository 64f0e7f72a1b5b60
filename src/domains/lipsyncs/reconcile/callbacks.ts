import { setTimeout as wait } from 'node:timers/promises';
import { isUuid } from '../../../database/uuid.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { addHintedVideoId, hintWithoutId } from '../store/claims.ts';
import { readFirstReport } from '../store/events.ts';
import { reconcileLipsync } from './find-job.ts';

const defaultIntervalMs = 1_000;

/** PostgreSQL rejects U+0000, and a body that contains it must not prevent the reconciliation. */
function isPlausibleId(text: string | null): text is string {
  return text !== null && text.length <= 512 && !text.includes('\0');
}

/** The arrivals of the callbacks that wait for the next reconciliation of a lip-sync. */
type Run = { arrivals: Date[]; done: Promise<void> };

/**
 * Counts the callbacks that shared a reconciliation. The first one was the first report of a status, repeated it, or came
 * late; the others count as duplicates.
 */
async function countCallbacks(
  deps: LipsyncDependencies,
  id: string,
  arrivals: readonly Date[],
): Promise<void> {
  const [first, ...others] = arrivals;
  if (first === undefined) return;
  const { db, meter } = deps;
  const report = await readFirstReport(db, id);
  const isByCallback = report?.source === 'CALLBACK';
  const lagMs = report === null ? 0 : report.occurredAt.getTime() - first.getTime();
  if (isByCallback && lagMs >= 0) {
    meter.count('lipsync_callbacks_total', { kind: 'first_news' });
    meter.time('lipsync_callback_lag_seconds', {}, lagMs / 1_000);
  } else meter.count('lipsync_callbacks_total', { kind: isByCallback ? 'duplicate' : 'late' });
  for (const _ of others) meter.count('lipsync_callbacks_total', { kind: 'duplicate' });
}

/**
 * Reconciles a lip-sync when a callback comes, at most once per interval. Callbacks within an interval share one
 * more reconciliation at its end, so that the last callback of a burst is never lost.
 */
export function createCallbackHandler(deps: LipsyncDependencies) {
  const runs = new Map<string, Run>();
  const closing = new AbortController();
  const intervalMs = deps.intervals?.callbackMs ?? defaultIntervalMs;

  async function reconcileUntilQuiet(id: string, run: Run): Promise<void> {
    try {
      while (run.arrivals.length > 0 && !closing.signal.aborted) {
        const arrivals = run.arrivals.splice(0);
        await reconcileLipsync(deps, id, 'CALLBACK');
        await countCallbacks(deps, id, arrivals);
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
    /**
     * `claimedVideoId` comes from the callback's body. It is stored as a hint while the job's id is not known. A callback
     * without one is stored too: if it came before the answer to the POST, the state is read after that answer.
     */
    async onCallback(id: string, claimedVideoId: string | null): Promise<void> {
      if (!isUuid(id) || closing.signal.aborted) return;
      const arrivedAt = deps.now();
      // Each callback, also one that shares a later reconciliation: what it reports is visible to the next read.
      deps.accounts.expectChange();
      const hint = isPlausibleId(claimedVideoId) ? claimedVideoId : hintWithoutId;
      await addHintedVideoId(deps.db, id, hint);
      const running = runs.get(id);
      if (running !== undefined) {
        running.arrivals.push(arrivedAt);
        return;
      }
      const run: Run = { arrivals: [arrivedAt], done: Promise.resolve() };
      runs.set(id, run);
      run.done = reconcileUntilQuiet(id, run);
    },
    async close(): Promise<void> {
      closing.abort();
      await Promise.allSettled([...runs.values()].map(({ done }) => done));
    },
  };
}
