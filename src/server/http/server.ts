import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../log.ts';
import { type Pipeline, requestIdHeader } from '../operation/pipeline.ts';
import { checkHead } from './head-checks.ts';
import type { Metrics } from './metrics.ts';
import { normalizeAccept } from './negotiation.ts';
import { csrfHeaders, isAllowedOrigin, type OriginRules } from './origin.ts';
import {
  errorBody,
  handleClientError,
  notFoundBody,
  sendJson,
  setSecurityHeaders,
} from './responses.ts';
import { type ClientTimeouts, defaultClientTimeouts, enforceTimeouts } from './timeouts.ts';

/** Handles a request with a token in its path, which is its only credential. */
type TokenHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

export type HttpOptions = {
  pipeline: Pipeline;
  callbacks: TokenHandler;
  uploads: TokenHandler;
  origins: OriginRules;
  /** Throws while this process can't serve requests. */
  checkReady: () => Promise<void>;
  hasGraphiql: boolean;
  metrics: Metrics;
  log: Log;
  /** Default: `defaultClientTimeouts`. */
  clientTimeouts?: ClientTimeouts | undefined;
};

/** `retry-after` says when a rejected upload can be tried again. */
const exposedHeaders = `${requestIdHeader}, retry-after`;
const allowedHeaders = [
  ...['content-type', 'authorization', 'last-event-id', requestIdHeader],
  ...csrfHeaders,
].join(', ');

/** Serves every HTTP endpoint of the process. `attachWebSocketServer` adds WebSockets to the same server. */
export function createHttpServer(options: HttpOptions): Server {
  const { clientTimeouts = defaultClientTimeouts } = options;
  const limits = {
    // Node would cut every request after five minutes, and large uploads take longer. `enforceTimeouts` limits the others.
    requestTimeout: 0,
    headersTimeout: clientTimeouts.headersMs,
    connectionsCheckingInterval: clientTimeouts.headersMs,
    // Node's own rejection has no security headers; `checkProtocol` does it instead.
    requireHostHeader: false,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now();
    const requestId = assignRequestId(request);
    const path = pathOf(request);
    response.setHeader(requestIdHeader, requestId);
    setSecurityHeaders(response);
    response.once('close', () => {
      const ms = performance.now() - startedAt;
      void options.metrics.observe(request, response, ms / 1000);
      options.log.info(
        {
          requestId,
          method: request.method,
          path: pathForLog(path),
          status: response.statusCode,
          ms: Math.round(ms),
        },
        'request',
      );
    });
    handle({ ...options, clientTimeouts }, request, response).catch((error: unknown) => {
      options.log.error({ err: error, requestId }, 'request failed');
      if (response.headersSent) response.destroy();
      else {
        const body = { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong.' };
        sendJson(response, 500, body);
      }
    });
  };
  return createServer(limits, listener)
    .on('clientError', handleClientError)
    .on('checkExpectation', listener);
}

async function handle(
  options: HttpOptions & { clientTimeouts: ClientTimeouts },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request);
  if (!checkProtocol(request, response)) return;
  if (handleCors(options.origins, request, response)) return;
  const [, endpoint, token = ''] = /^\/(callbacks|uploads)\/([^/]+)$/.exec(path) ?? [];
  if (endpoint !== 'uploads') enforceTimeouts(request, response, options.clientTimeouts);
  if (endpoint !== undefined) {
    return handleToken(options, { endpoint, token, request, response });
  }
  if (/^\/graphql\/?$/.test(path)) return handleGraphQL(options, request, response);
  if (/^\/(livez|readyz|metrics)$/.test(path)) return handleProbe(options, request, response);
  if (path === '/' && options.hasGraphiql) {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  sendJson(response, 404, notFoundBody);
}

async function handleGraphQL(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.headers.accept = normalizeAccept(request.headers);
  const rejection = checkHead(request, options);
  if (rejection !== null) {
    return sendJson(response, rejection.status, rejection.body);
  }
  await options.pipeline.handle(request, response);
}

/** Checks what HTTP itself requires of a request. False: it was rejected, and the response is sent. */
function checkProtocol(request: IncomingMessage, response: ServerResponse): boolean {
  const { host, expect } = request.headers;
  if (expect !== undefined && !/^100-continue$/i.test(expect)) {
    sendJson(response, 417, errorBody('BAD_REQUEST', 'Unsupported Expect header.'));
    return false;
  }
  if (host === undefined && request.httpVersion !== '1.0') {
    sendJson(response, 400, errorBody('BAD_REQUEST', 'The Host header is missing.'));
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
  if (!checkMethod(method, request, response)) return;
  const path = pathOf(request);
  if (path === '/livez') return sendJson(response, 200, { status: 'ok' });
  if (path === '/metrics') return options.metrics.send(response);
  return handleReady(options, response);
}

async function handleReady(options: HttpOptions, response: ServerResponse): Promise<void> {
  try {
    await options.checkReady();
    sendJson(response, 200, { status: 'ready' });
  } catch (error) {
    options.log.warn({ err: error }, 'not ready');
    sendJson(response, 503, { status: 'not ready' });
  }
}

/** Sets the CORS headers for allowed origins. True: the request was a preflight, and the response is sent. */
function handleCors(
  origins: OriginRules,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { origin } = request.headers;
  if (origin !== undefined && isAllowedOrigin(request.headers, origins)) {
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
  call: { endpoint: string; token: string; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const { endpoint, token, request, response } = call;
  if (endpoint === 'callbacks' && checkMethod('POST', request, response)) {
    await options.callbacks(request, response, token);
  }
  if (endpoint === 'uploads' && checkMethod('PUT', request, response)) {
    await options.uploads(request, response, token);
  }
}

/** False: the method is not allowed, and the response is sent. */
function checkMethod(method: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method === method) return true;
  response.setHeader('allow', method);
  sendJson(response, 405, { code: 'METHOD_NOT_ALLOWED', message: `Send ${method}.` });
  return false;
}

/** Uses the caller's own request id if it is safe to log, and a new one otherwise. */
function assignRequestId(request: IncomingMessage): string {
  const given = request.headers[requestIdHeader];
  const id = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  request.headers[requestIdHeader] = id;
  return id;
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?')[0] ?? '/';
}

/** The paths of this server that contain nothing of a caller. */
const fixedPaths = new Set(['/', '/graphql', '/graphql/', '/livez', '/readyz', '/metrics']);

/**
 * The path without anything that the client chose: tokens of callbacks and uploads are credentials, and a proxy or a
 * typing error can put a token or a password into a path that this server does not have.
 */
function pathForLog(path: string): string {
  if (fixedPaths.has(path)) return path;
  const [, endpoint] = /^\/+(callbacks|uploads)\//i.exec(path) ?? [];
  return endpoint === undefined ? '…' : `/${endpoint.toLowerCase()}/…`;
}
