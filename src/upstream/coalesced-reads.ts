type Flight<T> = { result: Promise<T>; callers: number; controller: AbortController };

type Kept<T> = { value: T; readAt: number; usedAt: number };

/** `signal` is aborted when the last caller has left. */
type Work<T> = (signal: AbortSignal) => Promise<T>;

/** A kept result serves reads that follow the previous one within this time, and no longer than `maxKeptMs` in all. */
const maxGapMs = 500;
const maxKeptMs = 10_000;

/**
 * Coalesces equal reads: all callers with the same key at the same time share one piece of work. By default nothing is
 * kept once the work has settled.
 *
 * With `keepForBursts` a shared result also serves the reads that follow closely. Of two hundred equal queries sent at
 * once most arrive one after the other, and a quick upstream answers each before the next is parsed: sharing only
 * concurrent reads would still cost a hundred calls. The first result after the start is kept too, because a burst is
 * most likely then. A caller without company always gets a new read, and failures are never kept. Only for a small, fixed
 * set of keys: kept results are not evicted.
 */
export class CoalescedReads<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #controllers = new Set<AbortController>();
  readonly #kept = new Map<string, Kept<T>>();
  readonly #burstClock: (() => Date) | undefined;
  #isFirst = true;
  #endReason: unknown;

  constructor({ keepForBursts }: { keepForBursts?: { now: () => Date } } = {}) {
    this.#burstClock = keepForBursts?.now;
  }

  /** A caller whose signal aborts gets its reason at once; the work goes on for the others and is aborted with the last. */
  async read(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#endReason !== undefined) {
      throw this.#endReason;
    }
    const kept = this.#findKept(key);
    if (kept !== undefined) {
      return kept.value;
    }
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.callers += 1;
    try {
      return await (signal ? untilAborted(flight.result, signal) : flight.result);
    } finally {
      flight.callers -= 1;
      if (flight.callers === 0) {
        this.#forget(key, flight);
        flight.controller.abort();
      }
    }
  }

  /** Like `read`, but never shares work that began before this call; callers that wait for it share the next one. */
  async readFresh(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const running = this.#flights.get(key);
    if (running !== undefined) {
      const settled = running.result.then(
        () => undefined,
        () => undefined,
      );
      await (signal ? untilAborted(settled, signal) : settled);
    }
    return await this.read(key, work, signal);
  }

  /** Later callers get work of their own: running reads may have started before a change. */
  forgetAll(): void {
    this.#flights.clear();
    this.#kept.clear();
  }

  /** Aborts all work. Present and later callers get the reason. */
  end(reason: unknown): void {
    this.#endReason = reason;
    for (const controller of this.#controllers) {
      controller.abort(reason);
    }
  }

  #start(key: string, work: Work<T>): Flight<T> {
    this.#kept.delete(key);
    const controller = new AbortController();
    const result = work(controller.signal);
    const flight = { result, callers: 0, controller };
    this.#flights.set(key, flight);
    this.#controllers.add(controller);
    const forget = () => {
      this.#controllers.delete(controller);
      this.#forget(key, flight);
    };
    result.then((value) => {
      this.#keep(key, value, flight);
      forget();
    }, forget);
    return flight;
  }

  #findKept(key: string): Kept<T> | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined || this.#burstClock === undefined) {
      return undefined;
    }
    const nowMs = this.#burstClock().getTime();
    if (nowMs - kept.usedAt >= maxGapMs || nowMs - kept.readAt >= maxKeptMs) {
      return undefined;
    }
    kept.usedAt = nowMs;
    return kept;
  }

  #keep(key: string, value: T, { callers }: Flight<T>): void {
    if (this.#burstClock === undefined) {
      return;
    }
    if (callers > 1 || this.#isFirst) {
      const readAt = this.#burstClock().getTime();
      this.#kept.set(key, { value, readAt, usedAt: readAt });
    }
    this.#isFirst = false;
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) {
      this.#flights.delete(key);
    }
  }
}

async function untilAborted<R>(result: Promise<R>, signal: AbortSignal): Promise<R> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
