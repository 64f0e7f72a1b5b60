import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Log, lineShare } from '../../log.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import { requestIdHeader } from '../operation/request-params.ts';
import { checkSize } from './body-size.ts';
import { checkHead, checkSender, type SenderRules } from './head-checks.ts';
import type { Metrics } from './metrics.ts';
import { normalizeAccept } from './negotiation.ts';
import { csrfHeaders, isAllowedOrigin, type OriginRules } from './origin.ts';
import {
  errorBody,
  handleClientError,
  notFoundBody,
  sendFailure,
  sendJson,
  setSecurityHeaders,
} from './responses.ts';
import { type ClientTimeouts, defaultClientTimeouts, RequestTimeouts } from './timeouts.ts';

/** Handles a request with a token in its path, which is its only credential. */
type TokenHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

export type HttpOptions = SenderRules & {
  pipeline: Pipeline;
  callbacks: TokenHandler;
  uploads: TokenHandler;
  /** Null: there are no permanent URLs. */
  results: TokenHandler | null;
  /** Throws while this process can't serve requests. */
  checkReady: () => Promise<void>;
  metrics: Metrics;
  /** The bearer token of `/metrics`; null: none is required. */
  metricsToken: string | null;
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
  const timeouts = new RequestTimeouts(clientTimeouts);
  const limits = {
    // Node would cut every request after five minutes, and large uploads take longer. `RequestTimeouts` limits the others.
    requestTimeout: 0,
    headersTimeout: clientTimeouts.headersMs,
    connectionsCheckingInterval: clientTimeouts.headersMs,
    // Node's own rejection has no security headers; `checkProtocol` does it instead.
    requireHostHeader: false,
    // Any other offer, such as `h2c` of some HTTP clients, is ignored as HTTP requires, and the request is served.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      /^websocket$/i.test(headers.upgrade ?? ''),
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now();
    const requestId = assignRequestId(request);
    response.setHeader(requestIdHeader, requestId);
    setSecurityHeaders(response);
    const hasBodyLimits = request.method !== 'PUT' || !isUploadPath(pathOf(request));
    // Before any response: a client could send its body slowly after one too.
    const stopTimeouts = timeouts.watch(request, response, { hasBodyLimits });
    response.once('close', () => {
      stopTimeouts();
      const ms = performance.now() - startedAt;
      options.metrics.observe(request, response, ms / 1000);
      options.log.info(
        {
          requestId,
          method: request.method,
          path: pathForLog(pathOf(request)),
          status: response.statusCode,
          ms: Math.round(ms),
          [lineShare]: shareOfLines(request, response),
        },
        'request',
      );
    });
    handle(options, request, response).catch((error: unknown) => {
      options.log.error({ err: error, requestId }, 'request failed');
      sendFailure(response, error);
    });
  };
  return (
    createServer(limits, listener)
      .on('close', () => timeouts.stop())
      .on('clientError', handleClientError)
      // Without this Node permits a client to send before its request is checked.
      .on('checkContinue', listener)
      .on('checkExpectation', listener)
  );
}

async function handle(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  setCorsHeaders(options.origins, request, response);
  const rejection = checkSender(request, options) ?? checkSize(request);
  if (rejection !== null) return sendJson(response, rejection.status, rejection.body);
  const path = pathOf(request);
  const [, endpoint, token = ''] = /^\/(callbacks|uploads|results)\/([^/]+)$/.exec(path) ?? [];
  if (!checkExpectation(request, response)) return;
  if (request.method === 'OPTIONS') {
    response.writeHead(204).end();
    return;
  }
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
  const rejection = checkHead(request);
  if (rejection !== null) {
    return sendJson(response, rejection.status, rejection.body);
  }
  await options.pipeline.handle(request, response);
}

/** False: the expectation is unknown, and the response is sent. A client that waits for permission to send gets it. */
function checkExpectation({ headers }: IncomingMessage, response: ServerResponse): boolean {
  if (headers.expect === undefined) return true;
  if (/^100-continue$/i.test(headers.expect)) {
    response.writeContinue();
    return true;
  }
  sendJson(response, 417, errorBody('BAD_REQUEST', 'Unsupported Expect header.'));
  return false;
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
  if (path === '/metrics') return handleMetrics(options, request, response);
  return handleReady(options, response);
}

async function handleMetrics(
  { metrics, metricsToken }: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (metricsToken === null || hasBearerToken(request, metricsToken)) return metrics.send(response);
  response.setHeader('www-authenticate', 'Bearer');
  sendJson(response, 401, {
    code: 'NOT_AUTHENTICATED',
    message: 'Send METRICS_TOKEN as a bearer token.',
  });
}

/** Compares the hashes in constant time, so that the response time reveals neither the token nor its length. */
function hasBearerToken({ headers }: IncomingMessage, token: string): boolean {
  const [, presented = ''] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(presented), hash(token));
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

/** Sets the CORS headers for allowed origins. */
function setCorsHeaders(
  origins: OriginRules,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader('vary', 'origin');
  const { origin } = request.headers;
  if (origin === undefined || !isAllowedOrigin(request.headers, origins)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-headers', allowedHeaders);
  response.setHeader('access-control-allow-methods', 'GET, POST, PUT, DELETE');
  response.setHeader('access-control-expose-headers', exposedHeaders);
  response.setHeader('access-control-max-age', '600');
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
  if (endpoint === 'results') {
    if (options.results === null) return sendJson(response, 404, notFoundBody);
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
    if (checkMethod(method, request, response)) await options.results(request, response, token);
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

/** By door and class of status: many requests of one kind must not hide the failures among the others. */
function shareOfLines(request: IncomingMessage, { statusCode }: ServerResponse): string {
  return `${pathForLog(pathOf(request))} ${Math.floor(statusCode / 100)}`;
}

function isUploadPath(path: string): boolean {
  return /^\/uploads\/[^/]+$/.test(path);
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?')[0] ?? '/';
}

/** The paths of this server that contain nothing of a caller. */
const fixedPaths = new Set(['/', '/graphql', '/graphql/', '/livez', '/readyz', '/metrics']);

/**
 * The path without anything that the client chose: tokens of callbacks, uploads and results are credentials, and a proxy or a
 * typing error can put a token or a password into a path that this server does not have.
 */
function pathForLog(path: string): string {
  if (fixedPaths.has(path)) return path;
  const [, endpoint] = /^\/+(callbacks|uploads|results)\//i.exec(path) ?? [];
  return endpoint === undefined ? '…' : `/${endpoint.toLowerCase()}/…`;
}
