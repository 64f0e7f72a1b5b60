import type { GraphQLError } from 'graphql';
import type { FetchAPI } from 'graphql-yoga';
import { maxDiscardedBytes } from '../../end-after-body.ts';
import { unavailableRetrySeconds } from '../../unavailable.ts';
import { requestError, stripHttpExtension, unavailableError } from './request-error.ts';

/**
 * The size limit of one request on every transport, without the files of a multipart request. It is many times what the
 * largest document and its variables need.
 */
export const maxRequestBytes = 1_000_000;

/** The HTTP server sets this header on every request and response. Errors and log lines carry its value. */
export const requestIdHeader = 'x-request-id';

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
  return 'query' in params && isText(params.query) ? undefined : noDocumentError(params);
}

function noDocumentError(params: object): GraphQLError {
  return hasDocumentHash(params)
    ? documentHashError()
    : requestError('BAD_REQUEST', 'The parameter "query" is missing.');
}

/** Apollo's automatic persisted queries send a hash first, and the document after this error. */
function hasDocumentHash(params: object): boolean {
  const { extensions } = params as { extensions?: { persistedQuery?: { sha256Hash?: unknown } } };
  return isText(extensions?.persistedQuery?.sha256Hash);
}

function documentHashError(): GraphQLError {
  // Apollo's clients recognise the code or this message.
  const error = requestError('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported');
  Object.assign(error.extensions, { http: { status: 200 } });
  return error;
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

export function unavailableResponse(api: FetchAPI): Response {
  const response = requestErrorResponse(api, [unavailableError()], 503);
  response.headers.set('retry-after', `${unavailableRetrySeconds}`);
  return response;
}

/** Multipart requests are checked by `useMultipartRules` instead. */
export function isMultipart({ headers }: Pick<Request, 'headers'>): boolean {
  return /^multipart\/form-data\b/i.test(headers.get('content-type') ?? '');
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
    if (isTooLarge) return null;
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && Buffer.isBuffer(only) ? only : Buffer.concat(this.#chunks);
  }
}

export async function readBody(body: ReadableStream<Uint8Array> | null): Promise<Buffer | null> {
  const collector = new BodyCollector();
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    if (!collector.add(chunk)) return null;
  }
  return collector.end();
}
