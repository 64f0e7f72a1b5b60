import {
  type LipsyncEvent,
  type LipsyncUpdate,
  type WatchableServer,
  type WatchFailure,
  watchLipsync,
} from 'lipsync-graphql-client';

/** What is known of a lip-sync right now. */
export type Watched =
  | { kind: 'OPENING' }
  | { kind: 'TOLD'; event: LipsyncEvent }
  /** It can't be watched, and why. */
  | { kind: 'REFUSED'; failure: WatchFailure }
  /** The network is gone for good, or the server takes no such request. */
  | { kind: 'BROKEN'; error: Error; last: LipsyncEvent | null };

type Entry = { now: Watched; listeners: Set<() => void>; abort: AbortController };

export type Watching = ReturnType<typeof createWatching>;

const opening: Watched = { kind: 'OPENING' };

/**
 * One watcher for each lip-sync, however many components show it: it begins with the first of them and ends after the
 * last. Made for `useSyncExternalStore`.
 */
export function createWatching(server: WatchableServer, onIdle: () => void) {
  const entries = new Map<string, Entry>();

  const set = (entry: Entry, now: Watched) => {
    entry.now = now;
    for (const listener of entry.listeners) listener();
  };

  const run = async (id: string, entry: Entry) => {
    const { signal } = entry.abort;
    const last = eventOf(entry.now);
    try {
      const after = last?.cursor ?? null;
      for await (const update of watchLipsync(server, id, { after, signal })) {
        set(entry, read(update));
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) return;
      set(entry, { kind: 'BROKEN', error, last: eventOf(entry.now) });
    }
  };

  const open = (id: string): Entry => {
    const known = entries.get(id);
    if (known !== undefined) return known;
    const entry = { now: opening, listeners: new Set<() => void>(), abort: new AbortController() };
    entries.set(id, entry);
    void run(id, entry);
    return entry;
  };

  /** A component may leave and come back within one turn, as React does in development. */
  const closeSoon = (id: string, entry: Entry) =>
    setTimeout(() => {
      if (entry.listeners.size > 0 || entries.get(id) !== entry) return;
      entry.abort.abort();
      entries.delete(id);
      if (entries.size === 0) onIdle();
    });

  return {
    read: (id: string): Watched => entries.get(id)?.now ?? opening,
    subscribe(id: string, listener: () => void) {
      const entry = open(id);
      entry.listeners.add(listener);
      return () => {
        entry.listeners.delete(listener);
        closeSoon(id, entry);
      };
    },
    /** Goes on after the last event, where the kit had given up. */
    retry(id: string): void {
      const entry = entries.get(id);
      if (entry !== undefined) void run(id, entry);
    },
  };
}

export function eventOf(watched: Watched): LipsyncEvent | null {
  if (watched.kind === 'TOLD') return watched.event;
  return watched.kind === 'BROKEN' ? watched.last : null;
}

function read(update: LipsyncUpdate): Watched {
  if (update.__typename === 'LipsyncProgress') return { kind: 'TOLD', event: update };
  return { kind: 'REFUSED', failure: update };
}
