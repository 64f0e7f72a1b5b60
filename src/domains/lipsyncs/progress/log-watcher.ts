import type { Database } from '../../../database/connect.ts';
import type { Log } from '../../../log.ts';
import { isTerminal } from '../lifecycle.ts';
import {
  changedChannel,
  type Lipsync,
  type LipsyncEvent,
  readEventsAfter,
  selectLipsyncs,
} from '../store/lipsyncs.ts';
import { trace } from '../trace.ts';
import { encodeCursor } from './cursor.ts';
import { WatchedLog, Watcher } from './watched-log.ts';

/** An event, the row of its lip-sync as it is now, and the cursor with which to go on from there. */
export type Progress = { event: LipsyncEvent; lipsync: Lipsync; cursor: string };

/** The sequence up to which each lip-sync was told, by its id. */
export type Places = ReadonlyMap<string, number>;

/** The same, with null for what begins with its last event as stored. */
export type Starts = ReadonlyMap<string, number | null>;

type Next = Omit<Progress, 'cursor'>;

/** How long to wait before logs that could not be read are tried again. */
const retryMs = 500;

/**
 * Tells any number of watchers of any number of lip-syncs what happens to them. One connection listens; one read of
 * a log serves all who watch the same. A slow watcher holds nothing but its places in the shared logs.
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

  /** One lip-sync, with its own cursors. */
  follow(id: string, after: number | null): AsyncIterableIterator<Progress> {
    const cursorOf = (places: Places) => encodeCursor(id, places.get(id) ?? 0);
    return this.followAll(new Map([[id, after]]), cursorOf);
  }

  /**
   * What happens to lip-syncs, from the logs and then live, the oldest event first, until each has told its terminal
   * event or was erased. `return` ends it at once, also while nothing happens: a plain generator would first wait for
   * the next event, and so leak for as long as the jobs are quiet.
   */
  followAll(after: Starts, cursorOf: (places: Places) => string): AsyncIterableIterator<Progress> {
    const watcher = new Watcher();
    const walker = this.walk(watcher, after, cursorOf);
    return {
      next: () => walker.next(),
      return: () => {
        watcher.leave();
        return walker.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Resolves when anything was told of the lip-sync, at the latest after a second: a word may go unheard. */
  async nextChange(id: string): Promise<void> {
    const watcher = new Watcher();
    this.enter(watcher, [id]);
    await watcher.sleep(1_000);
    this.leave(watcher);
  }

  private async *walk(
    watcher: Watcher,
    after: Starts,
    cursorOf: (places: Places) => string,
  ): AsyncGenerator<Progress> {
    const sent = new Map(after);
    this.enter(watcher, sent.keys());
    try {
      while (!watcher.hasLeft) {
        const isRead = await this.tryToRefresh(watcher);
        const next = isRead ? nextOf(watcher, sent) : 'quiet';
        if (next === 'over') return;
        if (next === 'quiet') {
          await watcher.sleep(isRead ? null : retryMs);
        } else {
          sent.set(next.event.lipsyncId, next.event.sequence);
          watcher.begun.add(next.event.lipsyncId);
          yield { ...next, cursor: cursorOf(placesOf(watcher, sent)) };
        }
      }
    } finally {
      this.leave(watcher);
    }
  }

  /** Where the database is away for a while, whoever watches is not told to leave: it is asked again. */
  private async tryToRefresh({ logs }: Watcher): Promise<boolean> {
    try {
      await this.refresh(logs);
      return true;
    } catch (error) {
      const lipsyncIds = logs.filter(({ isStale }) => isStale).map(({ id }) => id);
      this.log.warn({ err: error, lipsyncIds }, 'logs of watched lip-syncs could not be read');
      return false;
    }
  }

  /**
   * All that have changed are read at once; what is being read already is waited for. What changes meanwhile is read
   * the next time, so that who watches many is not kept from what there is.
   *
   * @throws where the database can't be read
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
      const ids = logs.map(({ id }) => id);
      const rows = await selectLipsyncs(this.db, 'where id = any($1::uuid[])', [ids]);
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

  private enter(watcher: Watcher, ids: Iterable<string>): void {
    for (const id of ids) {
      const watched = this.logs.get(id) ?? new WatchedLog(id);
      this.logs.set(id, watched);
      watched.watchers.add(watcher);
      watcher.logs.push(watched);
    }
  }

  private leave(watcher: Watcher): void {
    for (const watched of watcher.logs) {
      watched.watchers.delete(watcher);
      if (watched.watchers.size === 0) this.logs.delete(watched.id);
    }
  }
}

/** `isFirst`: nothing was told of its lip-sync before. */
type Candidate = Next & { isFirst: boolean };

/** What is to be told next: the last event of each first, then the oldest. `over`: each has ended or was erased. */
function nextOf({ logs, begun }: Watcher, sent: Starts): Next | 'quiet' | 'over' {
  // What is kept for those who watched before is nothing to whoever comes after it was erased.
  const told = logs.filter(({ isErased, id }) => !isErased || begun.has(id));
  const candidates = told.flatMap((watched) => candidateOf(watched, sent) ?? []);
  const [first] = candidates;
  if (first !== undefined) {
    const { event, lipsync } = candidates.reduce((a, b) => (isBefore(b, a) ? b : a), first);
    return { event, lipsync };
  }
  const isOver = logs.every(({ isErased, events }) => {
    const last = events.at(-1);
    return isErased || last === undefined || isTerminal(last.status);
  });
  return isOver ? 'over' : 'quiet';
}

function candidateOf(watched: WatchedLog, sent: Starts): Candidate | null {
  const { lipsync } = watched;
  const place = sent.get(watched.id) ?? null;
  const event = lipsync === null ? undefined : watched.next(place);
  return lipsync === null || event === undefined
    ? null
    : { event, lipsync, isFirst: place === null };
}

function isBefore(one: Candidate, other: Candidate): boolean {
  return one.isFirst === other.isFirst
    ? one.event.occurredAt < other.event.occurredAt
    : one.isFirst;
}

/** Also of those that have not been told yet: their last event is still to come. */
function placesOf({ logs }: Watcher, sent: Starts): Places {
  return new Map(logs.map(({ id, sequence }) => [id, sent.get(id) ?? Math.max(0, sequence - 1)]));
}
