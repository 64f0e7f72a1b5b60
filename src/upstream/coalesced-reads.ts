type Flight<T> = { result: Promise<T>; callers: number; controller: AbortController };

/** `signal` is aborted when the signals of all callers are aborted. */
export type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Coalesces equal reads: all callers with the same key at the same time share one piece of work. Nothing is cached once the
 * work has settled; `FreshReads` caches results.
 */
export class CoalescedReads<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #controllers = new Set<AbortController>();
  #endReason: unknown;

  /** A caller whose signal aborts gets its reason at once; the work continues for the others and is aborted with the last. */
  async read(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#endReason !== undefined) {
      throw this.#endReason;
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

  isReading(key: string): boolean {
    return this.#flights.has(key);
  }

  /** Later callers get work of their own: running reads may have started before a change. */
  forgetAll(): void {
    this.#flights.clear();
  }

  /** Aborts all work. Current and later callers get the reason. */
  end(reason: unknown): void {
    this.#endReason = reason;
    for (const controller of this.#controllers) {
      controller.abort(reason);
    }
  }

  #start(key: string, work: Work<T>): Flight<T> {
    const controller = new AbortController();
    const result = work(controller.signal);
    const flight = { result, callers: 0, controller };
    this.#flights.set(key, flight);
    this.#controllers.add(controller);
    const forget = () => {
      this.#controllers.delete(controller);
      this.#forget(key, flight);
    };
    result.then(forget, forget);
    return flight;
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
