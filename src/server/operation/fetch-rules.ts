import { isUtf8 } from 'node:buffer';
import { GraphQLError } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Log } from '../../log.ts';
import { needsSingleResult } from '../sse/streams.ts';
import { PayloadStream } from '../subscriptions/payload-stream.ts';
import { maskError } from './masking.ts';
import type { PipelinePlugin } from './plugin.ts';
import {
  isRejectedResult,
  isUnavailableError,
  requestError,
  stripHttpExtension,
} from './request-error.ts';
import {
  batchingError,
  checkParams,
  invalidJsonError,
  isMultipart,
  readBody,
  requestErrorResponse,
  requestIdHeader,
  requestTooLargeError,
  setHttpStatus,
} from './request-params.ts';

import { checkJsonValues, checkSearchValues } from './value-limits.ts';

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
      const rejection = isUtf8(body)
        ? checkJsonValues(body, 1)
        : setHttpStatus(invalidJsonError(), 400);
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
    onResultProcess({ request, result, resultProcessor, setResult, setResultProcessor }) {
      if (!(result instanceof PayloadStream) && needsSingleResult(request.headers)) {
        setResultProcessor(processRegularResult, 'application/json');
      }
      if (resultProcessor !== undefined || !(result instanceof PayloadStream)) return;
      // End the subscription: no response will read it.
      result.close();
      const error = requestError(
        'NOT_ACCEPTABLE',
        'A subscription over HTTP needs Accept: text/event-stream.',
      );
      setResult({ errors: [setHttpStatus(error, 406)] });
      setResultProcessor(processRegularResult, 'application/json');
    },
  };
}

/** The content type is lowercased because Yoga compares it case-sensitively. */
function replaceBody({ Request, Headers }: FetchAPI, request: Request, body: string): Request {
  const { method, url, signal } = request;
  const headers = new Headers(request.headers);
  headers.set('content-type', (headers.get('content-type') ?? '').toLowerCase());
  return new Request(url, { method, headers, signal, body });
}

/** Yoga sends the `stack` of a thrown error as the body, with its `status`. */
function maskHookError(thrown: unknown, { log, request }: { log: Log; request: Request }): Error {
  const requestId = request.headers.get(requestIdHeader) ?? undefined;
  const masked = maskError(thrown, log, { requestId });
  const stack = JSON.stringify({ errors: stripHttpExtension([masked]) });
  const status = isUnavailableError(masked) ? 503 : 500;
  return Object.assign(new Error('masked'), { stack, status });
}
