import type { BackOff } from './back-off.ts';

/** A value, or a function that is asked for it each time: before each request, and before each reconnect. */
export type Asked<T> = T | (() => T | Promise<T>);

/**
 * Where the API is, and who asks. It is plain data: make it once and hand it to every function of the kit.
 */
export type LipsyncServer = {
  /** Of the GraphQL endpoint, such as `https://lipsync.example/graphql`. In a browser a path will do. */
  url: string;
  /**
   * Goes out as `Authorization: Bearer <token>`. A function lets a stream outlive its token: the server closes it when
   * the token expires, and the kit comes back with what the function gives then.
   */
  token?: Asked<string | null> | undefined;
  /** Further headers; over WebSocket, where a browser can send none, they are members of `connection_init`. */
  headers?: Asked<Record<string, string>> | undefined;
  /**
   * What a request waits for its answer before it is taken for lost, and an upload for its next bytes to be taken.
   * Default 120 000.
   */
  timeoutMs?: number | undefined;
  /** How often and how late it is tried again. */
  backOff?: BackOff | undefined;
  /** Instead of the global one. */
  fetch?: typeof fetch | undefined;
};

export async function headersOf(server: LipsyncServer): Promise<Record<string, string>> {
  const { token, headers } = server;
  const given = typeof headers === 'function' ? await headers() : headers;
  const bearer = typeof token === 'function' ? await token() : token;
  return { ...given, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
}

/** @throws TypeError at once where the address is none, which is no failure of the network */
export function addressOf({ url }: LipsyncServer): URL {
  return new URL(url, (globalThis as { location?: { href: string } }).location?.href);
}

export type Operation = { query: string; variables: Record<string, unknown> };

/** Rejects with what `fetch` or the caller's own functions throw. */
export async function post(
  server: LipsyncServer,
  operation: Operation,
  { accept, signal }: { accept: string; signal: AbortSignal },
): Promise<Response> {
  const headers = await Promise.race([headersOf(server), abortOf(signal)]);
  return (server.fetch ?? fetch)(addressOf(server), {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(operation),
    signal,
  });
}

/** The caller's own functions may take for ever. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
