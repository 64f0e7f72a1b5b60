import { type LiveEvents, nextOf } from '../../../live-events.ts';
import type { Sequences } from './cursor.ts';
import {
  hasEnded,
  type LogFeed,
  oldestAfter,
  type Position,
  type Progress,
  progressAt,
} from './log-feed.ts';
import type { WatchedLog } from './log-reader.ts';

/** The sequence after which to start, by lip-sync id; null = start with the newest event. */
export type StartSequences = ReadonlyMap<string, number | null>;

/** A stream joins its feed at the first read, so that a stream that is never read holds no resources. */
export type FeedAccess = {
  join(listener: () => void): LogFeed;
  leave(feed: LogFeed, listener: () => void): void;
};

/**
 * One subscriber of a feed: stored events and then live ones, the oldest first, until each lip-sync has sent its terminal
 * event or was erased. It first reads the events that it has missed from the logs, and then continues in the feed.
 */
export class LogStream implements LiveEvents<Progress> {
  readonly #access: FeedAccess;
  #after: StartSequences | null;
  /** Null before the first read. */
  #feed: LogFeed | null = null;
  /** Null once it continues in the feed. */
  #missed: MissedEvents | null = null;
  #position: Position | null = null;
  #hasEnded = false;
  #listener: () => void = () => undefined;
  readonly #wake = () => this.#listener();

  constructor(access: FeedAccess, after: StartSequences) {
    this.#access = access;
    this.#after = after;
  }

  take(): Progress | 'none' | 'complete' {
    if (this.#hasEnded) return 'complete';
    const feed = this.#feed ?? this.#join();
    const taken = this.#takeMissed() ?? this.#takeFrom(feed);
    if (taken === 'complete') this.#end();
    return taken;
  }

  onReady(listener: () => void): void {
    this.#listener = listener;
  }

  next(): Promise<IteratorResult<Progress>> {
    return nextOf(this);
  }

  return(): Promise<IteratorResult<Progress>> {
    this.#end();
    this.#wake();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #join(): LogFeed {
    const feed = this.#access.join(this.#wake);
    this.#feed = feed;
    this.#missed = new MissedEvents(feed, this.#after ?? new Map());
    this.#after = null;
    return feed;
  }

  /** Null if nothing was missed, so that the stream continues in the feed. */
  #takeMissed(): Progress | 'none' | 'complete' | null {
    if (this.#missed === null) return null;
    const taken = this.#missed.take();
    if (taken !== 'none') return taken;
    this.#position = this.#missed.endPosition;
    if (this.#position === null) return 'none';
    this.#missed = null;
    return null;
  }

  #takeFrom(feed: LogFeed): Progress | 'none' | 'complete' {
    const next = this.#position?.next ?? null;
    if (next === null) return feed.isComplete ? 'complete' : 'none';
    this.#position = next;
    return progressAt(next);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#missed = null;
    this.#position = null;
    if (this.#feed !== null) this.#access.leave(this.#feed, this.#wake);
  }
}

/** The events of a subscriber that has not received everything that its feed has. */
class MissedEvents {
  readonly #feed: LogFeed;
  readonly #sent: Map<string, number | null>;
  /** Ids of the lip-syncs from which it has received an event. */
  readonly #begun = new Set<string>();
  /** The number of reads of each log for which it waits; null: it waits for none. */
  #awaited: Map<WatchedLog, number> | null;

  constructor(feed: LogFeed, after: StartSequences) {
    this.#feed = feed;
    this.#sent = new Map(after);
    this.#awaited = new Map(feed.logs.map((watched) => [watched, watched.readsUntilFresh]));
  }

  take(): Progress | 'none' | 'complete' {
    if (!this.#isFresh()) return 'none';
    const { logs, cursorOf } = this.#feed;
    // Events of an erased lip-sync are kept for subscribers that already received some, not for new ones.
    const visible = logs.filter(({ isErased, id }) => !isErased || this.#begun.has(id));
    const next = oldestAfter(visible, this.#sent);
    if (next === null) return hasEnded(logs) ? 'complete' : 'none';
    const { event, lipsync } = next;
    this.#sent.set(event.lipsyncId, event.sequence);
    this.#begun.add(event.lipsyncId);
    return { event, lipsync, cursor: cursorOf(this.#sequences()) };
  }

  get endPosition(): Position | null {
    return this.#isFresh() ? this.#feed.positionAt(this.#sent) : null;
  }

  /** True once every change that was notified before the subscription has been read. */
  #isFresh(): boolean {
    if (this.#awaited === null) return true;
    for (const [watched, reads] of this.#awaited) if (watched.reads < reads) return false;
    this.#awaited = null;
    return true;
  }

  /** Includes lip-syncs without a sent event: their sequence is the one before the newest event, which is sent later. */
  #sequences(): Sequences {
    return new Map(
      this.#feed.logs.map(({ id, sequence }) => [
        id,
        this.#sent.get(id) ?? Math.max(0, sequence - 1),
      ]),
    );
  }
}
