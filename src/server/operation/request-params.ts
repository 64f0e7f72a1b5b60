import { isAsyncIterable } from '@envelop/core';
import { GraphQLError } from 'graphql';
import { type FetchAPI, type Plugin, processRegularResult } from 'graphql-yoga';
import type { Log } from '../../log.ts';
import { mask } from './masking.ts';
import { isRefused, refuse, withoutHttp } from './request-error.ts';

/**
 * Of a request by any door, apart from the files of a multipart one. Its variables and document fit many times. Node
 * itself takes 16 kB of a URL and headers.
 */
export const mostRequestBytes = 1_000_000;

/** What is read of a body that is too large, so that whoever sends it gets to the answer. */
const mostDrainedBytes = 8 * mostRequestBytes;

export function tooLarge(): GraphQLError {
  return refuse('REQUEST_TOO_LARGE', 'The request is too large.');
}

export function noBatches(): GraphQLError {
  return refuse(
    'BATCHING_REFUSED',
    'Operations are sent one at a time: this server takes no batches.',
  );
}

const isText = (value: unknown) => typeof value === 'string';
const isRecord = (value: unknown) => typeof value === 'object' && !Array.isArray(value);

const parameters = new Map([
  ['query', isText],
  ['operationName', isText],
  ['variables', isRecord],
  ['extensions', isRecord],
]);

/** Why these are not the parameters of an operation. Each reader of requests would have words of its own for it. */
export function checkParams(params: object): GraphQLError | undefined {
  // What Yoga makes of a form may be any JSON.
  if (typeof params !== 'object' || params === null) return notJson();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    const fits = parameters.get(name);
    if (fits === undefined) return refuse('BAD_REQUEST', `There is no parameter "${name}".`);
    if (!fits(value)) return refuse('BAD_REQUEST', `The parameter "${name}" has another type.`);
  }
  return 'query' in params && isText(params.query)
    ? undefined
    : refuse('BAD_REQUEST', 'The parameter "query" is missing.');
}

export function notJson(): GraphQLError {
  return refuse('BAD_REQUEST', 'This request is not valid JSON.');
}

/** Over POST Yoga quotes the body, and over GET it takes what `JSON.parse` throws for a fault of its own. */
async function parseOrRefuse<T>(parse: () => T): Promise<Awaited<T>> {
  try {
    return await parse();
  } catch (thrown) {
    const isQuoting =
      thrown instanceof GraphQLError && thrown.extensions.originalError !== undefined;
    throw isQuoting || thrown instanceof SyntaxError ? withStatus(notJson(), 400) : thrown;
  }
}

/** The rules of HTTP requests before they are operations, and the status of those that are refused. */
export function useRequestRules(log: Log): Plugin {
  return {
    instrumentation: {
      // Yoga would answer with the stack of whatever its hooks throw.
      async request({ request }, handle) {
        try {
          await handle();
        } catch (thrown) {
          throw unmeant(thrown, { log, request });
        }
      },
    },
    async onRequest({ request, setRequest, endResponse, fetchAPI }) {
      if (request.method !== 'POST' || hasFiles(request)) return;
      const body = await readBody(request.body);
      if (body === null) return endResponse(answerRefusal(fetchAPI, [tooLarge()], 413));
      setRequest(withBody(fetchAPI, request, body.toString('utf8')));
    },
    onRequestParse({ requestParser, setRequestParser }) {
      if (requestParser === undefined) return;
      setRequestParser(async (request) => {
        const params = await parseOrRefuse(() => requestParser(request));
        const refusal = Array.isArray(params) ? noBatches() : checkParams(params);
        if (refusal !== undefined) throw withStatus(refusal, 400);
        return params;
      });
    },
    onExecutionResult({ result, setResult }) {
      if (result !== undefined && isRefused(result)) {
        setResult({ errors: result.errors.map((error) => withStatus(error)) });
      }
    },
    onResultProcess({ result, resultProcessor, setResult, setResultProcessor }) {
      if (resultProcessor !== undefined || !isAsyncIterable(result)) return;
      // Nobody would ever read it, so nobody would ever leave it.
      void result[Symbol.asyncIterator]().return?.();
      const refusal = refuse(
        'NOT_ACCEPTABLE',
        'A subscription is answered as text/event-stream only.',
      );
      setResult({ errors: [withStatus(refusal, 406)] });
      setResultProcessor(processRegularResult as never, 'application/json');
    },
  };
}

/** By the rule of GraphQL over HTTP: the status is told to clients that take application/graphql-response+json. */
export function withStatus(error: GraphQLError, status?: number): GraphQLError {
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

export function answerRefusal(
  { Response }: FetchAPI,
  errors: readonly GraphQLError[],
  status = 400,
): Response {
  const body = JSON.stringify({ errors: withoutHttp(errors) });
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
  });
}

/** The same request with another body, which is a text. Yoga knows its types in small letters only. */
function withBody({ Request, Headers }: FetchAPI, request: Request, body: string): Request {
  const { method, url, signal } = request;
  const headers = new Headers(request.headers);
  headers.set('content-type', (headers.get('content-type') ?? '').toLowerCase());
  return new Request(url, { method, headers, signal, body });
}

/** What `useMultipartRules` looks at instead. */
export function hasFiles({ headers }: Pick<Request, 'headers'>): boolean {
  return /^multipart\/form-data\b/i.test(headers.get('content-type') ?? '');
}

/** What Yoga writes as its answer is the `stack`, with this status. */
function unmeant(thrown: unknown, { log, request }: { log: Log; request: Request }): Error {
  const requestId = request.headers.get('x-request-id') ?? undefined;
  const stack = JSON.stringify({ errors: [mask(thrown, log, requestId)] });
  return Object.assign(new Error('masked'), { stack, status: 500 });
}

/** The whole body, or null where it is too large. */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
): Promise<Buffer<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes <= mostRequestBytes) chunks.push(chunk);
    if (bytes > mostDrainedBytes) break;
  }
  return bytes > mostRequestBytes ? null : Buffer.concat(chunks);
}
