import type { Database } from '../../../database/connect.ts';
import type { LiveEvents } from '../../../live-events.ts';
import type { Log } from '../../../log.ts';
import { changedChannel } from '../store/events.ts';
import { trace } from '../trace.ts';
import { encodeCursor } from './cursor.ts';
import { type CursorOf, LogFeed, type Progress } from './log-feed.ts';
import { LogReader, WatchedLog } from './log-reader.ts';
import { type FeedAccess, LogStream, type StartSequences } from './log-stream.ts';

/**
 * Streams the logs of lip-syncs to any number of subscribers. One connection listens for changes, and one read of a log
 * serves all of its subscribers.
 */
export class LogWatcher {
  readonly #logs = new Map<string, WatchedLog>();
  readonly #feeds = new Map<string, LogFeed>();
  /** Called at the next change, by lip-sync id. */
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #db: Database;
  readonly #reader: LogReader;
  #unlisten: () => Promise<void> = async () => undefined;

  constructor(db: Database, log: Log) {
    this.#db = db;
    this.#reader = new LogReader(db, log);
  }

  async open(): Promise<void> {
    this.#unlisten = await this.#db.listen(changedChannel, {
      onMessage: (id) => {
        trace('notified', { lipsyncId: id });
        for (const resolve of this.#waiting.get(id) ?? []) resolve();
        const watched = this.#logs.get(id);
        if (watched !== undefined) this.#reader.markStale(watched);
      },
      // Notifications sent while the connection was down are lost, so every log is read again.
      onReconnected: () => {
        for (const watched of this.#logs.values()) this.#reader.markStale(watched);
      },
    });
  }

  close(): Promise<void> {
    this.#reader.close();
    return this.#unlisten();
  }

  get watchedCount(): number {
    return this.#logs.size;
  }

  /** One lip-sync, with its own cursors. */
  subscribe(id: string, after: number | null): LiveEvents<Progress> {
    const cursorOf: CursorOf = (sequences) => encodeCursor(id, sequences.get(id) ?? 0);
    return this.#openStream(`one ${id}`, new Map([[id, after]]), cursorOf);
  }

  /**
   * @param list a text that is the same for all subscribers with the same `cursorOf`: they share their events
   */
  subscribeToMany(after: StartSequences, cursorOf: CursorOf, list = ''): LiveEvents<Progress> {
    return this.#openStream(`list ${list} ${[...after.keys()].toSorted()}`, after, cursorOf);
  }

  /** Resolves at the next change of the lip-sync, at the latest after a second, because a notification can be lost. */
  async nextChange(id: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(resolve));
    const timer = setTimeout(resolve, 1_000);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(id);
  }

  #openStream(key: string, after: StartSequences, cursorOf: CursorOf): LogStream {
    const access: FeedAccess = {
      join: (listener) => {
        const feed = this.#feeds.get(key) ?? this.#openFeed(key, [...after.keys()], cursorOf);
        feed.listeners.add(listener);
        return feed;
      },
      leave: (feed, listener) => {
        feed.listeners.delete(listener);
        if (feed.listeners.size === 0) this.#closeFeed(key, feed);
      },
    };
    return new LogStream(access, after);
  }

  #openFeed(key: string, ids: readonly string[], cursorOf: CursorOf): LogFeed {
    const logs = ids.map((id) => this.#logs.get(id) ?? new WatchedLog(id));
    const feed = new LogFeed(logs, cursorOf);
    this.#feeds.set(key, feed);
    for (const watched of logs) {
      this.#logs.set(watched.id, watched);
      watched.feeds.add(feed);
      if (watched.reads === 0 && !watched.isReading) this.#reader.markStale(watched);
    }
    feed.extend();
    return feed;
  }

  #closeFeed(key: string, feed: LogFeed): void {
    if (this.#feeds.get(key) === feed) this.#feeds.delete(key);
    for (const watched of feed.logs) {
      watched.feeds.delete(feed);
      if (watched.feeds.size === 0) this.#logs.delete(watched.id);
    }
  }
}
