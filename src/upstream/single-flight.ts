type Flight<T> = { result: Promise<T>; callers: number; controller: AbortController };

/** `signal` tells the shared work that nobody waits for it any more. */
type Work<T> = (signal: AbortSignal) => Promise<T>;

/** Gives one piece of work to all who ask for the same key at the same time. Nothing is kept once it has settled. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #controllers = new Set<AbortController>();
  #endReason: unknown;

  /** A caller that leaves gets its signal's reason at once; the work goes on for the others and ends with the last. */
  async join(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
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

  /** Like `join`, but for work that begins after this call: many who wait for what is under way share the next. */
  async joinNext(key: string, work: Work<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const running = this.#flights.get(key);
    if (running !== undefined) {
      const settled = running.result.then(
        () => undefined,
        () => undefined,
      );
      await (signal ? untilAborted(settled, signal) : settled);
    }
    return await this.join(key, work, signal);
  }

  /** Those who ask from now on get work of their own: what is under way may have seen the world before a change. */
  forgetAll(): void {
    this.#flights.clear();
  }

  /** Aborts all work; whoever waits for it or asks later gets the reason. */
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
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([result, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
