import { isTerminal } from '../lifecycle.ts';
import type { LipsyncEvent } from '../store/events.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import type { Sequences } from './cursor.ts';
import type { WatchedLog } from './log-reader.ts';

/** An event, the current row of its lip-sync, and the cursor that continues after the event. */
export type Progress = { event: LipsyncEvent; lipsync: Lipsync; cursor: string };

export type CursorOf = (sequences: Sequences) => string;

/** A place in a feed: everything up to it was sent. */
export type Position = { next: Entry | null };
type Entry = Position & { watched: WatchedLog; progress: Progress };

/**
 * The events of some logs in the order in which they are sent, for all subscribers to the same logs. It is a linked list:
 * the feed holds its end, and each subscriber a position. So all subscribers receive the same objects, an event stays in
 * memory only until the slowest subscriber has read it, and a slow subscriber delays no other.
 */
export class LogFeed {
  readonly logs: readonly WatchedLog[];
  readonly cursorOf: CursorOf;
  /** Called when events were added, or when none will follow. */
  readonly listeners = new Set<() => void>();
  #tail: Position = { next: null };
  /** Null until every log was read once. */
  #sequences: Map<string, number> | null = null;
  #isComplete = false;

  constructor(logs: readonly WatchedLog[], cursorOf: CursorOf) {
    this.logs = logs;
    this.cursorOf = cursorOf;
  }

  /** Whether every lip-sync has ended or was erased, so that no entry will follow. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The end of the feed if a subscriber that has received the events up to these sequences has received all; else null. */
  positionAt(sent: ReadonlyMap<string, number | null>): Position | null {
    const isAtEnd = this.logs.every(({ id }) => sent.get(id) === this.#sequences?.get(id));
    return isAtEnd ? this.#tail : null;
  }

  /** Adds the events that were read, and calls the listeners. */
  extend(): void {
    if (this.logs.some(({ reads }) => reads === 0)) return;
    if (this.#sequences === null) {
      this.#sequences = new Map(this.logs.map(({ id, sequence }) => [id, sequence]));
    } else {
      this.#append(this.#sequences);
    }
    this.#isComplete = hasEnded(this.logs);
    for (const listener of [...this.listeners]) listener();
  }

  #append(sequences: Map<string, number>): void {
    for (;;) {
      const next = oldestAfter(this.logs, sequences);
      if (next === null) return;
      sequences.set(next.watched.id, next.event.sequence);
      const progress = {
        event: next.event,
        lipsync: next.lipsync,
        cursor: this.cursorOf(sequences),
      };
      const entry: Entry = { watched: next.watched, progress, next: null };
      this.#tail.next = entry;
      this.#tail = entry;
    }
  }
}

/** The event with the row as it is now: a slow subscriber reads an entry long after it was added. */
export function progressAt(entry: Entry): Progress {
  const { lipsync } = entry.watched;
  if (lipsync !== null && lipsync !== entry.progress.lipsync) {
    entry.progress = { ...entry.progress, lipsync };
  }
  return entry.progress;
}

export function hasEnded(logs: readonly WatchedLog[]): boolean {
  return logs.every(({ isErased, events }) => {
    const last = events.at(-1);
    return isErased || last === undefined || isTerminal(last.status);
  });
}

type Candidate = { watched: WatchedLog; event: LipsyncEvent; lipsync: Lipsync };

/** The oldest event after these sequences. A log with the sequence null comes first, with its newest event. */
export function oldestAfter(
  logs: readonly WatchedLog[],
  sent: ReadonlyMap<string, number | null>,
): Candidate | null {
  let oldest: Candidate | null = null;
  for (const watched of logs) {
    const event = watched.next(sent.get(watched.id) ?? null);
    if (event === undefined || watched.lipsync === null) continue;
    const candidate = { watched, event, lipsync: watched.lipsync };
    if (oldest === null || isBefore(candidate, oldest, sent)) oldest = candidate;
  }
  return oldest;
}

function isBefore(
  one: Candidate,
  other: Candidate,
  sent: ReadonlyMap<string, number | null>,
): boolean {
  const isFirst = ({ watched }: Candidate) => (sent.get(watched.id) ?? null) === null;
  return isFirst(one) === isFirst(other)
    ? one.event.occurredAt < other.event.occurredAt
    : isFirst(one);
}
