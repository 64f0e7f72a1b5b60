import { type BackOff, waitUnlessAborted } from './back-off.ts';
import { type LipsyncHooks, nameOf, type RetryInfo } from './hooks.ts';

/** A value, or a function that is called before each request and before each reconnect. */
export type ValueOrGetter<T> = T | (() => T | Promise<T>);

/** The address of the API and the caller's credentials. Plain data: create it once and pass it to every function. */
export type LipsyncServer = {
  /** Of the GraphQL endpoint, such as `https://lipsync.example/graphql`. In a browser, a path is enough. */
  url: string;
  /**
   * Sent as `Authorization: Bearer <token>`. With a function a stream can outlive its token: the server closes the
   * stream when the token expires, and the kit reconnects with the value that the function returns then.
   */
  token?: ValueOrGetter<string | null> | undefined;
  /** More headers. Over WebSocket they are sent in the payload of `connection_init`, because browsers send none there. */
  headers?: ValueOrGetter<Record<string, string>> | undefined;
  /**
   * How long a request waits for its answer before it counts as lost, and how long an upload may make no progress.
   * Default 120 000.
   */
  timeoutMs?: number | undefined;
  /** How often and how fast failed requests and streams are retried. */
  backOff?: BackOff | undefined;
  /** Used in place of the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Called for each request, response and retry. */
  hooks?: LipsyncHooks | undefined;
};

export async function headersOf(server: LipsyncServer): Promise<Record<string, string>> {
  const { token, headers } = server;
  const given = typeof headers === 'function' ? await headers() : headers;
  const bearer = typeof token === 'function' ? await token() : token;
  return { ...given, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
}

/** @throws TypeError for an invalid URL, so that the mistake is not retried as a network failure */
export function resolveUrl({ url }: LipsyncServer): URL {
  return new URL(url, (globalThis as { location?: { href: string } }).location?.href);
}

export type Operation = { query: string; variables: Record<string, unknown> };

/** Rejects with the errors of `fetch`, or of the caller's own `token` and `headers` functions. */
export async function post(
  server: LipsyncServer,
  operation: Operation,
  { accept, signal }: { accept: string; signal: AbortSignal },
): Promise<Response> {
  const headers = await Promise.race([headersOf(server), rejectOnAbort(signal)]);
  const { onRequest, onResponse } = server.hooks ?? {};
  const operationName = nameOf(operation.query);
  const traced = onRequest?.({ operationName });
  const response = await (server.fetch ?? fetch)(resolveUrl(server), {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', ...headers, ...traced },
    body: JSON.stringify(operation),
    signal,
  });
  const { status } = response;
  onResponse?.({ operationName, status, requestId: response.headers.get('x-request-id') });
  return response;
}

/** @throws the signal's reason */
export function waitToRetry(
  { hooks }: LipsyncServer,
  { document, ...retry }: Omit<RetryInfo, 'operationName'> & { document: string },
  signal: AbortSignal,
): Promise<void> {
  hooks?.onRetry?.({ operationName: nameOf(document), ...retry });
  return waitUnlessAborted(retry.delayMs, signal);
}

/** Bounds the caller's own functions, which may never return. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
