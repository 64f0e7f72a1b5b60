import { delayAfter, onOnline } from '../back-off.ts';
import {
  FailedAttempt,
  LipsyncRequestError,
  LipsyncServerError,
  minDelayOf,
  toLastError,
} from '../errors.ts';
import { knownLipsyncProgressResults, type WatchLipsyncSubscription } from '../operations.ts';
import { type ExecutionResult, type FutureError, readUnionMember } from '../result.ts';
import { type LipsyncServer, waitToRetry } from '../server.ts';
import { createAsyncQueue } from './async-queue.ts';
import type { Transport } from './transport.ts';

/** By `__typename`: an event of the log, or the failure that ends the stream. */
export type LipsyncUpdate = WatchLipsyncSubscription['answer'] | FutureError;

/** An event of a lip-sync's log: `status`, `percent` from 0 to 100, `queuePosition`, and the lip-sync as it is now. */
export type LipsyncEvent = Extract<LipsyncUpdate, { __typename: 'LipsyncProgress' }>;

/** Why a lip-sync cannot be watched, by `__typename`. */
export type WatchFailure = Exclude<LipsyncUpdate, LipsyncEvent>;

/** A server, and the transport of its streams: `serverSentEvents()` or `webSocket()`. */
export type WatchableServer = LipsyncServer & { transport: Transport };

/** The events of one lip-sync, or of a list of them. */
type Log = {
  document: string;
  variables: Record<string, unknown>;
  /** How many lip-syncs. */
  size: number;
};

/** The position of one watcher in the log, across all its connections. */
export class LogReader {
  readonly #server: WatchableServer;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #startsAtNewest: boolean;
  readonly #lastOf = new Map<string, LipsyncEvent>();
  #cursor: string | null;
  #failures = 0;
  #retryAfterMs: number | undefined;

  constructor(
    server: WatchableServer,
    log: Log,
    { cursor, signal }: { cursor: string | null; signal: AbortSignal },
  ) {
    this.#server = server;
    this.#log = log;
    this.#startsAtNewest = cursor === null;
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
          if (this.#isLast(update)) return;
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
    const { document, variables } = this.#log;
    const abort = () => results.fail(this.#signal.reason);
    let hasReceived = false;
    const closeTransport = this.#server.transport(
      this.#server,
      { query: document, variables: { ...variables, after: this.#cursor } },
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
      if (this.#shouldRetry(update)) throw refusalOf(update);
      return update;
    }
    const last = this.#lastOf.get(update.lipsync.id);
    const expected = last === undefined ? update.sequence : last.sequence + 1;
    if (update.sequence < expected) return null;
    if (update.sequence > expected) throw new Error(`Event ${expected} is missing.`);
    this.#lastOf.set(update.lipsync.id, update);
    this.#cursor = update.cursor;
    this.#failures = 0;
    return update;
  }

  /**
   * A refusal after a reconnect is retried, because the caller did not ask for the reconnect. Example: too many
   * streams, while the server still counts the broken one.
   */
  #shouldRetry({ retryable }: WatchFailure): boolean {
    return this.#lastOf.size > 0 && retryable && this.#failures + 1 < this.#maxAttempts;
  }

  /** Whether the server completed a stream that should have continued. */
  #expectsMore(): boolean {
    // With a cursor, lip-syncs that had ended before it have no event.
    if (this.#startsAtNewest && this.#lastOf.size < this.#log.size) return true;
    return [...this.#lastOf.values()].some(({ isFinal }) => !isFinal);
  }

  /**
   * Every terminal status is the last event of its lip-sync, except an unknown outcome: the real outcome may follow. The
   * server completes the stream in that case.
   */
  #isLast(update: LipsyncUpdate): boolean {
    if (update.__typename !== 'LipsyncProgress') return true;
    const { size } = this.#log;
    return this.#lastOf.size === size && [...this.#lastOf.values()].every(isEnd);
  }

  get #maxAttempts(): number {
    return this.#server.backOff?.attempts ?? 20;
  }

  async #backOff(failure: unknown): Promise<void> {
    this.#signal.throwIfAborted();
    if (failure instanceof LipsyncRequestError) throw failure;
    this.#failures += 1;
    // A stream outlasts a long outage, but a fault that repeats at once will not end by itself.
    const maxFailures = isFault(failure)
      ? Math.min(this.#maxAttempts, maxFaults)
      : this.#maxAttempts;
    if (this.#failures >= maxFailures) {
      const error = toLastError(failure, 'The stream could not be restored.');
      error.cursor = this.#cursor;
      throw error;
    }
    const { firstMs = this.#retryAfterMs, maxMs } = this.#server.backOff ?? {};
    const failures = this.#failures;
    const delayMs = Math.max(delayAfter(failures, { firstMs, maxMs }), minDelayOf(failure));
    const { document } = this.#log;
    await waitToRetry(this.#server, { document, failures, delayMs, error: failure }, this.#signal);
  }
}

function refusalOf({ message, retryAfterSeconds }: WatchFailure): FailedAttempt {
  return new FailedAttempt(message, (retryAfterSeconds ?? 0) * 1_000);
}

function isEnd({ isFinal, failure }: LipsyncEvent): boolean {
  return isFinal && failure?.code !== 'OUTCOME_UNKNOWN';
}

/** How many faults of the server's program in a row end a stream. */
const maxFaults = 5;

function isFault(failure: unknown): failure is LipsyncServerError {
  return failure instanceof LipsyncServerError && failure.code === 'INTERNAL_SERVER_ERROR';
}
