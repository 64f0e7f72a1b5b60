import type { Readable } from 'node:stream';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { isSuccess } from './answer.ts';
import { connectOnce } from './connect-once.ts';
import { withoutToken } from './errors.ts';
import { type Answer, exchange, type Fault, type Patience } from './exchange.ts';

// Reads are single-flighted and polls are lists, so more than this at once means that the upstream hangs.
const maxKeptConnections = 32;
// Most servers close an idle connection after 5 s or later; leaving first avoids resets on reuse.
const keepAliveTimeoutMs = 4_000;

type Headers = Record<string, string>;

/** `path` is below the base URL and goes out as it is: ids must not be percent-encoded (upstream.md, trap 9). */
export type OutgoingRequest = {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Headers;
  body?: string | Readable;
};

/** The ways to the upstream: kept connections for reads, a fresh one for whatever must not be sent twice. */
export class Connection {
  readonly #origin: string;
  readonly #prefix: string;
  readonly #token: string;
  readonly #headers: Headers;
  readonly #connector: buildConnector.connector;
  readonly #pool: Pool;
  readonly #fresh = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: { baseUrl: string; token: string; timeoutMs: number }) {
    const { origin, pathname } = new URL(options.baseUrl);
    if (!/^[\x21-\x7e]+$/.test(options.token)) {
      throw new TypeError('The upstream token is empty or holds characters that no header can.');
    }
    this.#origin = origin;
    this.#prefix = pathname.replace(/\/+$/, '');
    this.#token = options.token;
    this.#headers = {
      authorization: `Bearer ${options.token}`,
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'lipsync-graphql',
    };
    // HTTP/1.1 only: over HTTP/2 a stream can be refused and repeated below us, and 596 is no status it promises.
    this.#connector = buildConnector({ allowH2: false, timeout: options.timeoutMs });
    this.#pool = new Pool(origin, {
      allowH2: false,
      connect: this.#connector,
      connections: maxKeptConnections,
      keepAliveTimeout: keepAliveTimeoutMs,
    });
  }

  /** Over a kept connection. A reset may only mean that the connection was stale, so only for what may be repeated. */
  overKept(request: OutgoingRequest, patience: Patience): Promise<Answer | Fault> {
    return this.#exchange(this.#pool, this.#dress(request), patience);
  }

  /** Over a connection of its own, closed afterwards. */
  async overFresh(request: OutgoingRequest, patience: Patience): Promise<Answer | Fault> {
    if (this.#isClosed) {
      return { kind: 'fault', isSent: false, reason: 'CONNECTION_FAILED', cause: undefined };
    }
    const client = new Client(this.#origin, {
      allowH2: false,
      connect: connectOnce(this.#connector),
    });
    const dressed = { ...this.#dress(request), reset: true };
    const running = this.#exchange(client, dressed, patience).finally(() => client.destroy());
    const settled = running.then(
      () => {},
      () => {},
    );
    this.#fresh.add(settled);
    try {
      return await running;
    } finally {
      this.#fresh.delete(settled);
    }
  }

  /** Cuts the kept connections and waits for the fresh ones: what may have been billed must be heard out. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
    await Promise.all(this.#fresh);
  }

  /** A refusal is heard without our token: its words go to callers, into rows and into the log. */
  async #exchange(
    dispatcher: Dispatcher,
    request: Dispatcher.DispatchOptions,
    patience: Patience,
  ): Promise<Answer | Fault> {
    const outcome = await exchange(dispatcher, request, patience);
    if (outcome.kind === 'fault' || isSuccess(outcome.status)) return outcome;
    return { ...outcome, text: withoutToken(outcome.text, this.#token) };
  }

  #dress(request: OutgoingRequest): Dispatcher.DispatchOptions {
    return {
      ...request,
      path: this.#prefix + request.path,
      headers: { ...this.#headers, ...request.headers },
    };
  }
}
