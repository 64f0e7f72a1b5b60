import { abortAfter, joinSignals } from '../back-off.ts';
import { LipsyncRequestError } from '../errors.ts';
import type { LipsyncFragment } from '../operations.ts';
import type { LipsyncFailure } from '../result.ts';
import type { LipsyncEvent, WatchableServer, WatchFailure } from './log-reader.ts';
import { type WatchOptions, watchLipsync } from './watch.ts';

/** A lip-sync, with the fields that the kit selects. */
export type Lipsync = LipsyncFragment;

/** The finished video. `url` is the video service's and may stop working; `permanentUrl` leads to where the file is now. */
export type LipsyncVideo = NonNullable<Lipsync['result']>;

/** By `outcome`. `Refusal`: why the lip-sync could not be watched or created. */
export type LipsyncEnd<Refusal = WatchFailure> =
  | { outcome: 'COMPLETED'; lipsync: Lipsync; video: LipsyncVideo }
  | { outcome: 'FAILED' | 'MODERATED'; lipsync: Lipsync; failure: LipsyncFailure }
  | { outcome: 'CANCELLED' | 'EXPIRED'; lipsync: Lipsync }
  | { outcome: 'REFUSED'; failure: Refusal }
  /** The deadline passed. The lip-sync continues; call again with its id, or with this cursor as `after`. */
  | { outcome: 'STILL_RUNNING'; lipsync: Lipsync | null; cursor: string | null }
  /** A terminal status that this version does not know. */
  | { outcome: 'FUTURE'; lipsync: Lipsync; status: string };

/** Options of `waitForLipsync`. */
export type WaitOptions = WatchOptions & {
  /** The longest wait, in milliseconds. Default: no limit. */
  deadlineMs?: number | undefined;
  /** Called for each event, the last included. */
  onProgress?: ((event: LipsyncEvent) => void) | undefined;
};

/**
 * Waits until a lip-sync has a terminal status, across any number of broken connections.
 *
 * @throws LipsyncConnectionError or LipsyncServerError with the cursor, LipsyncRequestError, or the signal's reason
 */
export async function waitForLipsync(
  server: WatchableServer,
  id: string,
  options: WaitOptions = {},
): Promise<LipsyncEnd> {
  const { after = null, signal, deadlineMs, onProgress } = options;
  const deadline = deadlineMs === undefined ? undefined : abortAfter(deadlineMs);
  let last: LipsyncEvent | null = null;
  const watchFrom = async (cursor: string | null): Promise<LipsyncEnd | null> => {
    const updates = watchLipsync(server, id, {
      after: cursor,
      signal: joinSignals(signal, deadline),
    });
    for await (const update of updates) {
      if (update.__typename !== 'LipsyncProgress') return { outcome: 'REFUSED', failure: update };
      last = update;
      onProgress?.(update);
    }
    return last === null ? null : endOf(last);
  };
  try {
    for (let cursor = after; ; cursor = null) {
      const end = await watchFrom(cursor);
      // Null: `after` was the cursor of the last event. Without a cursor the stream begins with that event.
      if (end !== null) return end;
    }
  } catch (error) {
    if (deadline?.aborted !== true || error !== deadline.reason) throw error;
    const { lipsync = null, cursor = after } = (last ?? {}) as Partial<LipsyncEvent>;
    return { outcome: 'STILL_RUNNING', lipsync, cursor };
  }
}

/** How a lip-sync ended, by `outcome`. */
export type LipsyncEnded = Exclude<LipsyncEnd, { outcome: 'REFUSED' | 'STILL_RUNNING' }>;

/** @param event a final one */
export function endOf({ status, failure, lipsync }: LipsyncEvent): LipsyncEnded {
  switch (status) {
    case 'COMPLETED':
      return { outcome: status, lipsync, video: requireField(lipsync.result) };
    case 'FAILED':
    case 'MODERATED':
      return { outcome: status, lipsync, failure: requireField(failure) };
    case 'CANCELLED':
    case 'EXPIRED':
      return { outcome: status, lipsync };
    default:
      return { outcome: 'FUTURE', lipsync, status };
  }
}

function requireField<T>(value: T | null): T {
  if (value === null) {
    throw new LipsyncRequestError('The last event has neither the video nor the failure.');
  }
  return value;
}
