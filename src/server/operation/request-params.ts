import { isAsyncIterable } from '@envelop/core';
import { GraphQLError } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Log } from '../../log.ts';
import { maskError } from './masking.ts';
import type { PipelinePlugin } from './plugin.ts';
import { isRejectedResult, requestError, stripHttpExtension } from './request-error.ts';
import { checkJsonValues, checkSearchValues } from './value-limits.ts';

/**
 * The size limit of one request on every transport, without the files of a multipart request. It is many times what the
 * largest document and its variables need.
 */
export const maxRequestBytes = 1_000_000;

/** The HTTP server sets this header on every request and response. Errors and log lines carry its value. */
export const requestIdHeader = 'x-request-id';

/** How much of a rejected body is read and discarded, so that the client can finish sending and read the error. */
export const maxDiscardedBytes = 64 * 1024 ** 2;

export function requestTooLargeError(): GraphQLError {
  return requestError('REQUEST_TOO_LARGE', 'The request is too large.');
}

export function batchingError(): GraphQLError {
  return requestError(
    'BATCHING_REFUSED',
    'This server does not accept batches. Send one operation per request.',
  );
}

export function invalidJsonError(): GraphQLError {
  return requestError('BAD_REQUEST', 'The request is not valid JSON.');
}

export function mutationByGetError(): GraphQLError {
  const message = 'Can only perform a mutation operation from a POST request.';
  const error = requestError('BAD_REQUEST', message);
  Object.assign(error.extensions, { http: { status: 405, headers: { Allow: 'POST' } } });
  return error;
}

const isText = (value: unknown) => typeof value === 'string';
const isRecord = (value: unknown) => typeof value === 'object' && !Array.isArray(value);

const parameters = new Map([
  ['query', isText],
  ['operationName', isText],
  ['variables', isRecord],
  ['extensions', isRecord],
]);

/**
 * Checks the parameters of an operation, so that all transports reject them with the same messages. Parameters that are
 * null are ignored, also unknown ones: some clients send them.
 */
export function checkParams(params: object): GraphQLError | undefined {
  // Yoga's multipart parser can return any JSON value.
  if (typeof params !== 'object' || params === null) return invalidJsonError();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    const hasType = parameters.get(name);
    if (hasType === undefined) return requestError('BAD_REQUEST', `Unknown parameter "${name}".`);
    if (!hasType(value)) {
      return requestError('BAD_REQUEST', `The parameter "${name}" has the wrong type.`);
    }
  }
  return 'query' in params && isText(params.query)
    ? undefined
    : requestError('BAD_REQUEST', 'The parameter "query" is missing.');
}

/** Replaces Yoga's errors about invalid JSON: over POST they quote the body, over GET they count as server errors. */
async function parseOrReject<T>(parse: () => T): Promise<Awaited<T>> {
  try {
    return await parse();
  } catch (thrown) {
    const quotesBody =
      thrown instanceof GraphQLError && thrown.extensions.originalError !== undefined;
    throw quotesBody || thrown instanceof SyntaxError
      ? setHttpStatus(invalidJsonError(), 400)
      : thrown;
  }
}

/** Validates HTTP requests before they become operations, and sets the HTTP status of rejected ones. */
export function useRequestRules(log: Log): PipelinePlugin {
  const rejections = new WeakMap<Request, GraphQLError>();
  return {
    instrumentation: {
      // Without this Yoga sends the stack of an exception in one of its hooks to the client.
      async request({ request }, handle) {
        try {
          await handle();
        } catch (thrown) {
          throw maskHookError(thrown, { log, request });
        }
      },
    },
    async onRequest({ request, setRequest, endResponse, fetchAPI }) {
      if (request.method !== 'POST' || isMultipart(request)) return;
      const body = await readBody(request.body);
      if (body === null) {
        return endResponse(requestErrorResponse(fetchAPI, [requestTooLargeError()], 413));
      }
      const parsable = replaceBody(fetchAPI, request, body.toString('utf8'));
      const rejection = checkJsonValues(body, 1);
      if (rejection !== undefined) rejections.set(parsable, rejection);
      setRequest(parsable);
    },
    onRequestParse({ request, requestParser, setRequestParser }) {
      if (requestParser === undefined) return;
      const rejection =
        request.method === 'GET'
          ? checkSearchValues(new URL(request.url).searchParams)
          : rejections.get(request);
      setRequestParser(async (request) => {
        if (rejection !== undefined) throw setHttpStatus(rejection);
        const params = await parseOrReject(() => requestParser(request));
        const error = Array.isArray(params) ? batchingError() : checkParams(params);
        if (error !== undefined) throw setHttpStatus(error, 400);
        return params;
      });
    },
    onExecutionResult({ result, setResult }) {
      if (result !== undefined && isRejectedResult(result)) {
        setResult({ errors: result.errors.map((error) => setHttpStatus(error)) });
      }
    },
    onResultProcess({ result, resultProcessor, setResult, setResultProcessor }) {
      if (resultProcessor !== undefined || !isAsyncIterable(result)) return;
      // End the subscription: no response will read it.
      void result[Symbol.asyncIterator]().return?.();
      const error = requestError(
        'NOT_ACCEPTABLE',
        'A subscription over HTTP needs Accept: text/event-stream.',
      );
      setResult({ errors: [setHttpStatus(error, 406)] });
      setResultProcessor(processRegularResult, 'application/json');
    },
  };
}

/**
 * Sets the HTTP status of an error by the GraphQL-over-HTTP specification. Without `status` it is 400, and only for
 * clients that accept `application/graphql-response+json`; others get 200. An error with `retryAfterSeconds` is 429.
 */
export function setHttpStatus(error: GraphQLError, status?: number): GraphQLError {
  const { extensions } = error;
  if (extensions.http !== undefined) return error;
  const { retryAfterSeconds: seconds } = extensions;
  const http =
    typeof seconds === 'number'
      ? { spec: true, status: 429, headers: { 'retry-after': `${seconds}` } }
      : { spec: status === undefined, status: status ?? 400 };
  Object.assign(extensions, { http });
  return error;
}

export function requestErrorResponse(
  { Response }: FetchAPI,
  errors: readonly GraphQLError[],
  status = 400,
): Response {
  const body = JSON.stringify({ errors: stripHttpExtension(errors) });
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
  });
}

/** The content type is lowercased because Yoga compares it case-sensitively. */
function replaceBody({ Request, Headers }: FetchAPI, request: Request, body: string): Request {
  const { method, url, signal } = request;
  const headers = new Headers(request.headers);
  headers.set('content-type', (headers.get('content-type') ?? '').toLowerCase());
  return new Request(url, { method, headers, signal, body });
}

/** Multipart requests are checked by `useMultipartRules` instead. */
export function isMultipart({ headers }: Pick<Request, 'headers'>): boolean {
  return /^multipart\/form-data\b/i.test(headers.get('content-type') ?? '');
}

/** Yoga sends the `stack` of a thrown error as the body, with its `status`. */
function maskHookError(thrown: unknown, { log, request }: { log: Log; request: Request }): Error {
  const requestId = request.headers.get(requestIdHeader) ?? undefined;
  const stack = JSON.stringify({ errors: [maskError(thrown, log, { requestId })] });
  return Object.assign(new Error('masked'), { stack, status: 500 });
}

/**
 * A body arrives in pieces of over a kilobyte, and each costs time and memory whatever its size. A client that sends a
 * megabyte in chunks of a byte would take seconds and hundreds of megabytes.
 */
const maxPieces = 8_192;

/** The pieces of a body, within the limits. */
export class BodyCollector {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #pieces = 0;

  /** False: the rest need not be read, and the body is rejected. */
  add(chunk: Uint8Array): boolean {
    this.#bytes += chunk.byteLength;
    this.#pieces += 1;
    if (this.#bytes <= maxRequestBytes) this.#chunks.push(chunk);
    return this.#pieces <= maxPieces && this.#bytes <= maxDiscardedBytes;
  }

  /** The whole body; null if it is too large, or in too many pieces. */
  end(): Buffer | null {
    const isTooLarge = this.#bytes > maxRequestBytes || this.#pieces > maxPieces;
    return isTooLarge ? null : Buffer.concat(this.#chunks);
  }
}

export async function readBody(body: ReadableStream<Uint8Array> | null): Promise<Buffer | null> {
  const collector = new BodyCollector();
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    if (!collector.add(chunk)) return null;
  }
  return collector.end();
}
