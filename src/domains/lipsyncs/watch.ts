import type { Database } from '../../database/connect.ts';
import type { Log } from '../../log.ts';
import { isTerminal } from './lifecycle.ts';
import {
  changedChannel,
  findLipsync,
  type Lipsync,
  type LipsyncEvent,
  readEvents,
} from './store.ts';
import { trace } from './trace.ts';

/** An event and the row of its lip-sync as it is now. */
export type Progress = { event: LipsyncEvent; lipsync: Lipsync };

/** How long to wait before a log that could not be read is tried again. */
const retryMs = 500;

/** What is kept of one lip-sync while somebody watches it: its whole log, which has under a hundred events. */
class WatchedLog {
  readonly events: LipsyncEvent[] = [];
  /** As it was last seen: also of one that was erased since, for those who have not been told its end yet. */
  lipsync: Lipsync | null = null;
  isErased = false;
  watchers = 0;
  private isStale = true;
  /** Called with the next change. Whoever leaves is taken out at once: a job may be quiet for hours. */
  private readonly sleepers = new Set<() => void>();
  private reading: Promise<void> | null = null;
  private readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  touch(): void {
    this.isStale = true;
    for (const wake of this.sleepers) wake();
  }

  /** Until a change that has not been read, or until `sleeper.wake` is called; with `mostMs` also for no longer. */
  async sleep(sleeper: Sleeper, mostMs: number | null = null): Promise<void> {
    if (sleeper.hasLeft || (this.isStale && mostMs === null)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = mostMs === null ? undefined : setTimeout(resolve, mostMs);
    this.sleepers.add(resolve);
    sleeper.wake = resolve;
    await promise;
    this.sleepers.delete(resolve);
    clearTimeout(timer);
  }

  /** One read serves all who wait for it. Throws where the database can't be read. */
  async refresh(db: Database): Promise<void> {
    while (this.isStale || this.reading !== null) {
      this.reading ??= this.read(db);
      await this.reading;
    }
  }

  private async read(db: Database): Promise<void> {
    this.isStale = false;
    try {
      const after = this.events.at(-1)?.sequence ?? 0;
      const fresh = await readEvents(db, this.id, { after });
      const lipsync = await findLipsync(db, this.id);
      this.isErased = lipsync === null;
      this.lipsync = lipsync ?? this.lipsync;
      this.events.push(...fresh);
    } catch (error) {
      this.isStale = true;
      throw error;
    } finally {
      this.reading = null;
    }
  }
}

/** A watcher, of whom it is known whether he has left; `wake` ends his sleep. */
type Sleeper = { hasLeft: boolean; wake: () => void };

const newSleeper = (): Sleeper => ({ hasLeft: false, wake: () => undefined });

/**
 * Tells any number of watchers of any number of lip-syncs what happens to them. One connection listens; one read of
 * the log serves all who watch the same. A slow watcher holds nothing but its place in the shared log.
 */
export class Watch {
  private readonly logs = new Map<string, WatchedLog>();
  private readonly db: Database;
  private readonly log: Log;
  private stop: () => Promise<void> = async () => undefined;

  constructor(db: Database, log: Log) {
    this.db = db;
    this.log = log;
  }

  async open(): Promise<void> {
    this.stop = await this.db.listen(changedChannel, {
      onMessage: (id) => {
        trace('notified', { lipsyncId: id });
        this.logs.get(id)?.touch();
      },
      // Whatever was told meanwhile went unheard: the logs know it.
      onReconnected: () => {
        for (const watched of this.logs.values()) watched.touch();
      },
    });
  }

  close(): Promise<void> {
    return this.stop();
  }

  get watchedCount(): number {
    return this.logs.size;
  }

  /**
   * What happens after the sequence `after`, from the log and then live, until the terminal event or the lip-sync's
   * deletion. With null it begins with the last event as stored. `return` ends it at once, also while nothing
   * happens: a plain generator would first wait for the next event, and so leak for as long as a job is quiet.
   */
  follow(id: string, after: number | null): AsyncIterableIterator<Progress> {
    const sleeper = newSleeper();
    const walker = this.walk(id, { after, sleeper });
    return {
      next: () => walker.next(),
      return: () => {
        sleeper.hasLeft = true;
        sleeper.wake();
        return walker.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Resolves when anything was told of the lip-sync, at the latest after a second: a word may go unheard. */
  async nextChange(id: string): Promise<void> {
    const watched = this.enter(id);
    await watched.sleep(newSleeper(), 1_000);
    this.leave(id, watched);
  }

  private async *walk(
    id: string,
    { after, sleeper }: { after: number | null; sleeper: Sleeper },
  ): AsyncGenerator<Progress> {
    const watched = this.enter(id);
    const place: WatchPlace = { sent: after, hasBegun: false };
    try {
      while (!sleeper.hasLeft) {
        const isRead = await this.tryToRefresh(id, watched);
        const progress = isRead ? nextOf(watched, place) : 'quiet';
        if (progress === 'over') return;
        if (progress === 'quiet') {
          await watched.sleep(sleeper, isRead ? null : retryMs);
        } else {
          place.sent = progress.event.sequence;
          place.hasBegun = true;
          yield progress;
        }
      }
    } finally {
      this.leave(id, watched);
    }
  }

  /** Where the database is away for a while, whoever watches is not told to leave: it is asked again. */
  private async tryToRefresh(id: string, watched: WatchedLog): Promise<boolean> {
    try {
      await watched.refresh(this.db);
      return true;
    } catch (error) {
      this.log.warn(
        { err: error, lipsyncId: id },
        'the log of a watched lip-sync could not be read',
      );
      return false;
    }
  }

  private enter(id: string): WatchedLog {
    const watched = this.logs.get(id) ?? new WatchedLog(id);
    watched.watchers += 1;
    this.logs.set(id, watched);
    return watched;
  }

  private leave(id: string, watched: WatchedLog): void {
    watched.watchers -= 1;
    if (watched.watchers === 0 && this.logs.get(id) === watched) this.logs.delete(id);
  }
}

/** How far a watcher has come; null for `sent` begins with the last event as stored. */
type WatchPlace = { sent: number | null; hasBegun: boolean };

function nextOf(watched: WatchedLog, { sent, hasBegun }: WatchPlace): Progress | 'quiet' | 'over' {
  const { events, lipsync, isErased } = watched;
  const last = events.at(-1);
  if (lipsync === null || last === undefined) return 'over';
  // What is kept for those who watched before is nothing to whoever comes after it was erased.
  if (isErased && !hasBegun) return 'over';
  const event = events.find(({ sequence }) => sequence > (sent ?? last.sequence - 1));
  if (event !== undefined) return { event, lipsync };
  return isErased || isTerminal(last.status) ? 'over' : 'quiet';
}
