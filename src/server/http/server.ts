import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../log.ts';
import { requestIdHeader, type Yoga } from '../operation/pipeline.ts';
import { refuseByHead } from './head-checks.ts';
import type { Metrics } from './metrics.ts';
import { byPreference } from './negotiation.ts';
import { isKnownOrigin, type OriginRules } from './origin.ts';
import { answer, answerUnreadable, nothingHere, protect, refusal } from './responses.ts';
import { hurry, type Patience, usualPatience } from './timeouts.ts';

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
  /** Default: `usualPatience`. */
  patience?: Patience | undefined;
};

/** `retry-after` tells a page when a refused upload may be tried again. */
const exposedHeaders = `${requestIdHeader}, retry-after`;
const allowedHeaders =
  'content-type, authorization, last-event-id, x-request-id, x-csrf, apollo-require-preflight, graphql-require-preflight';

/** Every HTTP door of the process on one server; WebSockets are added to it by `websocket.ts`. */
export function createHttpServer(options: HttpOptions): Server {
  const { patience = usualPatience } = options;
  const limits = {
    // Node would cut every request after five minutes, and a large upload takes longer: `hurry` bounds the others.
    requestTimeout: 0,
    headersTimeout: patience.headersMs,
    connectionsCheckingInterval: patience.headersMs,
    // Node would refuse them by itself, without the headers that protect.
    requireHostHeader: false,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now();
    const requestId = nameRequest(request);
    const path = pathOf(request);
    response.setHeader(requestIdHeader, requestId);
    protect(response);
    response.once('close', () => {
      const ms = performance.now() - startedAt;
      void options.metrics.observe(request, response, ms / 1000);
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
    handle({ ...options, patience }, request, response).catch((error: unknown) => {
      options.log.error({ err: error, requestId }, 'a request broke off');
      if (response.headersSent) response.destroy();
      else
        answer(response, 500, { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong.' });
    });
  };
  return createServer(limits, listener)
    .on('clientError', answerUnreadable)
    .on('checkExpectation', listener);
}

async function handle(
  options: HttpOptions & { patience: Patience },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request);
  if (!isRequest(request, response)) return;
  if (allowOrigin(options.origins, request, response)) return;
  const [, door, token = ''] = /^\/(callbacks|uploads)\/([^/]+)$/.exec(path) ?? [];
  if (door !== 'uploads') hurry(request, response, options.patience);
  if (door !== undefined) return handleToken(options, { door, token, request, response });
  if (/^\/graphql\/?$/.test(path)) return handleGraphQL(options, request, response);
  if (/^\/(livez|readyz|metrics)$/.test(path)) return handleProbe(options, request, response);
  if (path === '/' && options.hasGraphiql) {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  answer(response, 404, nothingHere);
}

async function handleGraphQL(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { accept } = request.headers;
  // An empty one is like none.
  if (accept?.trim() === '') delete request.headers.accept;
  else if (accept !== undefined) request.headers.accept = byPreference(accept) ?? 'none';
  const refused = refuseByHead(request, options);
  if (refused !== null) {
    return answer(response, refused.status, refused.body);
  }
  await options.yoga.handle(request, response);
}

/** What HTTP itself asks of a request. Where it is none, it has been answered. */
function isRequest(request: IncomingMessage, response: ServerResponse): boolean {
  const { host, expect } = request.headers;
  if (expect !== undefined && !/^100-continue$/i.test(expect)) {
    answer(response, 417, refusal('BAD_REQUEST', 'This server knows no such expectation.'));
    return false;
  }
  if (host === undefined && request.httpVersion !== '1.0') {
    answer(response, 400, refusal('BAD_REQUEST', 'A request says which host it is for.'));
    return false;
  }
  return true;
}

async function handleProbe(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  if (!allows(method, request, response)) return;
  const path = pathOf(request);
  if (path === '/livez') return answer(response, 200, { status: 'ok' });
  if (path === '/metrics') return options.metrics.answer(response);
  return handleReady(options, response);
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
    response.setHeader('access-control-expose-headers', exposedHeaders);
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

/** No path of ours has a longer part that is no secret. */
const longestPart = 24;

/**
 * The token of a callback or upload is a secret, and a log is no place for one: also where a proxy or a typing error left
 * something else around the path, so that it opens nothing here. Nor for a key that somebody took for a part of the path.
 */
function withoutToken(path: string): string {
  return path
    .replace(/(\/(?:callbacks|uploads)\/+)[^/].*/i, '$1…')
    .replace(/[^/]+/g, (part) => (part.length > longestPart ? '…' : part));
}
