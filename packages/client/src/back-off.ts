/** How often and how fast failed requests and streams are retried. The delays double from `firstMs` to `maxMs`. */
export type BackOff = {
  /** The first delay, in milliseconds. Default 1 000, or the `retry:` value of the server's event stream. */
  firstMs?: number | undefined;
  /** The longest delay, in milliseconds. Default 30 000. */
  maxMs?: number | undefined;
  /**
   * How many consecutive failures end in a `LipsyncConnectionError`. Any event or heartbeat resets the count. Default:
   * 5 for a request, which is up to 15 seconds of waiting; 20 for a stream, up to 8 minutes.
   */
  attempts?: number | undefined;
};

/**
 * The delay after the nth consecutive failure, counted from 1. It doubles each time, and a random part of up to half is
 * subtracted, so that clients which were disconnected by the same restart do not reconnect at the same moment.
 */
export function delayAfter(
  failures: number,
  { firstMs = 1_000, maxMs = 30_000 }: BackOff = {},
  random: () => number = Math.random,
): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1)) * (0.5 + random() / 2);
}

/** A longer `Retry-After` does not delay a retry further: it is meant for crawlers. */
const maxRetryAfterSeconds = 30;

/** The delay that the server asks for. @param seconds of a header or an error; anything but a number above 0 is no delay */
export function readRetryAfterMs(seconds: unknown): number {
  return 1_000 * (Number(seconds) > 0 ? Math.min(Number(seconds), maxRetryAfterSeconds) : 0);
}

/**
 * The `retryWait` option of `createClient` in graphql-ws. The library's own delay doubles without an upper limit: after
 * ten failures it is a quarter of an hour.
 */
export function retryWait(retries: number): Promise<void> {
  return waitUnlessAborted(delayAfter(retries + 1), joinSignals());
}

/** Calls back when the browser is online again; outside browsers never. Returns a function that removes the listener. */
export function onOnline(callback: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis as Partial<EventTarget>;
  addEventListener?.('online', callback);
  return () => removeEventListener?.('online', callback);
}

/**
 * Resolves after the delay, or as soon as the browser is online again.
 *
 * @throws the signal's reason
 */
export function waitUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cleanUp = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      removeOnlineListener();
    };
    const finish = () => {
      cleanUp();
      resolve();
    };
    const abort = () => {
      cleanUp();
      reject(signal.reason);
    };
    const timer = setTimeout(finish, Math.min(ms, maxTimerMs));
    const removeOnlineListener = onOnline(finish);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

/** The longest delay of a timer. A longer one, such as `Infinity`, fires at once or throws. */
export const maxTimerMs = 2 ** 31 - 1;

export function abortAfter(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.min(ms, maxTimerMs));
}

/** Aborts with the first of these that does. */
export function joinSignals(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
