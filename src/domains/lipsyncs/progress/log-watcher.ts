import type { Database } from '../../../database/connect.ts';
import type { Log } from '../../../log.ts';
import { isTerminal } from '../lifecycle.ts';
import { changedChannel, type LipsyncEvent, readEventsAfter } from '../store/events.ts';
import { findLipsyncs, type Lipsync } from '../store/lipsyncs.ts';
import { trace } from '../trace.ts';
import { encodeCursor, type Sequences } from './cursor.ts';
import { LogSubscriber, WatchedLog } from './watched-log.ts';

/** An event, the current row of its lip-sync, and the cursor that continues after the event. */
export type Progress = { event: LipsyncEvent; lipsync: Lipsync; cursor: string };

/** The sequence after which to start, by lip-sync id; null = start with the newest event. */
export type StartSequences = ReadonlyMap<string, number | null>;

type Next = Omit<Progress, 'cursor'>;

/** The delay before logs that could not be read are read again. */
const retryMs = 500;

/**
 * Streams the logs of lip-syncs to any number of subscribers. One connection listens for changes, and one read of a log
 * serves all of its subscribers. A slow subscriber holds no events of its own, only its positions in the shared logs.
 */
export class LogWatcher {
  private readonly logs = new Map<string, WatchedLog>();
  private readonly db: Database;
  private readonly log: Log;
  private unlisten: () => Promise<void> = async () => undefined;

  constructor(db: Database, log: Log) {
    this.db = db;
    this.log = log;
  }

  async open(): Promise<void> {
    this.unlisten = await this.db.listen(changedChannel, {
      onMessage: (id) => {
        trace('notified', { lipsyncId: id });
        this.logs.get(id)?.markStale();
      },
      // Notifications sent while the connection was down are lost, so every log is read again.
      onReconnected: () => {
        for (const watched of this.logs.values()) watched.markStale();
      },
    });
  }

  close(): Promise<void> {
    return this.unlisten();
  }

  get watchedCount(): number {
    return this.logs.size;
  }

  /** One lip-sync, with its own cursors. */
  subscribe(id: string, after: number | null): AsyncIterableIterator<Progress> {
    const cursorOf = (sequences: Sequences) => encodeCursor(id, sequences.get(id) ?? 0);
    return this.subscribeToMany(new Map([[id, after]]), cursorOf);
  }

  /**
   * Stored events and then live ones, the oldest first, until each lip-sync has sent its terminal event or was erased.
   * `return` ends the stream at once. A plain generator would first wait for the next event, and so keep the stream of a
   * disconnected client for as long as the jobs are quiet.
   */
  subscribeToMany(
    after: StartSequences,
    cursorOf: (sequences: Sequences) => string,
  ): AsyncIterableIterator<Progress> {
    const subscriber = new LogSubscriber();
    const events = this.generate(subscriber, after, cursorOf);
    return {
      next: () => events.next(),
      return: () => {
        subscriber.stop();
        return events.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Resolves at the next change of the lip-sync, at the latest after a second, because a notification can be lost. */
  async nextChange(id: string): Promise<void> {
    const subscriber = new LogSubscriber();
    this.add(subscriber, [id]);
    await subscriber.sleep(1_000);
    this.remove(subscriber);
  }

  private async *generate(
    subscriber: LogSubscriber,
    after: StartSequences,
    cursorOf: (sequences: Sequences) => string,
  ): AsyncGenerator<Progress> {
    const sent = new Map(after);
    this.add(subscriber, sent.keys());
    try {
      while (!subscriber.hasStopped) {
        const isRead = await this.tryToRefresh(subscriber);
        const next = isRead ? nextEvent(subscriber, sent) : 'none';
        if (next === 'complete') return;
        if (next === 'none') {
          await subscriber.sleep(isRead ? null : retryMs);
        } else {
          sent.set(next.event.lipsyncId, next.event.sequence);
          subscriber.begun.add(next.event.lipsyncId);
          yield { ...next, cursor: cursorOf(sequencesOf(subscriber, sent)) };
        }
      }
    } finally {
      this.remove(subscriber);
    }
  }

  /** False if the database is unavailable. The stream stays open, and the caller reads again later. */
  private async tryToRefresh({ logs }: LogSubscriber): Promise<boolean> {
    try {
      await this.refresh(logs);
      return true;
    } catch (error) {
      const lipsyncIds = logs.filter(({ isStale }) => isStale).map(({ id }) => id);
      this.log.warn({ err: error, lipsyncIds }, 'watched logs could not be read; retrying');
      return false;
    }
  }

  /**
   * Reads all stale logs in one query and waits for reads under way. Changes that come meanwhile are left to the next
   * refresh, so that busy logs do not delay the events already read.
   *
   * @throws if the database can't be read
   */
  private async refresh(logs: readonly WatchedLog[]): Promise<void> {
    const unread = logs.filter(({ isStale, reading }) => isStale && reading === null);
    if (unread.length > 0) {
      const reading = this.read(unread);
      for (const watched of unread) watched.reading = reading;
    }
    await Promise.all(new Set(logs.flatMap(({ reading }) => reading ?? [])));
  }

  private async read(logs: readonly WatchedLog[]): Promise<void> {
    for (const watched of logs) watched.isStale = false;
    try {
      const events = Map.groupBy(await readEventsAfter(this.db, logs), (each) => each.lipsyncId);
      const rows = await findLipsyncs(
        this.db,
        logs.map(({ id }) => id),
      );
      const lipsyncs = new Map(rows.map((lipsync) => [lipsync.id, lipsync]));
      for (const watched of logs) {
        const lipsync = lipsyncs.get(watched.id);
        watched.isErased = lipsync === undefined;
        watched.lipsync = lipsync ?? watched.lipsync;
        watched.events.push(...(events.get(watched.id) ?? []));
      }
    } catch (error) {
      for (const watched of logs) watched.isStale = true;
      throw error;
    } finally {
      for (const watched of logs) watched.reading = null;
    }
  }

  private add(subscriber: LogSubscriber, ids: Iterable<string>): void {
    for (const id of ids) {
      const watched = this.logs.get(id) ?? new WatchedLog(id);
      this.logs.set(id, watched);
      watched.subscribers.add(subscriber);
      subscriber.logs.push(watched);
    }
  }

  private remove(subscriber: LogSubscriber): void {
    for (const watched of subscriber.logs) {
      watched.subscribers.delete(subscriber);
      if (watched.subscribers.size === 0) this.logs.delete(watched.id);
    }
  }
}

/** `isFirst`: no event of its lip-sync was sent before. */
type Candidate = Next & { isFirst: boolean };

/** The event to send next: first the newest event of each lip-sync, then the oldest event of any. */
function nextEvent(
  { logs, begun }: LogSubscriber,
  sent: StartSequences,
): Next | 'none' | 'complete' {
  // Events of an erased lip-sync are kept for subscribers that already received some, not for new ones.
  const visible = logs.filter(({ isErased, id }) => !isErased || begun.has(id));
  const candidates = visible.flatMap((watched) => candidateOf(watched, sent) ?? []);
  const [first] = candidates;
  if (first !== undefined) {
    const { event, lipsync } = candidates.reduce((a, b) => (isBefore(b, a) ? b : a), first);
    return { event, lipsync };
  }
  const isComplete = logs.every(({ isErased, events }) => {
    const last = events.at(-1);
    return isErased || last === undefined || isTerminal(last.status);
  });
  return isComplete ? 'complete' : 'none';
}

function candidateOf(watched: WatchedLog, sent: StartSequences): Candidate | null {
  const { lipsync } = watched;
  const sequence = sent.get(watched.id) ?? null;
  const event = lipsync === null ? undefined : watched.next(sequence);
  return lipsync === null || event === undefined
    ? null
    : { event, lipsync, isFirst: sequence === null };
}

function isBefore(one: Candidate, other: Candidate): boolean {
  return one.isFirst === other.isFirst
    ? one.event.occurredAt < other.event.occurredAt
    : one.isFirst;
}

/** Includes lip-syncs without a sent event: their sequence is the one before the newest event, which is sent later. */
function sequencesOf({ logs }: LogSubscriber, sent: StartSequences): Sequences {
  return new Map(logs.map(({ id, sequence }) => [id, sent.get(id) ?? Math.max(0, sequence - 1)]));
}
