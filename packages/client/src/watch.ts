import { createAsyncQueue } from './async-queue.ts';
import { delayAfter, onOnline, waitUnlessAborted } from './back-off.ts';
import { type VariablesOf, watchLipsyncDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
import { knownLipsyncProgressResults, type WatchLipsyncSubscription } from './operations.ts';
import {
  type ExecutionResult,
  type FutureError,
  type LipsyncFailure,
  readUnionMember,
} from './result.ts';
import type { LipsyncServer } from './server.ts';
import type { Transport } from './transport.ts';

/** By `__typename`: an event of the log, or the failure that ends the stream. */
export type LipsyncUpdate = WatchLipsyncSubscription['answer'] | FutureError;

export type LipsyncEvent = Extract<LipsyncUpdate, { __typename: 'LipsyncProgress' }>;

export type WatchFailure = Exclude<LipsyncUpdate, LipsyncEvent>;

/** A server, and the transport of its streams: `serverSentEvents()` or `webSocket()`. */
export type WatchableServer = LipsyncServer & { transport: Transport };

export type WatchOptions = {
  /** The `cursor` of the last event that was received. Without it the stream begins with the newest stored event. */
  after?: string | null | undefined;
  signal?: AbortSignal | undefined;
};

/**
 * Iterates the live log of a lip-sync until its end. When a connection breaks, falls silent or skips an event, it
 * reconnects and resumes after the last event, so every event arrives exactly once. After a page reload the id is
 * enough to continue; with the last `cursor` the events in between arrive too. Leaving the loop closes the connection
 * immediately.
 *
 * @throws LipsyncConnectionError with the cursor, LipsyncRequestError, or the signal's reason
 */
export function watchLipsync(
  server: WatchableServer,
  id: string,
  { after = null, signal }: WatchOptions = {},
): AsyncIterableIterator<LipsyncUpdate, undefined> {
  const stopping = new AbortController();
  const signals = signal === undefined ? [stopping.signal] : [stopping.signal, signal];
  const reader = new LogReader(server, { id, cursor: after, signal: AbortSignal.any(signals) });
  const updates = reader.read();
  const done = { done: true, value: undefined } as const;
  return {
    next: () =>
      updates.next().catch((error: unknown) => {
        if (stopping.signal.aborted) return done;
        throw error;
      }),
    // A plain generator would keep its connection open until the next event before it returns.
    return: async () => {
      stopping.abort();
      await updates.return(undefined);
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The position of one watcher in the log, across all its connections. */
class LogReader {
  readonly #server: WatchableServer;
  readonly #id: string;
  readonly #signal: AbortSignal;
  #cursor: string | null;
  #last: LipsyncEvent | null = null;
  #failures = 0;
  #retryAfterMs: number | undefined;

  constructor(
    server: WatchableServer,
    { id, cursor, signal }: { id: string; cursor: string | null; signal: AbortSignal },
  ) {
    this.#server = server;
    this.#id = id;
    this.#cursor = cursor;
    this.#signal = signal;
  }

  async *read(): AsyncGenerator<LipsyncUpdate, undefined> {
    for (;;) {
      this.#signal.throwIfAborted();
      const { results, close } = this.#openStream();
      let failure: unknown = new Error('The stream ended before the lip-sync did.');
      try {
        for await (const update of this.#readUpdates(results)) {
          yield update;
          if (isLast(update)) return;
        }
        if (!this.#expectsMore()) return;
      } catch (error) {
        failure = error;
      } finally {
        close();
      }
      await this.#backOff(failure);
    }
  }

  async *#readUpdates(
    results: AsyncIterable<ExecutionResult>,
  ): AsyncGenerator<LipsyncUpdate, void> {
    for await (const result of results) {
      const update = this.#accept(result);
      if (update !== null) yield update;
    }
  }

  #openStream() {
    const results = createAsyncQueue<ExecutionResult>();
    const variables: VariablesOf<typeof watchLipsyncDocument> = {
      id: this.#id,
      after: this.#cursor,
    };
    const abort = () => results.fail(this.#signal.reason);
    let hasReceived = false;
    const closeTransport = this.#server.transport(
      this.#server,
      { query: watchLipsyncDocument, variables },
      {
        next: (result) => {
          hasReceived = true;
          results.push(result);
        },
        heartbeat: () => {
          hasReceived = true;
          this.#failures = 0;
        },
        retryAfter: (ms) => {
          this.#retryAfterMs = ms;
        },
        complete: results.end,
        disconnect: results.fail,
        refuse: results.fail,
      },
    );
    this.#signal.addEventListener('abort', abort);
    // A connection from before the network was lost is rarely alive, and the watchdog would notice it 30 s later.
    const removeOnlineListener = onOnline(() => {
      if (hasReceived) results.fail(new Error('The network was offline.'));
    });
    const close = () => {
      this.#signal.removeEventListener('abort', abort);
      removeOnlineListener();
      closeTransport();
    };
    return { results, close };
  }

  /** Returns the update, or null for an event that was delivered before. Throws if a reconnect may give a better result. */
  #accept(result: ExecutionResult): LipsyncUpdate | null {
    this.#signal.throwIfAborted();
    const update = readUnionMember<WatchLipsyncSubscription['answer']>(
      result,
      knownLipsyncProgressResults,
    );
    if (update.__typename !== 'LipsyncProgress') {
      if (this.#shouldRetry(update)) throw new TemporaryRefusal(update);
      return update;
    }
    const expected = this.#last === null ? update.sequence : this.#last.sequence + 1;
    if (update.sequence < expected) return null;
    if (update.sequence > expected) throw new Error(`Event ${expected} is missing.`);
    this.#last = update;
    this.#cursor = update.cursor;
    this.#failures = 0;
    return update;
  }

  /**
   * A refusal after a reconnect is retried, because the caller did not ask for the reconnect. Example: too many
   * streams, while the server still counts the broken one.
   */
  #shouldRetry({ retryable }: WatchFailure): boolean {
    return this.#last !== null && retryable && this.#failures + 1 < this.#maxAttempts;
  }

  /** Whether the server completed a stream that should have continued. */
  #expectsMore(): boolean {
    if (this.#last === null) return this.#cursor === null;
    return !this.#last.isFinal;
  }

  get #maxAttempts(): number {
    return this.#server.backOff?.attempts ?? 20;
  }

  async #backOff(failure: unknown): Promise<void> {
    this.#signal.throwIfAborted();
    if (failure instanceof LipsyncRequestError) throw failure;
    this.#failures += 1;
    if (this.#failures >= this.#maxAttempts) {
      const error = new LipsyncConnectionError('The stream could not be restored.', {
        cause: failure,
      });
      error.cursor = this.#cursor;
      throw error;
    }
    const { firstMs = this.#retryAfterMs, maxMs } = this.#server.backOff ?? {};
    const delayMs = delayAfter(this.#failures, { firstMs, maxMs });
    const minMs = failure instanceof TemporaryRefusal ? failure.minDelayMs : 0;
    await waitUnlessAborted(Math.max(delayMs, minMs), this.#signal);
  }
}

class TemporaryRefusal extends Error {
  readonly minDelayMs: number;

  constructor({ message, retryAfterSeconds }: LipsyncFailure | FutureError) {
    super(message);
    this.minDelayMs = (retryAfterSeconds ?? 0) * 1_000;
  }
}

/**
 * Every terminal status is the last event, except an unknown outcome: the real outcome may follow. The server completes
 * the stream in that case.
 */
function isLast(update: LipsyncUpdate): boolean {
  if (update.__typename !== 'LipsyncProgress') return true;
  return update.isFinal && update.failure?.code !== 'OUTCOME_UNKNOWN';
}
