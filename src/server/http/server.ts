import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isPromise, type MaybePromise } from '../../graphql/execution/maybe-promise.ts';
import { type Log, lineShare } from '../../log.ts';
import type { McpHandler } from '../mcp/handler.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import { requestIdHeader } from '../operation/request-params.ts';
import { newRequestId } from '../request-id.ts';
import { checkSize } from './body-size.ts';
import { checkHead, checkSender, type SenderRules } from './head-checks.ts';
import { normalizeAccept } from './negotiation.ts';
import { csrfHeaders, isAllowedOrigin, type OriginRules } from './origin.ts';
import { handleProbe, type ProbeOptions } from './probes.ts';
import { HttpResponse } from './response.ts';
import {
  checkMethod,
  errorBody,
  handleClientError,
  notFoundBody,
  pathOf,
  sendFailure,
  sendJson,
} from './responses.ts';
import { type ClientTimeouts, defaultClientTimeouts, RequestTimeouts } from './timeouts.ts';

/** Handles a request with a token in its path, which is its only credential. */
type TokenHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

export type HttpOptions = SenderRules &
  ProbeOptions & {
    pipeline: Pipeline;
    /** Null: there is no `/mcp`. */
    mcp: McpHandler | null;
    callbacks: TokenHandler;
    uploads: TokenHandler;
    /** Null: there are no permanent URLs. */
    results: TokenHandler | null;
    log: Log;
    /** Default: `defaultClientTimeouts`. */
    clientTimeouts?: ClientTimeouts | undefined;
  };

/** `retry-after` says when a rejected upload can be tried again. */
const exposedHeaders = `${requestIdHeader}, retry-after`;
const allowedHeaders = [
  ...['content-type', 'authorization', 'last-event-id', requestIdHeader],
  // Browsers allow simple values without being asked: `cache-control: no-cache` and a quoted `subscriptionSpec` are not simple.
  ...['accept', 'cache-control'],
  // Apollo Client sends them if it has a `name` and a `version`.
  ...['apollographql-client-name', 'apollographql-client-version'],
  // The trace of W3C Trace Context. `baggage` is not read here, and it may say more about a user than a server should get.
  ...['traceparent', 'tracestate'],
  ...['mcp-protocol-version', 'mcp-method', 'mcp-name'],
  ...csrfHeaders,
].join(', ');

/** Serves every HTTP endpoint of the process. `attachWebSocketServer` adds WebSockets to the same server. */
export function createHttpServer(options: HttpOptions): Server {
  const { clientTimeouts = defaultClientTimeouts } = options;
  const timeouts = new RequestTimeouts(clientTimeouts);
  const limits = {
    ServerResponse: HttpResponse,
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
  const listener = (request: IncomingMessage, response: HttpResponse) => {
    const startedAt = performance.now();
    const requestId = assignRequestId(request);
    response.requestId = requestId;
    const hasBodyLimits = request.method !== 'PUT' || !isUploadPath(pathOf(request));
    // Started before any response, because a client could also send its body slowly after one.
    const stopTimeouts = timeouts.watch(request, response, { hasBodyLimits });
    response.on('close', () => {
      stopTimeouts();
      const ms = performance.now() - startedAt;
      const path = pathForLog(pathOf(request));
      options.metrics.observe(request, response, ms / 1000);
      options.log.info(
        {
          requestId,
          method: request.method,
          path,
          status: response.statusCode,
          ms: Math.round(ms),
          // By endpoint and class of status: many requests of one kind must not hide the failures among the others.
          [lineShare]: `${path} ${Math.floor(response.statusCode / 100)}`,
        },
        'request',
      );
    });
    const fail = (error: unknown) => {
      options.log.error({ err: error, requestId }, 'request failed');
      sendFailure(response, error);
    };
    try {
      const handled = handle(options, request, response);
      if (isPromise(handled)) handled.catch(fail);
    } catch (error) {
      fail(error);
    }
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

function handle(
  options: HttpOptions,
  request: IncomingMessage,
  response: HttpResponse,
): MaybePromise<void> {
  response.corsHeaders = corsHeadersFor(request, options.origins);
  const rejection = checkSender(request, options) ?? checkSize(request);
  if (rejection !== null) return sendJson(response, rejection.status, rejection.body);
  if (!checkExpectation(request, response)) return;
  if (request.method === 'OPTIONS') {
    response.writeHead(204).end();
    return;
  }
  const path = pathOf(request);
  return path === '/graphql' || path === '/graphql/'
    ? handleGraphQL(options, request, response)
    : route(options, path, { request, response });
}

async function route(
  options: HttpOptions,
  path: string,
  { request, response }: { request: IncomingMessage; response: HttpResponse },
): Promise<void> {
  const [, endpoint, token = ''] = /^\/(callbacks|uploads|results)\/([^/]+)$/.exec(path) ?? [];
  if (endpoint !== undefined) {
    return handleToken(options, { endpoint, token, request, response });
  }
  if (path === '/mcp' && options.mcp !== null) {
    // There is no session that a GET could listen to, or a DELETE could end.
    if (checkMethod(['POST'], request, response)) await options.mcp(request, response);
    return;
  }
  if (/^\/(livez|readyz|metrics)$/.test(path)) return handleProbe(options, request, response);
  if (path === '/' && options.hasGraphiql) {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  sendJson(response, 404, notFoundBody);
}

function handleGraphQL(
  options: HttpOptions,
  request: IncomingMessage,
  response: HttpResponse,
): MaybePromise<void> {
  if (request.method !== 'GET' && request.method !== 'POST') {
    response.setHeader('allow', 'GET, POST');
    return sendJson(response, 405, errorBody('BAD_REQUEST', 'Send GET or POST.'));
  }
  request.headers.accept = normalizeAccept(request.headers);
  const rejection = checkHead(request, options.hasGraphiql);
  if (rejection !== null) {
    return sendJson(response, rejection.status, rejection.body);
  }
  return options.pipeline.handle(request, response);
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

/** Null: a request without an origin, or of one that is not allowed. */
function corsHeadersFor(request: IncomingMessage, origins: OriginRules): readonly string[] | null {
  const { origin } = request.headers;
  if (origin === undefined || !isAllowedOrigin(request.headers, origins)) return null;
  return [
    ...['access-control-allow-origin', origin],
    ...['access-control-allow-headers', allowedHeaders],
    ...['access-control-allow-methods', 'GET, POST, PUT, DELETE'],
    ...['access-control-expose-headers', exposedHeaders],
    ...['access-control-max-age', '600'],
  ];
}

async function handleToken(
  options: HttpOptions,
  call: { endpoint: string; token: string; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const { endpoint, token, request, response } = call;
  if (endpoint === 'callbacks' && checkMethod(['POST'], request, response)) {
    await options.callbacks(request, response, token);
  }
  if (endpoint === 'uploads' && checkMethod(['PUT'], request, response)) {
    await options.uploads(request, response, token);
  }
  if (endpoint === 'results') {
    if (options.results === null) return sendJson(response, 404, notFoundBody);
    if (checkMethod(['GET', 'HEAD'], request, response))
      await options.results(request, response, token);
  }
}

/** Uses the caller's own request id if it is safe to log, and a new one otherwise. */
function assignRequestId(request: IncomingMessage): string {
  const given = request.headers[requestIdHeader];
  const id = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : newRequestId();
  request.headers[requestIdHeader] = id;
  return id;
}

function isUploadPath(path: string): boolean {
  return /^\/uploads\/[^/]+$/.test(path);
}

/** The paths of this server that contain nothing of a caller. */
const fixedPaths = new Set(['/', '/graphql', '/graphql/', '/mcp', '/livez', '/readyz', '/metrics']);

/**
 * The path without anything that the client chose: tokens of callbacks, uploads and results are credentials, and a proxy or a
 * typing error can put a token or a password into a path that this server does not have.
 */
function pathForLog(path: string): string {
  if (fixedPaths.has(path)) return path;
  const [, endpoint] = /^\/+(callbacks|uploads|results)\//i.exec(path) ?? [];
  return endpoint === undefined ? '…' : `/${endpoint.toLowerCase()}/…`;
}
