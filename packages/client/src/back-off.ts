export type BackOff = {
  /** Of the first wait. Default 1 000, or what the server's event stream asks for. */
  firstMs?: number | undefined;
  /** No wait is longer. Default 30 000. */
  mostMs?: number | undefined;
  /**
   * How many failures in a row are borne before the network is given up. Any event or sign of life counts as a
   * success. Default: 5 for a question, after half a minute; 20 for a stream, after some eight minutes.
   */
  attempts?: number | undefined;
};

/**
 * How long to wait after the nth failure in a row, from 1: twice as long each time, of which a random half is taken
 * off, so that all who were cut off by the same restart do not come back at the same moment.
 */
export function delayAfter(
  failures: number,
  { firstMs = 1_000, mostMs = 30_000 }: BackOff = {},
  random: () => number = Math.random,
): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1)) * (0.5 + random() / 2);
}

/** For `createClient` of graphql-ws, whose own waits double without an end: after ten failures it comes in a quarter of an hour. */
export function retryWait(retries: number): Promise<void> {
  return pause(delayAfter(retries + 1), new AbortController().signal);
}

/** Calls when the browser says that it is online again, which no other program does. Returns what ends that. */
export function onOnline(then: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis as Partial<EventTarget>;
  addEventListener?.('online', then);
  return () => removeEventListener?.('online', then);
}

/**
 * Resolves after the time, or as soon as the browser says that it is online again.
 *
 * @throws the signal's reason
 */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      stay();
    };
    const end = () => {
      leave();
      resolve();
    };
    const abort = () => {
      leave();
      reject(signal.reason);
    };
    const timer = setTimeout(end, ms);
    const stay = onOnline(end);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}
