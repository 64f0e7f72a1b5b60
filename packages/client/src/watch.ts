import { type FutureError, type LipsyncFailure, type Result, readAnswer } from './answer.ts';
import { delayAfter, onOnline, pause } from './back-off.ts';
import { type VariablesOf, watchLipsyncDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
import { createInbox } from './inbox.ts';
import { knownLipsyncProgressResults, type WatchLipsyncSubscription } from './operations.ts';
import type { LipsyncServer } from './server.ts';
import type { Transport } from './transport.ts';

/** By `__typename`: an event of the log, or why there is none, which is the last that comes. */
export type LipsyncUpdate = WatchLipsyncSubscription['answer'] | FutureError;

export type LipsyncEvent = Extract<LipsyncUpdate, { __typename: 'LipsyncProgress' }>;

export type WatchFailure = Exclude<LipsyncUpdate, LipsyncEvent>;

/** A server and the way its streams come: `serverSentEvents()` or `webSocket()`. */
export type WatchableServer = LipsyncServer & { transport: Transport };

export type WatchOptions = {
  /** The `cursor` of the last event that was seen. Without one it begins with the last event that there is. */
  after?: string | null | undefined;
  signal?: AbortSignal | undefined;
};

const ends = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'];
const steps = ['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING'];

/**
 * The log of a lip-sync, live, to its end. A connection that breaks, falls silent or leaves out an event is made again
 * and goes on after the last event: none comes twice, none is missed. After a reload of the page the id is enough; with
 * the last `cursor` also what happened meanwhile is told. Leaving the loop closes the connection at once.
 *
 * @throws LipsyncConnectionError with the cursor, LipsyncRequestError, or the signal's reason
 */
export function watchLipsync(
  server: WatchableServer,
  id: string,
  { after = null, signal }: WatchOptions = {},
): AsyncIterableIterator<LipsyncUpdate, undefined> {
  const leaving = new AbortController();
  const signals = signal === undefined ? [leaving.signal] : [leaving.signal, signal];
  const reader = new Reader(server, { id, cursor: after, signal: AbortSignal.any(signals) });
  const updates = reader.read();
  const over = { done: true, value: undefined } as const;
  return {
    next: () =>
      updates.next().catch((error: unknown) => {
        if (leaving.signal.aborted) return over;
        throw error;
      }),
    // A plain generator would first wait for the next event, and keep its connection until then.
    return: async () => {
      leaving.abort();
      await updates.return(undefined);
      return over;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Where one watcher stands in the log, over any number of connections. */
class Reader {
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
      const { inbox, close } = this.#open();
      let failure: unknown = new Error('The stream ended before the lip-sync did.');
      try {
        for await (const update of this.#take(inbox)) {
          yield update;
          if (isLast(update)) return;
        }
        if (!this.#mayFollow()) return;
      } catch (error) {
        failure = error;
      } finally {
        close();
      }
      await this.#recover(failure);
    }
  }

  async *#take(inbox: AsyncIterable<Result>): AsyncGenerator<LipsyncUpdate, void> {
    for await (const result of inbox) {
      const update = this.#accept(result);
      if (update !== null) yield update;
    }
  }

  #open() {
    const inbox = createInbox<Result>();
    const variables: VariablesOf<typeof watchLipsyncDocument> = {
      id: this.#id,
      after: this.#cursor,
    };
    const abort = () => inbox.fail(this.#signal.reason);
    let isAlive = false;
    const closeTransport = this.#server.transport(
      this.#server,
      { query: watchLipsyncDocument, variables },
      {
        next: (result) => {
          isAlive = true;
          inbox.push(result);
        },
        live: () => {
          isAlive = true;
          this.#failures = 0;
        },
        retryAfter: (ms) => {
          this.#retryAfterMs = ms;
        },
        complete: inbox.end,
        break: inbox.fail,
        refuse: inbox.fail,
      },
    );
    this.#signal.addEventListener('abort', abort);
    // What was open before the network went is seldom alive after it, and would be found out half a minute late.
    const stay = onOnline(() => {
      if (isAlive) inbox.fail(new Error('The network was away.'));
    });
    const close = () => {
      this.#signal.removeEventListener('abort', abort);
      stay();
      closeTransport();
    };
    return { inbox, close };
  }

  /** What is new in the result; null for what was told before. Throws for what a new connection may tell better. */
  #accept(result: Result): LipsyncUpdate | null {
    this.#signal.throwIfAborted();
    const update = readAnswer<WatchLipsyncSubscription['answer']>(
      result,
      knownLipsyncProgressResults,
    );
    if (update.__typename !== 'LipsyncProgress') {
      if (this.#mayBeRefusedForNow(update)) throw new RefusedForNow(update);
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
   * Coming back is our own doing, and what stands in its way for a while, such as too many streams because the broken
   * one was not yet found dead, is not the caller's to handle.
   */
  #mayBeRefusedForNow({ retryable }: WatchFailure): boolean {
    return this.#last !== null && retryable && this.#failures + 1 < this.#attempts;
  }

  /** Whether a stream that is complete should not be. */
  #mayFollow(): boolean {
    if (this.#last === null) return this.#cursor === null;
    return steps.includes(this.#last.status);
  }

  get #attempts(): number {
    return this.#server.backOff?.attempts ?? 20;
  }

  async #recover(failure: unknown): Promise<void> {
    this.#signal.throwIfAborted();
    if (failure instanceof LipsyncRequestError) throw failure;
    this.#failures += 1;
    if (this.#failures >= this.#attempts) {
      const error = new LipsyncConnectionError('The stream can not be kept.', { cause: failure });
      error.cursor = this.#cursor;
      throw error;
    }
    const { firstMs = this.#retryAfterMs, mostMs } = this.#server.backOff ?? {};
    const delayMs = delayAfter(this.#failures, { firstMs, mostMs });
    const leastMs = failure instanceof RefusedForNow ? failure.leastMs : 0;
    await pause(Math.max(delayMs, leastMs), this.#signal);
  }
}

class RefusedForNow extends Error {
  readonly leastMs: number;

  constructor({ message, retryAfterSeconds }: LipsyncFailure | FutureError) {
    super(message);
    this.leastMs = (retryAfterSeconds ?? 0) * 1_000;
  }
}

/** One end is none: whose outcome was unknown may still be found out. The server completes when it has told all. */
function isLast(update: LipsyncUpdate): boolean {
  if (update.__typename !== 'LipsyncProgress') return true;
  return ends.includes(update.status) && update.failure?.code !== 'OUTCOME_UNKNOWN';
}
