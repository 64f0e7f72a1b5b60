import type { LipsyncEvent } from '../store/events.ts';
import type { Lipsync } from '../store/lipsyncs.ts';

/** The log of one lip-sync in memory while it has subscribers: all of its events, which are under a hundred. */
export class WatchedLog {
  readonly id: string;
  readonly events: LipsyncEvent[] = [];
  /** The row as last read. After an erasure it stays for subscribers that have events left. Null before the first read. */
  lipsync: Lipsync | null = null;
  isErased = false;
  readonly subscribers = new Set<LogSubscriber>();
  /** Whether a change was notified since the last read began. */
  isStale = true;
  /** The read under way, which all subscribers wait for. */
  reading: Promise<void> | null = null;

  constructor(id: string) {
    this.id = id;
  }

  /** The sequence of the last event read. */
  get sequence(): number {
    return this.events.at(-1)?.sequence ?? 0;
  }

  markStale(): void {
    this.isStale = true;
    for (const subscriber of this.subscribers) subscriber.wake();
  }

  /** The event after the sequence `sent`; with null the newest event. */
  next(sent: number | null): LipsyncEvent | undefined {
    const after = sent ?? this.sequence - 1;
    return after < this.sequence ? this.events.find(({ sequence }) => sequence > after) : undefined;
  }
}

/** A subscriber to some logs. It can be stopped at any time, also while the logs are quiet for hours. */
export class LogSubscriber {
  hasStopped = false;
  /** Ids of the lip-syncs from which it has received an event. */
  readonly begun = new Set<string>();
  readonly logs: WatchedLog[] = [];
  #endSleep: () => void = () => undefined;

  wake(): void {
    this.#endSleep();
  }

  stop(): void {
    this.hasStopped = true;
    this.wake();
  }

  /** Resolves when a log has an unread change or after `stop`. With `maxMs`: at the next change, or after that time. */
  async sleep(maxMs: number | null = null): Promise<void> {
    if (this.hasStopped || (maxMs === null && this.logs.some(({ isStale }) => isStale))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = maxMs === null ? undefined : setTimeout(resolve, maxMs);
    this.#endSleep = resolve;
    await promise;
    clearTimeout(timer);
  }
}
