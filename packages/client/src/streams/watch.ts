import { joinSignals } from '../back-off.ts';
import { watchLipsyncDocument, watchLipsyncsDocument } from '../documents.ts';
import { type LipsyncUpdate, LogReader, type WatchableServer } from './log-reader.ts';

/** Options of `watchLipsync` and `watchLipsyncs`. */
export type WatchOptions = {
  /** The `cursor` of the last event that was received. Without it the stream begins with the newest stored event. */
  after?: string | null | undefined;
  /** Closes the connection. The function then throws the signal's reason. The lip-sync continues. */
  signal?: AbortSignal | undefined;
};

/**
 * Iterates the live log of a lip-sync until its end. When a connection breaks, falls silent or skips an event, it
 * reconnects and resumes after the last event, so every event arrives exactly once. After a page reload the id is
 * enough to continue; with the last `cursor` the events in between arrive too. Leaving the loop closes the connection
 * immediately.
 *
 * @throws LipsyncConnectionError or LipsyncServerError with the cursor, LipsyncRequestError, or the signal's reason
 */
export function watchLipsync(
  server: WatchableServer,
  id: string,
  options: WatchOptions = {},
): AsyncIterableIterator<LipsyncUpdate, undefined> {
  return watch(server, { document: watchLipsyncDocument, variables: { id }, size: 1 }, options);
}

/**
 * The same for up to a hundred lip-syncs in one stream with one cursor, until the last of them has ended. The id of an
 * event's lip-sync is `update.lipsync.id`. One unknown id refuses the whole list.
 *
 * @throws LipsyncConnectionError or LipsyncServerError with the cursor, LipsyncRequestError, or the signal's reason
 */
export function watchLipsyncs(
  server: WatchableServer,
  ids: readonly string[],
  options: WatchOptions = {},
): AsyncIterableIterator<LipsyncUpdate, undefined> {
  const unique = [...new Set(ids)];
  const log = { document: watchLipsyncsDocument, variables: { ids: unique }, size: unique.length };
  return watch(server, log, options);
}

function watch(
  server: WatchableServer,
  log: ConstructorParameters<typeof LogReader>[1],
  { after = null, signal }: WatchOptions,
): AsyncIterableIterator<LipsyncUpdate, undefined> {
  const stopping = new AbortController();
  const options = { cursor: after, signal: joinSignals(stopping.signal, signal) };
  const updates = new LogReader(server, log, options).read();
  const done = { done: true, value: undefined } as const;
  return {
    next: () =>
      updates.next().catch((error: unknown) => {
        if (stopping.signal.aborted) return done;
        throw error;
      }),
    // A plain generator would keep its connection open until the next event before it returns.
    return: async () => {
      stopping.abort();
      await updates.return(undefined);
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
