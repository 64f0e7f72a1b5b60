import type { LipsyncFailure } from './answer.ts';
import { LipsyncRequestError } from './errors.ts';
import type { LipsyncFragment } from './operations.ts';
import {
  type LipsyncEvent,
  type WatchableServer,
  type WatchFailure,
  type WatchOptions,
  watchLipsync,
} from './watch.ts';

export type Lipsync = LipsyncFragment;

export type LipsyncVideo = NonNullable<Lipsync['result']>;

/** By `outcome`. `Refusal`: why it could not be watched, or not even be made. */
export type LipsyncEnd<Refusal = WatchFailure> =
  | { outcome: 'COMPLETED'; lipsync: Lipsync; video: LipsyncVideo }
  | { outcome: 'FAILED' | 'MODERATED'; lipsync: Lipsync; failure: LipsyncFailure }
  | { outcome: 'CANCELLED' | 'EXPIRED'; lipsync: Lipsync }
  | { outcome: 'REFUSED'; failure: Refusal }
  /** The deadline passed. The lip-sync goes on, and so can the waiting: from its id, or from this cursor. */
  | { outcome: 'STILL_RUNNING'; lipsync: Lipsync | null; cursor: string | null }
  /** An end that this version does not know. */
  | { outcome: 'FUTURE'; lipsync: Lipsync; status: string };

export type WaitOptions = WatchOptions & {
  /** How long to wait, at most. Default: as long as it takes. */
  deadlineMs?: number | undefined;
  onProgress?: ((event: LipsyncEvent) => void) | undefined;
};

/**
 * Waits for the end of a lip-sync, however often the connection breaks.
 *
 * @throws LipsyncConnectionError with the cursor, LipsyncRequestError, or the signal's reason
 */
export async function waitForLipsync(
  server: WatchableServer,
  id: string,
  options: WaitOptions = {},
): Promise<LipsyncEnd> {
  const { after = null, signal, deadlineMs, onProgress } = options;
  const deadline = deadlineMs === undefined ? undefined : AbortSignal.timeout(deadlineMs);
  const signals = [signal, deadline].filter((each) => each !== undefined);
  let last: LipsyncEvent | null = null;
  const follow = async (from: string | null): Promise<LipsyncEnd | null> => {
    const updates = watchLipsync(server, id, { after: from, signal: AbortSignal.any(signals) });
    for await (const update of updates) {
      if (update.__typename !== 'LipsyncProgress') return { outcome: 'REFUSED', failure: update };
      last = update;
      onProgress?.(update);
    }
    return last === null ? null : endOf(last);
  };
  try {
    for (let from = after; ; from = null) {
      const end = await follow(from);
      // Nothing comes after the cursor of the end itself: from nowhere on, the end is the first that does.
      if (end !== null) return end;
    }
  } catch (error) {
    if (deadline?.aborted !== true || error !== deadline.reason) throw error;
    const { lipsync = null, cursor = after } = (last ?? {}) as Partial<LipsyncEvent>;
    return { outcome: 'STILL_RUNNING', lipsync, cursor };
  }
}

function endOf({ status, failure, lipsync }: LipsyncEvent): LipsyncEnd {
  switch (status) {
    case 'COMPLETED':
      return { outcome: status, lipsync, video: told(lipsync.result) };
    case 'FAILED':
    case 'MODERATED':
      return { outcome: status, lipsync, failure: told(failure) };
    case 'CANCELLED':
    case 'EXPIRED':
      return { outcome: status, lipsync };
    default:
      return { outcome: 'FUTURE', lipsync, status };
  }
}

function told<T>(value: T | null): T {
  if (value === null)
    throw new LipsyncRequestError('The server tells an end without what it led to.');
  return value;
}
