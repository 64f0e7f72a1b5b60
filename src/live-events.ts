/**
 * A stream of events that can also be read without waiting. Thousands of subscribers of one source then receive an event in
 * one turn of the event loop; a plain async iterator costs several promises for each of them.
 */
export interface LiveEvents<T extends object> extends AsyncIterableIterator<T> {
  /**
   * The next event, if it has been read already. `none`: none has. `complete`: none will follow, and the stream is closed.
   * After an error the stream is closed too.
   */
  take(): T | 'none' | 'complete';
  /** Calls the listener whenever `take` may have something new. It replaces an earlier listener, and must not throw. */
  onReady(listener: () => void): void;
  /** Closes the stream at once, also while it waits. */
  return(): Promise<IteratorResult<T>>;
}

/** Implements the async iterator by `take`. */
export async function nextOf<T extends object>(
  events: Pick<LiveEvents<T>, 'take' | 'onReady'>,
): Promise<IteratorResult<T>> {
  for (;;) {
    const taken = events.take();
    if (taken === 'complete') return { done: true, value: undefined };
    if (taken !== 'none') return { done: false, value: taken };
    await new Promise<void>((resolve) => events.onReady(resolve));
  }
}

/** A stream of these events, which then completes. */
export function liveEventsOf<T extends object>(events: readonly T[]): LiveEvents<T> {
  const left = [...events];
  return {
    take: () => left.shift() ?? 'complete',
    onReady: () => undefined,
    next() {
      return nextOf(this);
    },
    return() {
      left.length = 0;
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
