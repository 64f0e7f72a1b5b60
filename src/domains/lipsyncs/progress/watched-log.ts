import type { Lipsync, LipsyncEvent } from '../store/lipsyncs.ts';

/** What is kept of one lip-sync while somebody watches it: its whole log, which has under a hundred events. */
export class WatchedLog {
  readonly id: string;
  readonly events: LipsyncEvent[] = [];
  /** The row as it was last seen: also of one erased since, for those who have not been told its end. Null before the first read. */
  lipsync: Lipsync | null = null;
  isErased = false;
  readonly watchers = new Set<Watcher>();
  /** Whether something was told of it since the last read began. */
  isStale = true;
  /** The read that is under way: it serves all who wait for it. */
  reading: Promise<void> | null = null;

  constructor(id: string) {
    this.id = id;
  }

  /** The sequence up to which it has been read. */
  get sequence(): number {
    return this.events.at(-1)?.sequence ?? 0;
  }

  touch(): void {
    this.isStale = true;
    for (const watcher of this.watchers) watcher.wake();
  }

  /** What follows the sequence `sent`; with null the last event as stored. */
  next(sent: number | null): LipsyncEvent | undefined {
    const after = sent ?? this.sequence - 1;
    return after < this.sequence ? this.events.find(({ sequence }) => sequence > after) : undefined;
  }
}

/** One who watches some logs, of whom it is known whether he has left. A job may be quiet for hours. */
export class Watcher {
  hasLeft = false;
  /** The lip-syncs of which he was told something. */
  readonly begun = new Set<string>();
  readonly logs: WatchedLog[] = [];
  #endSleep: () => void = () => undefined;

  wake(): void {
    this.#endSleep();
  }

  leave(): void {
    this.hasLeft = true;
    this.wake();
  }

  /** Until a change that has not been read, or until he leaves; with `mostMs` for that long, or until the next change. */
  async sleep(mostMs: number | null = null): Promise<void> {
    if (this.hasLeft || (mostMs === null && this.logs.some(({ isStale }) => isStale))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = mostMs === null ? undefined : setTimeout(resolve, mostMs);
    this.#endSleep = resolve;
    await promise;
    clearTimeout(timer);
  }
}
