import type { LipsyncEvent } from '../store/events.ts';
import type { Lipsync } from '../store/lipsyncs.ts';

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
