import type { Readable } from 'node:stream';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { redactToken } from './errors.ts';
import { type ExchangeTimeout, exchange, type HttpResponse, type NoResponse } from './exchange.ts';

// Equal reads are coalesced and polls read lists, so more connections than this at once mean that the upstream hangs.
const maxPooledConnections = 32;
// Most servers close an idle connection after 5 s or later; closing it first avoids a reset on reuse.
const keepAliveTimeoutMs = 4_000;

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

type Headers = Record<string, string>;

/** `path` is relative to the base URL and is sent as it is: ids must not be percent-encoded (upstream.md, trap 9). */
export type OutgoingRequest = {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Headers;
  body?: string | Readable;
};

/** The connections to the upstream: a pool for reads, and a new connection for each request that must be sent once. */
export class Connection {
  readonly #origin: string;
  readonly #prefix: string;
  readonly #token: string;
  readonly #headers: Headers;
  readonly #connector: buildConnector.connector;
  readonly #pool: Pool;
  readonly #unpooled = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: { baseUrl: string; token: string; timeoutMs: number }) {
    const { origin, pathname } = new URL(options.baseUrl);
    if (!/^[\x21-\x7e]+$/.test(options.token)) {
      throw new TypeError('The upstream token is empty or holds characters that a header cannot.');
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
    // HTTP/1.1 only: over HTTP/2 undici may repeat a refused stream by itself, and the status 596 is not valid there.
    this.#connector = buildConnector({ allowH2: false, timeout: options.timeoutMs });
    this.#pool = new Pool(origin, {
      allowH2: false,
      connect: this.#connector,
      connections: maxPooledConnections,
      keepAliveTimeout: keepAliveTimeoutMs,
    });
  }

  /**
   * Only for reads, which may be repeated: a reset can simply mean that the pooled connection was stale. Follows one
   * redirect to the same origin, such as to a path with or without a slash at its end. The token is sent to no other origin.
   */
  async readOverPool(
    request: Omit<OutgoingRequest, 'method' | 'body'>,
    timeout: ExchangeTimeout,
  ): Promise<HttpResponse | NoResponse> {
    const startedAt = performance.now();
    const options = this.#addHeaders({ ...request, method: 'GET' });
    const outcome = await this.#exchange(this.#pool, options, timeout);
    const path = outcome.kind === 'response' ? this.#redirectOf(outcome, options.path) : null;
    const timeoutMs = timeout.timeoutMs - (performance.now() - startedAt);
    if (path === null || timeoutMs <= 0) return outcome;
    return this.#exchange(this.#pool, { ...options, path }, { ...timeout, timeoutMs });
  }

  /** Over a connection of its own, closed afterwards. */
  async sendOverNewConnection(
    request: OutgoingRequest,
    timeout: ExchangeTimeout,
  ): Promise<HttpResponse | NoResponse> {
    if (this.#isClosed) {
      return { kind: 'no-response', isSent: false, reason: 'CONNECTION_FAILED', cause: undefined };
    }
    const client = new Client(this.#origin, {
      allowH2: false,
      connect: connectOnce(this.#connector),
    });
    const options = { ...this.#addHeaders(request), reset: true };
    const running = this.#exchange(client, options, timeout).finally(() => client.destroy());
    const settled = running.then(
      () => {},
      () => {},
    );
    this.#unpooled.add(settled);
    try {
      return await running;
    } finally {
      this.#unpooled.delete(settled);
    }
  }

  /** Aborts the reads and waits for the other requests: a POST may have been billed, so its response is needed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
    await Promise.all(this.#unpooled);
  }

  /** Redacts our token: texts of responses, such as prompts and URLs, reach callers, rows and the log. */
  async #exchange(
    dispatcher: Dispatcher,
    request: Dispatcher.DispatchOptions,
    timeout: ExchangeTimeout,
  ): Promise<HttpResponse | NoResponse> {
    const outcome = await exchange(dispatcher, request, timeout);
    if (outcome.kind === 'no-response') return outcome;
    return { ...outcome, text: redactToken(outcome.text, this.#token) };
  }

  /** The path of a redirect to this origin, or null. */
  #redirectOf({ status, location }: HttpResponse, path: string): string | null {
    if (!redirectStatuses.has(status) || location === undefined) return null;
    const target = URL.parse(location, this.#origin + path);
    return target?.origin === this.#origin ? target.pathname + target.search : null;
  }

  #addHeaders(request: OutgoingRequest): Dispatcher.DispatchOptions {
    return {
      ...request,
      path: this.#prefix + request.path,
      headers: { ...this.#headers, ...request.headers },
    };
  }
}

/**
 * A connector for one request over one connection. undici connects again, without limit, when a connection ends before
 * the request was written to it; the second attempt fails here instead.
 */
export function connectOnce(connector: buildConnector.connector): buildConnector.connector {
  let isUsed = false;
  return (options, callback) => {
    if (isUsed) {
      callback(new Error('The connection ended before the request was written.'), null);
      return;
    }
    isUsed = true;
    connector(options, callback);
  };
}
