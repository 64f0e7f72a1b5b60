import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { endAfterBody } from '../../end-after-body.ts';
import { isTemporarilyUnavailable, unavailableRetrySeconds } from '../../unavailable.ts';
import {
  type RequestErrorCode,
  stripHttpExtension,
  unavailableError,
} from '../operation/request-error.ts';
import { requestTooLargeError } from '../operation/request-params.ts';
import { securityHeaders } from './response.ts';

/** Closing at once would reset the connection before the client has read the response. */
const closeAfterMs = 1_000;

const jsonType = 'application/json; charset=utf-8';

export function sendJson(response: ServerResponse, status: number, body: object): void {
  const headers = { 'content-type': jsonType };
  endAfterBody(response, { status, text: JSON.stringify(body), headers });
}

/** Answers a request whose handler threw. */
export function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else if (isTemporarilyUnavailable(error)) {
    response.setHeader('retry-after', unavailableRetrySeconds);
    sendJson(response, 503, { errors: stripHttpExtension([unavailableError()]) });
  } else {
    sendJson(response, 500, { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong.' });
  }
}

/** The body of a request that is rejected before GraphQL sees it. */
export function errorBody(code: string, message: string): object {
  return { errors: [{ message, extensions: { code } }] };
}

/** Sends a response on a socket that has no `ServerResponse`: after a parse error, or for a rejected upgrade. Then closes. */
export function sendJsonAndClose(
  socket: Duplex,
  { status, body, headers }: { status: number; body: object; headers?: Record<string, string> },
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const text = JSON.stringify(body);
  const allHeaders = {
    connection: 'close',
    ...securityHeaders,
    'content-type': jsonType,
    'content-length': `${Buffer.byteLength(text)}`,
    ...headers,
  };
  const lines = Object.entries(allHeaders).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', text].join('\r\n'));
  // A client that keeps its side open would keep the connection open.
  const timer = setTimeout(() => socket.destroy(), closeAfterMs);
  socket.once('close', () => clearTimeout(timer));
}

export const notFoundBody = { code: 'NOT_FOUND', message: 'Not found.' };
export const foreignOriginBody = errorBody(
  'FOREIGN_ORIGIN',
  'This origin is not allowed. Add it to CORS_ORIGINS to allow its pages.',
);
export const tokenInUrlBody = errorBody(
  'TOKEN_IN_URL',
  'Send the token in a header: URLs are kept in logs and browser histories.',
);

const timeoutBody = errorBody('REQUEST_TIMEOUT', 'The request did not arrive in time.');

/** Answers input that Node's HTTP parser rejects. */
export function handleClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    sendJsonAndClose(socket, { status: 408, body: timeoutBody });
  } else if (error.code === 'HPE_HEADER_OVERFLOW') {
    // The same error as for a body that is too large: a GET query is in the URL.
    sendJsonAndClose(socket, { status: 431, body: { errors: [requestTooLargeError()] } });
  } else {
    const body = errorBody('BAD_REQUEST' satisfies RequestErrorCode, 'Invalid HTTP request.');
    sendJsonAndClose(socket, { status: 400, body });
  }
}

export function sendRequestTimeout(response: ServerResponse): void {
  response.setHeader('connection', 'close');
  sendJson(response, 408, timeoutBody);
}

/** False: the method is not allowed, and the response is sent. */
export function checkMethod(
  allowed: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (allowed.includes(request.method ?? '')) return true;
  response.setHeader('allow', allowed.join(', '));
  sendJson(response, 405, { code: 'METHOD_NOT_ALLOWED', message: `Send ${allowed[0]}.` });
  return false;
}

/** The path of the request, without its query. */
export function pathOf(request: IncomingMessage): string {
  const { url = '/' } = request;
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}
