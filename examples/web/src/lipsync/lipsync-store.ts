import {
  type LipsyncEvent,
  type LipsyncUpdate,
  type WatchableServer,
  type WatchFailure,
  watchLipsync,
} from 'lipsync-graphql-client';

/** What is known of a lip-sync at the moment. */
export type LipsyncState =
  | { kind: 'CONNECTING' }
  | { kind: 'LIVE'; event: LipsyncEvent }
  /** The server refused to let it be watched. */
  | { kind: 'REFUSED'; failure: WatchFailure }
  /** The kit gave up: the network is down, or the server refused the request. */
  | { kind: 'DISCONNECTED'; error: Error; last: LipsyncEvent | null };

type Entry = { state: LipsyncState; listeners: Set<() => void>; abort: AbortController };

export type LipsyncStore = ReturnType<typeof createLipsyncStore>;

const connecting: LipsyncState = { kind: 'CONNECTING' };

/**
 * One watcher per lip-sync, shared by all components that show it: it starts with the first of them and stops after the
 * last. Its functions fit `useSyncExternalStore`.
 */
export function createLipsyncStore(server: WatchableServer, onIdle: () => void) {
  const entries = new Map<string, Entry>();

  const setState = (entry: Entry, state: LipsyncState) => {
    entry.state = state;
    for (const listener of entry.listeners) listener();
  };

  const watch = async (id: string, entry: Entry) => {
    const { signal } = entry.abort;
    const last = eventOf(entry.state);
    try {
      const after = last?.cursor ?? null;
      for await (const update of watchLipsync(server, id, { after, signal })) {
        setState(entry, stateOf(update));
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) return;
      setState(entry, { kind: 'DISCONNECTED', error, last: eventOf(entry.state) });
    }
  };

  const findOrWatch = (id: string): Entry => {
    const known = entries.get(id);
    if (known !== undefined) return known;
    const entry = {
      state: connecting,
      listeners: new Set<() => void>(),
      abort: new AbortController(),
    };
    entries.set(id, entry);
    void watch(id, entry);
    return entry;
  };

  /** Deferred, because React in development unmounts a component and mounts it again in the same turn. */
  const stopIfUnused = (id: string, entry: Entry) =>
    setTimeout(() => {
      if (entry.listeners.size > 0 || entries.get(id) !== entry) return;
      entry.abort.abort();
      entries.delete(id);
      if (entries.size === 0) onIdle();
    });

  return {
    read: (id: string): LipsyncState => entries.get(id)?.state ?? connecting,
    subscribe(id: string, listener: () => void) {
      const entry = findOrWatch(id);
      entry.listeners.add(listener);
      return () => {
        entry.listeners.delete(listener);
        stopIfUnused(id, entry);
      };
    },
    /** Continues after the last event when the kit has given up. */
    retry(id: string): void {
      const entry = entries.get(id);
      if (entry !== undefined) void watch(id, entry);
    },
  };
}

export function eventOf(state: LipsyncState): LipsyncEvent | null {
  if (state.kind === 'LIVE') return state.event;
  return state.kind === 'DISCONNECTED' ? state.last : null;
}

function stateOf(update: LipsyncUpdate): LipsyncState {
  if (update.__typename === 'LipsyncProgress') return { kind: 'LIVE', event: update };
  return { kind: 'REFUSED', failure: update };
}
