import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../log.ts';
import { refuseByHead } from './admission.ts';
import { byPreference } from './media-types.ts';
import type { Metrics } from './metrics.ts';
import { isKnownOrigin, type OriginRules } from './origin.ts';
import { refuse } from './refusal.ts';
import { tooLarge } from './requests.ts';
import { requestIdHeader, type Yoga } from './yoga.ts';

type TokenDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

export type HttpOptions = {
  yoga: Yoga;
  callbacks: TokenDoor;
  uploads: TokenDoor;
  origins: OriginRules;
  /** Throws where this process can't serve. */
  checkReady: () => Promise<void>;
  hasGraphiql: boolean;
  metrics: Metrics;
  log: Log;
};

const allowedHeaders =
  'content-type, authorization, last-event-id, x-request-id, x-csrf, apollo-require-preflight, graphql-require-preflight, x-graphql-event-stream-token';

/** Every HTTP door of the process on one server; WebSockets are added to it by `websocket.ts`. */
export function createHttpServer(options: HttpOptions): Server {
  // Node would cut every request after five minutes, and a large upload takes longer; each door bounds its own.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const startedAt = performance.now();
    const requestId = nameRequest(request);
    const path = pathOf(request);
    response.setHeader(requestIdHeader, requestId);
    secure(response);
    response.once('close', () => {
      const ms = performance.now() - startedAt;
      options.metrics.observe(request, response, ms / 1000);
      options.log.info(
        {
          requestId,
          method: request.method,
          path: withoutToken(path),
          status: response.statusCode,
          ms: Math.round(ms),
        },
        'request',
      );
    });
    handle(options, request, response).catch((error: unknown) => {
      options.log.error({ err: error, requestId }, 'a request broke off');
      if (response.headersSent) response.destroy();
      else
        answer(response, 500, { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong.' });
    });
  });
  return server.on('clientError', answerUnreadable);
}

/** What Node's parser refuses is no request yet; where a URL is too long, its sender learns it as on other doors. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const refused = isTooLarge ? tooLarge() : refuse('BAD_REQUEST', 'This is no HTTP request.');
  const body = JSON.stringify({ errors: [refused] });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function handle(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request);
  if (allowOrigin(options.origins, request, response)) return;
  const [, door, token = ''] = /^\/(callbacks|uploads)\/([^/]+)$/.exec(path) ?? [];
  if (door !== undefined) return handleToken(options, { door, token, request, response });
  if (path === '/graphql' || path.startsWith('/graphql/'))
    return handleGraphQL(options, request, response);
  if (path === '/livez') return answer(response, 200, { status: 'ok' });
  if (path === '/readyz') return handleReady(options, response);
  if (path === '/metrics') return options.metrics.answer(response);
  if (path === '/' && options.hasGraphiql) {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  answer(response, 404, { code: 'NOT_FOUND', message: 'There is nothing here.' });
}

async function handleGraphQL(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { accept } = request.headers;
  if (accept !== undefined) request.headers.accept = byPreference(accept) ?? 'none';
  const refused = refuseByHead(request, options.origins);
  if (refused !== null) {
    const { status, code, message } = refused;
    return answer(response, status, { errors: [{ message, extensions: { code } }] });
  }
  await options.yoga.handle(request, response);
}

async function handleReady(options: HttpOptions, response: ServerResponse): Promise<void> {
  try {
    await options.checkReady();
    answer(response, 200, { status: 'ready' });
  } catch (error) {
    options.log.warn({ err: error }, 'not ready');
    answer(response, 503, { status: 'not ready' });
  }
}

/** Lets the pages of configured origins in. True where that was all: the request was a preflight. */
function allowOrigin(
  origins: OriginRules,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { origin } = request.headers;
  if (origin !== undefined && isKnownOrigin(request.headers, origins)) {
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-headers', allowedHeaders);
    response.setHeader('access-control-allow-methods', 'GET, POST, PUT, DELETE');
    response.setHeader('access-control-expose-headers', requestIdHeader);
    response.setHeader('access-control-max-age', '600');
  }
  response.setHeader('vary', 'origin');
  if (request.method !== 'OPTIONS') return false;
  response.writeHead(204).end();
  return true;
}

async function handleToken(
  options: HttpOptions,
  call: { door: string; token: string; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const { door, token, request, response } = call;
  if (door === 'callbacks' && allows('POST', request, response)) {
    await options.callbacks(request, response, token);
  }
  if (door === 'uploads' && allows('PUT', request, response)) {
    await options.uploads(request, response, token);
  }
}

/** Whether the door takes this method; where not, it has been answered. */
function allows(method: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method === method) return true;
  response.setHeader('allow', method);
  answer(response, 405, { code: 'METHOD_NOT_ALLOWED', message: `Send ${method}.` });
  return false;
}

/** A name for the request in answers and logs: the caller's own, where it is one. */
function nameRequest(request: IncomingMessage): string {
  const given = request.headers[requestIdHeader];
  const name = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  request.headers[requestIdHeader] = name;
  return name;
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?')[0] ?? '/';
}

/**
 * The token of a callback or upload is a secret, and a log is no place for one: also where a proxy or a typing error left
 * something else around the path, so that it opens nothing here.
 */
function withoutToken(path: string): string {
  return path.replace(/(\/(?:callbacks|uploads)\/+)[^/].*/i, '$1…');
}

function secure(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('x-frame-options', 'DENY');
  // Of an answer that a browser should take for a page; the one page that there is brings its own.
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('cross-origin-resource-policy', 'same-site');
  response.setHeader('cache-control', 'no-store');
}

function answer(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(body));
}
