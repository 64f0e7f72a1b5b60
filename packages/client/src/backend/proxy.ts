/** The user of a request to the proxy. */
export type ProxyCaller = {
  /**
   * The token that lipsync-graphql gets. With one of `signUserToken`, each user has lip-syncs and limits of its own. With an
   * API key, all users are one owner and see each other's lip-syncs.
   */
  token: string;
};

/** Options of `createProxy`. */
export type ProxyOptions = {
  /** Of the GraphQL endpoint of lipsync-graphql, such as `https://lipsync.internal/graphql`. */
  url: string;
  /**
   * Identifies the user by the session of your own application, before each request and each stream. Null: the user is
   * not signed in, and the answer is 401.
   */
  authenticate: (request: Request) => ProxyCaller | null | Promise<ProxyCaller | null>;
  /** Used in place of the global `fetch`. */
  fetch?: typeof fetch | undefined;
};

/** What may pass to the server. Cookies and the user's own `authorization` stay here. */
const requestHeaders = [
  'accept',
  'content-type',
  'last-event-id',
  'x-request-id',
  'traceparent',
  'tracestate',
];

/** What may pass back. Lengths and encodings belong to the connection to the server. */
const responseHeaders = ['content-type', 'cache-control', 'retry-after', 'x-request-id', 'vary'];

/** The largest JSON request that lipsync-graphql accepts. */
const maxBodyBytes = 1_000_000;

/**
 * A handler in fetch form, `(request) => Promise<Response>`, that passes GraphQL requests and their event streams on with
 * a token that the browser never sees. Mount it where the pages' `url` leads. WebSockets do not pass it: pages use
 * `serverSentEvents()`. Files do not pass it either: they go to the upload address that the server answers.
 */
export function createProxy({
  url,
  authenticate,
  ...options
}: ProxyOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    const refusal = checkRequest(request);
    if (refusal !== null) return refusal;
    const caller = await authenticate(request);
    if (caller === null) return refuse(401, 'NOT_AUTHENTICATED', 'Sign in first.');
    const body = await readBody(request);
    if (body === null) return refuse(413, 'REQUEST_TOO_LARGE', 'The request is too large.');
    const headers = pick(request.headers, requestHeaders);
    headers.set('authorization', `Bearer ${caller.token}`);
    try {
      const response = await (options.fetch ?? fetch)(url, {
        method: 'POST',
        headers,
        body,
        // Ends the stream at the server when the page is closed.
        signal: request.signal,
        redirect: 'error',
      });
      const passed = pick(response.headers, responseHeaders);
      // Otherwise nginx holds events back.
      passed.set('x-accel-buffering', 'no');
      return new Response(response.body, { status: response.status, headers: passed });
    } catch (error) {
      if (request.signal.aborted) throw error;
      return refuse(502, 'BAD_GATEWAY', 'The server does not answer.');
    }
  };
}

function checkRequest(request: Request): Response | null {
  if (request.method !== 'POST') {
    return refuse(405, 'METHOD_NOT_ALLOWED', 'Send GraphQL requests by POST.');
  }
  // The user's session is a cookie: another site could use it with a form, which cannot send JSON.
  if (!isJson(request)) {
    return refuse(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send GraphQL requests as application/json.');
  }
  if (isForeign(request)) {
    return refuse(403, 'FOREIGN_ORIGIN', 'The request comes from a page of another site.');
  }
  return null;
}

function isJson({ headers }: Request): boolean {
  return /^application\/(graphql\+)?json\s*(;|$)/i.test(headers.get('content-type') ?? '');
}

/** Null: it has more than `maxBodyBytes`. The rest is not read. */
async function readBody({ headers, body }: Request): Promise<Blob | null> {
  if (Number(headers.get('content-length') ?? 0) > maxBodyBytes) return null;
  const chunks: BlobPart[] = [];
  let bytes = 0;
  const reader = body?.getReader();
  while (reader !== undefined) {
    const { value, done } = await reader.read();
    if (done) break;
    bytes += value.byteLength;
    if (bytes > maxBodyBytes) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
  return new Blob(chunks);
}

function isForeign({ headers }: Request): boolean {
  return headers.get('sec-fetch-site') === 'cross-site';
}

function pick(headers: Headers, names: readonly string[]): Headers {
  const picked = new Headers();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}

/** In the form of a GraphQL request error, so that clients read it. */
function refuse(status: number, code: string, message: string): Response {
  const headers: Record<string, string> = status === 405 ? { allow: 'POST' } : {};
  return Response.json({ errors: [{ message, extensions: { code } }] }, { status, headers });
}
