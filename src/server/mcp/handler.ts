import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline as pipe } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { GraphQLError } from 'graphql';
import { hasToken } from '../http/head-checks.ts';
import { abortOnDisconnect, readBody } from '../http/incoming.ts';
import { hasForeignCharset } from '../http/negotiation.ts';
import { errorBody, sendJson, tokenInUrlBody } from '../http/responses.ts';
import {
  batchingError,
  invalidJsonError,
  requestTooLargeError,
} from '../operation/request-params.ts';
import { checkJsonValues } from '../operation/value-limits.ts';
import { openResponse } from '../sse/formats.ts';
import type { McpParts } from './server.ts';

export type McpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Levels of the protocol around the arguments of a tool, which are counted as variables are: the message and `params`. */
const envelopeDepth = 2;

/** Answers a POST to `/mcp`: the checks of a request to `/graphql`, and then the protocol. */
export function createMcpHandler(parts: McpParts): McpHandler {
  let opening: Promise<ReturnType<typeof import('./server.ts').createMcpServer>> | undefined;
  return async (request, response) => {
    const { url = '', headers } = request;
    if (hasToken(url)) return sendJson(response, 400, tokenInUrlBody);
    if (!isJson(headers['content-type']) || hasForeignCharset(headers)) {
      return sendJson(response, 415, unsupportedTypeBody);
    }
    const body = await readBody(request);
    // The client has disconnected.
    if (body === undefined) return;
    if (body === null) return reject(response, 413, requestTooLargeError());
    const message = parseMessage(body);
    if ('error' in message) return reject(response, 400, message.error);
    // The SDK is large, and most processes never need it.
    opening ??= import('./server.ts').then(({ createMcpServer }) => createMcpServer(parts));
    const server = await opening;
    await send(await server.handle(message.value, toFetch(request, response), response), response);
  };
}

const unsupportedTypeBody = errorBody(
  'UNSUPPORTED_CONTENT_TYPE',
  'Send application/json in UTF-8.',
);

function isJson(type = ''): boolean {
  return /^application\/json\s*(;|$)/i.test(type);
}

function reject(response: ServerResponse, status: number, error: GraphQLError): void {
  sendJson(response, status, { errors: [error] });
}

function parseMessage(body: Buffer): { value: object } | { error: GraphQLError } {
  const error = checkJsonValues(body, envelopeDepth);
  if (error !== undefined) return { error };
  if (!isUtf8(body)) return { error: invalidJsonError() };
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (Array.isArray(value)) return { error: batchingError() };
    if (typeof value === 'object' && value !== null) return { value };
  } catch {}
  return { error: invalidJsonError() };
}

/** Without the body, which is parsed already. */
function toFetch({ method = 'POST', headers }: IncomingMessage, response: ServerResponse): Request {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): [string, string] => [name, each]),
  );
  // The SDK reads only the headers; the caller chose the target.
  return new Request('http://localhost/mcp', {
    method,
    headers: lines,
    signal: abortOnDisconnect(response),
  });
}

async function send({ status, headers, body }: Response, response: ServerResponse): Promise<void> {
  if (response.destroyed) {
    await body?.cancel();
    return;
  }
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
  // The security headers are set already, `cache-control` among them.
  headers.delete('cache-control');
  response.writeHead(status, {
    ...Object.fromEntries(headers),
    ...(isStream ? openResponse : {}),
  });
  if (body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  // Rejects if the client disconnects, which also cancels the body.
  await pipe(Readable.fromWeb(body as ReadableStream), response).catch(() => undefined);
}
