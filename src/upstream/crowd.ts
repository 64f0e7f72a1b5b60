import { SingleFlight } from './single-flight.ts';

/** How soon behind the last of a crowd a question still belongs to it, and for how long a crowd gets one answer at most. */
const gapMs = 500;
const mostMs = 10_000;

type Kept<T> = { value: T; readAt: number; usedAt: number };

/**
 * One answer for a crowd. Of two hundred equal questions that are sent at once most arrive one behind the other, and a
 * quick upstream has answered each before the next is read: single flight alone would ask it a hundred times. So an
 * answer that was shared is good for those who come close behind, and so is the first since the start, when a crowd is
 * most likely. Whoever asks alone again gets a new answer, and a failure is never kept.
 */
export class Crowd<T> {
  readonly #flights = new SingleFlight<T>();
  readonly #now: () => Date;
  #kept: Kept<T> | null = null;
  #waiting = 0;
  #isFirst = true;

  constructor(now: () => Date) {
    this.#now = now;
  }

  async join(read: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const nowMs = this.#now().getTime();
    const kept = this.#kept;
    if (kept !== null && nowMs - kept.usedAt < gapMs && nowMs - kept.readAt < mostMs) {
      kept.usedAt = nowMs;
      return kept.value;
    }
    this.#waiting += 1;
    try {
      return await this.#flights.join('', (shared) => this.#read(read, shared), signal);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #read(read: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#kept = null;
    const value = await read(signal);
    const readAt = this.#now().getTime();
    if (this.#waiting > 1 || this.#isFirst) this.#kept = { value, readAt, usedAt: readAt };
    this.#isFirst = false;
    return value;
  }
}
