import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../../../database/connect.ts';
import type { Log } from '../../../log.ts';
import { type LipsyncEvent, readEventsAfter } from '../store/events.ts';
import { findLipsyncs, type Lipsync } from '../store/lipsyncs.ts';

/** The delay before logs that could not be read are read again. */
const retryMs = 500;

/** Logs in one statement. After a reconnect every log is read, and mapping all of their rows at once would block the process. */
const maxLogsPerRead = 500;

/** The log of one lip-sync in memory while it has subscribers: all of its events, which are under a hundred. */
export class WatchedLog {
  readonly id: string;
  readonly events: LipsyncEvent[] = [];
  /** The row as last read. After an erasure it stays for subscribers that have events left. Null before the first read. */
  lipsync: Lipsync | null = null;
  isErased = false;
  /** The feeds that contain this log. They are extended after it was read. */
  readonly feeds = new Set<{ extend(): void }>();
  /** Whether a change was notified since the last read began. */
  isStale = true;
  isReading = false;
  /** The number of reads that succeeded. */
  reads = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** The sequence of the last event read. */
  get sequence(): number {
    return this.events.at(-1)?.sequence ?? 0;
  }

  /** The value of `reads` from which on this log contains every change that has been notified by now. */
  get readsUntilFresh(): number {
    return this.reads + (this.isReading ? 1 : 0) + (this.isStale ? 1 : 0);
  }

  /** The event after the sequence `sent`; with null the newest event. */
  next(sent: number | null): LipsyncEvent | undefined {
    const after = sent ?? this.sequence - 1;
    return after < this.sequence ? this.events.find(({ sequence }) => sequence > after) : undefined;
  }
}

/**
 * Reads changed logs, one read at a time. The logs that change during a read, or in the same turn of the event loop, are
 * read together in one statement.
 */
export class LogReader {
  readonly #db: Database;
  readonly #log: Log;
  readonly #stale = new Set<WatchedLog>();
  readonly #closing = new AbortController();
  #isRunning = false;

  constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** Reads the log soon, and then extends its feeds. */
  markStale(watched: WatchedLog): void {
    watched.isStale = true;
    this.#stale.add(watched);
    if (this.#isRunning) return;
    this.#isRunning = true;
    queueMicrotask(() => void this.#readUntilFresh());
  }

  close(): void {
    this.#closing.abort();
    this.#stale.clear();
  }

  async #readUntilFresh(): Promise<void> {
    while (this.#stale.size > 0) {
      const logs = [...this.#stale].slice(0, maxLogsPerRead);
      for (const watched of logs) this.#stale.delete(watched);
      await this.#readAndExtend(logs.filter(({ feeds }) => feeds.size > 0));
    }
    this.#isRunning = false;
  }

  async #readAndExtend(logs: readonly WatchedLog[]): Promise<void> {
    if (logs.length === 0) return;
    try {
      await this.#read(logs);
    } catch (error) {
      const lipsyncIds = logs.map(({ id }) => id);
      const { signal } = this.#closing;
      if (signal.aborted) return;
      this.#log.warn({ err: error, lipsyncIds }, 'watched logs could not be read; retrying');
      for (const watched of logs) this.#stale.add(watched);
      await wait(retryMs, undefined, { signal }).catch(() => this.#stale.clear());
      return;
    }
    const feeds = new Set(logs.flatMap((watched) => [...watched.feeds]));
    for (const feed of feeds) this.#extend(feed);
  }

  /** An error in one feed must not stop the reads of all others. */
  #extend(feed: { extend(): void }): void {
    try {
      feed.extend();
    } catch (error) {
      this.#log.error({ err: error }, 'events could not be sent');
    }
  }

  /**
   * Reads the events before the rows, so that a row is never older than its events.
   *
   * @throws if the database can't be read
   */
  async #read(logs: readonly WatchedLog[]): Promise<void> {
    for (const watched of logs) Object.assign(watched, { isStale: false, isReading: true });
    try {
      const events = Map.groupBy(await readEventsAfter(this.#db, logs), (each) => each.lipsyncId);
      const rows = await findLipsyncs(
        this.#db,
        logs.map(({ id }) => id),
      );
      const lipsyncs = new Map(rows.map((lipsync) => [lipsync.id, lipsync]));
      for (const watched of logs) {
        const lipsync = lipsyncs.get(watched.id);
        watched.isErased = lipsync === undefined;
        watched.lipsync = lipsync ?? watched.lipsync;
        watched.events.push(...(events.get(watched.id) ?? []));
        watched.reads += 1;
      }
    } catch (error) {
      for (const watched of logs) watched.isStale = true;
      throw error;
    } finally {
      for (const watched of logs) watched.isReading = false;
    }
  }
}
