import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { GraphQLError } from 'graphql';
import type { FetchAPI } from 'graphql-yoga';
import { discardBody } from '../../end-after-body.ts';
import type { Scope } from '../../graphql/context.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { PipelinePlugin } from './plugin.ts';
import { type RequestErrorCode, requestError } from './request-error.ts';
import {
  isMultipart,
  maxRequestBytes,
  readBody,
  requestErrorResponse,
  requestTooLargeError,
  setHttpStatus,
} from './request-params.ts';
import { checkJsonValues } from './value-limits.ts';

/** 25 MB of files, as documented, and the size limit of any other request for the fields beside them. */
export const maxMultipartBytes = 25 * 1024 ** 2 + maxRequestBytes;

/**
 * Multipart requests held in memory at once: at most 400 MB for all callers together, and 100 MB for one owner. An owner
 * needs several only if it sends many files at the same time, and `createUpload` streams those instead.
 */
const slotLimits = { all: 16, perOwner: 4 };

/** The scope of the fields with a `File` argument. */
const uploadScope: Scope = 'lipsync:write';

/**
 * The format has two fields, `operations` and `map`, and a document has at most 31 fields that take a file. Without a limit
 * a body of a million empty parts would block the process for seconds.
 */
const formDataLimits = { fields: 10, files: 100, parts: 110 };

const pieceBytes = 16_384;

/** By then one of the running requests has ended: a normal one is complete, and a slow one has timed out. */
const retryAfterSeconds = 5;

/**
 * Limits multipart requests. Each is held in memory before its operation is known. So a caller without the scope of
 * `uploadAudio` gets the size limit of a JSON request and no slot, and every other owner has a share of the slots. Non-file
 * fields obey the same size limit as a JSON request.
 */
export function useMultipartRules({
  sessions,
}: {
  sessions: Pick<Sessions, 'signIn'>;
}): PipelinePlugin {
  const slots = new OwnerSlots(slotLimits);

  return {
    async onRequest({ request, setRequest, endResponse, fetchAPI, serverContext }) {
      if (request.method !== 'POST' || !isMultipart(request)) return;
      const rejectAsTooLarge = () =>
        endResponse(requestErrorResponse(fetchAPI, [requestTooLargeError()], 413));
      if (Number(request.headers.get('content-length')) > maxMultipartBytes) {
        return rejectAsTooLarge();
      }
      const { owner, scopes } = await sessions.signIn(request.headers.get('authorization'));
      if (scopes.has(uploadScope)) {
        const release = slots.acquire(owner);
        if (release === null) return endResponse(tooManyFilesResponse(fetchAPI));
        releaseOnClose(serverContext.res, release);
        return setRequest(withBody(fetchAPI, request, limitBody(serverContext.req)));
      }
      const body = await readBody(request.body);
      if (body === null) return rejectAsTooLarge();
      // In pieces, because the parser can stop at a limit only between two of them.
      setRequest(withBody(fetchAPI, request, Readable.from(splitBody(body))));
    },
    onRequestParse({ request, requestParser, setRequestParser }) {
      if (requestParser === undefined || !isMultipart(request)) return;
      setRequestParser(async (multipart) => {
        try {
          const form = await readForm(multipart);
          checkFields(form);
          // Yoga's parser reads nothing of the request but `formData`, and the body can be read only once.
          return await requestParser({ formData: async () => form } as Request);
        } catch (thrown) {
          throw toRequestError(thrown);
        }
      });
    },
    async onResponse({ request, serverContext }) {
      // The parser stops at the first error. Many clients read the answer only once they have sent the rest.
      if (isMultipart(request)) await discardBody(serverContext.req.unpipe());
    },
  };
}

function withBody({ Request }: FetchAPI, request: Request, body: Readable): Request {
  const { method, url, headers, signal } = request;
  return new Request(url, { method, headers, signal, body: body as unknown as ReadableStream });
}

/** The body as far as the limit, then an error. The connection stays open, so that the error can be sent. */
function limitBody(request: IncomingMessage): Readable {
  let bytes = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.byteLength;
      if (bytes > maxMultipartBytes) done(requestTooLargeError());
      else done(null, chunk);
    },
  });
  // Yoga listens only while it parses the form, and it does not parse every one.
  limited.on('error', () => undefined);
  request.once('close', () => {
    if (!request.readableEnded) limited.destroy(new Error('The client disconnected.'));
  });
  return request.pipe(limited);
}

/** The memory is in use until the response closes. */
function releaseOnClose(response: ServerResponse, release: () => void): void {
  if (response.destroyed) release();
  else response.once('close', release);
}

function tooManyFilesResponse(api: FetchAPI): Response {
  const response = requestErrorResponse(api, [tooManyFilesError()], 503);
  response.headers.set('retry-after', `${retryAfterSeconds}`);
  return response;
}

function tooManyFilesError(): GraphQLError {
  const message = 'Too many requests with files are in progress. Retry later, or use createUpload.';
  return new GraphQLError(message, {
    extensions: {
      code: 'TOO_MANY_FILES' satisfies RequestErrorCode,
      retryable: true,
      retryAfterSeconds,
    },
  });
}

function* splitBody(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.byteLength; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

/** The Request of Yoga accepts limits, which the standard's has not. */
function readForm(request: Request): Promise<FormData> {
  type LimitedRequest = { formData(options: object): Promise<FormData> };
  return (request as unknown as LimitedRequest).formData({ formDataLimits });
}

function checkFields(form: FormData): void {
  const fields = [...form.entries()].flatMap(([name, value]) =>
    typeof value === 'string' ? [{ name, text: Buffer.from(value) }] : [],
  );
  const bytes = fields.reduce((sum, { text }) => sum + text.byteLength, 0);
  if (bytes > maxRequestBytes) throw requestTooLargeError();
  for (const { name, text } of fields) {
    const error = checkJsonValues(text, name === 'operations' ? 1 : 0);
    if (error !== undefined) throw error;
  }
  const [operations, map] = [form.get('operations'), form.get('map')];
  if (typeof operations !== 'string' || typeof map !== 'string') return;
  if (!isValidFileMap(operations, map)) throw new Error('The map has an invalid path.');
}

/**
 * True if every path in the `map` of a multipart request names a field of the operations that is missing, or a field or
 * list item that is null, as the format requires. Yoga assigns to any path. "variables.ids.99999999" would make a list of a
 * hundred million items out of an empty one, "variables.ids.length" too, and coercing it would block the process for
 * minutes; and the limits of values have been checked before.
 *
 * @throws SyntaxError if one of the texts is not JSON
 */
function isValidFileMap(operations: string, map: string): boolean {
  const root: unknown = JSON.parse(operations);
  const lists: unknown[] = Object.values((JSON.parse(map) as object | null) ?? {});
  return lists.every(
    (paths) =>
      Array.isArray(paths) &&
      paths.every((path) => typeof path === 'string' && isVacant(root, path.split('.'))),
  );
}

function isVacant(root: unknown, steps: readonly string[]): boolean {
  let value = root;
  for (const [at, step] of steps.entries()) {
    if (typeof value !== 'object' || value === null) return false;
    if (!Object.hasOwn(value, step)) return at === steps.length - 1 && !Array.isArray(value);
    value = (value as Record<string, unknown>)[step];
  }
  return value === null;
}

/** Replaces the messages of Yoga and of the form parser, which can quote the request. */
function toRequestError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown.name === 'AbortError') return thrown;
  if (thrown instanceof GraphQLError && isValueLimit(thrown)) return setHttpStatus(thrown);
  const isTooLarge =
    thrown.message.includes('too large') ||
    (thrown instanceof GraphQLError && thrown.extensions.code === 'REQUEST_TOO_LARGE');
  return isTooLarge
    ? setHttpStatus(requestTooLargeError(), 413)
    : setHttpStatus(requestError('BAD_REQUEST', 'Invalid GraphQL multipart request.'), 400);
}

function isValueLimit({ extensions }: GraphQLError): boolean {
  return extensions.code === 'VALUES_TOO_LARGE' || extensions.code === 'VALUES_TOO_DEEP';
}
