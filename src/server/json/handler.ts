import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionResult, type GraphQLError, OperationTypeNode } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { chain, isPromise, type MaybePromise } from '../../graphql/execution/maybe-promise.ts';
import type { Log } from '../../log.ts';
import { readTraceContext } from '../../tracing/tracer.ts';
import type { ContextFactory, RequestOrigin } from '../auth/sessions.ts';
import { abortOnDisconnect, readBody } from '../http/incoming.ts';
import type { Body, HttpResponse } from '../http/response.ts';
import { maskError } from '../operation/masking.ts';
import { isRejected, type Prepare } from '../operation/prepare.ts';
import type { PreparedOperation } from '../operation/prepared-operation.ts';
import { isRejectedResult, stripHttpExtension } from '../operation/request-error.ts';
import {
  mutationByGetError,
  requestIdHeader,
  requestTooLargeError,
  setHttpStatus,
} from '../operation/request-params.ts';
import type { Run, RunResult } from '../operation/run.ts';
import { bodyOfResult, stringifyResult } from '../operation/shared-answers.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import type { OperationSlots } from '../operation-slots.ts';
import { cacheHeadersOf, matchesTag, maxAgeOf } from './cache-control.ts';
import { KnownBodies, type ParsedParams, parseJsonParams, parseSearchParams } from './params.ts';
import { type ResultType, resultTypeOf } from './result-type.ts';

type Parts = {
  prepare: Prepare;
  run: Run;
  createContext: ContextFactory;
  trustedDocuments: TrustedDocuments;
  slots: OperationSlots;
  log: Log;
};

type Exchange = {
  request: IncomingMessage;
  response: HttpResponse;
  type: ResultType;
  /** Called when the operation is known to be a query that may be executed. */
  onQuery?: (() => void) | undefined;
};

/** False: the request is of another kind, and nothing was answered. Its body, if it was read, is in `request.body`. */
export type JsonHandler = (
  request: IncomingMessage,
  response: HttpResponse,
) => MaybePromise<boolean>;

/**
 * Answers queries and mutations in JSON, over POST and GET, with Node's own request and response: the objects and streams
 * of the fetch standard take several times as long as a small query. Nothing is a promise that need not be one.
 */
export function createJsonHandler(parts: Parts): JsonHandler {
  const bodies = new KnownBodies();
  return (request, response) => {
    const type = resultTypeOf(request);
    if (type === null) return false;
    const exchange = { request, response, type };
    if (request.method === 'GET') {
      return answer(parts, exchange, parseSearchParams(request.url ?? '', parts.trustedDocuments));
    }
    return readBody(request).then((body) => {
      if (body === undefined) return true;
      if (body === null) {
        sendTooLarge(response);
        return true;
      }
      const known = bodies.find(body);
      const parsed = known ?? parseJsonParams(body, parts.trustedDocuments);
      const onQuery = known === undefined ? () => bodies.keep(body, parsed) : undefined;
      return chain(answer(parts, { ...exchange, onQuery }, parsed), (isAnswered) => {
        if (!isAnswered) Object.assign(request, { body: Readable.from([body]) });
        return isAnswered;
      });
    });
  };
}

/** False: it is a subscription. */
function answer(parts: Parts, exchange: Exchange, parsed: ParsedParams): MaybePromise<boolean> {
  if ('error' in parsed) {
    sendErrors(exchange, [parsed.error]);
    return true;
  }
  const fail = (thrown: unknown) => {
    sendErrors(exchange, [
      maskError(thrown, parts.log, { requestId: requestIdOf(exchange.request) }),
    ]);
    return true;
  };
  try {
    const { query = '', operationName, variables } = parsed.params;
    const prepared = parts.prepare(query, operationName);
    const kind = prepared.operation?.operation;
    if (exchange.request.method === 'GET' && kind === OperationTypeNode.MUTATION) {
      sendErrors(exchange, [mutationByGetError()]);
    } else if (isRejected(prepared)) sendErrors(exchange, prepared.errors);
    else if (kind === OperationTypeNode.SUBSCRIPTION) return false;
    else {
      if (kind === OperationTypeNode.QUERY) exchange.onQuery?.();
      const answered = runOperation(parts, exchange, { prepared, variables });
      return isPromise(answered) ? answered.then(() => true, fail) : true;
    }
  } catch (thrown) {
    return fail(thrown);
  }
  return true;
}

type PreparedInput = {
  prepared: PreparedOperation;
  variables: Record<string, unknown> | undefined;
};

function runOperation(
  { run, createContext, slots }: Parts,
  exchange: Exchange,
  { prepared, variables }: PreparedInput,
): MaybePromise<void> {
  const { request, response } = exchange;
  const needsExecution = asksForExecution(request.headers['cache-control']);
  return chain(createContext(new JsonOrigin(exchange)), (context) => {
    const slot = slots.acquire(context.caller.owner);
    const finish = (result: RunResult) => {
      sendRun(exchange, result as ExecutionResult, context);
      slot.releaseAfter(response);
    };
    try {
      const result = run(prepared, { variables, context, needsExecution });
      return isPromise(result) ? result.then(finish).catch(releaseAndThrow) : finish(result);
    } catch (thrown) {
      return releaseAndThrow(thrown);
    }
    function releaseAndThrow(thrown: unknown): never {
      slot.releaseAfter(response);
      throw thrown;
    }
  });
}

class JsonOrigin implements RequestOrigin {
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly trace: RequestOrigin['trace'];
  readonly lastEventId = null;
  readonly #response: HttpResponse;
  #signal: AbortSignal | undefined;

  constructor({ request, response }: Exchange) {
    this.authorization = request.headers.authorization;
    this.requestId = requestIdOf(request);
    this.trace = readTraceContext(request.headers.traceparent, request.headers.tracestate);
    this.#response = response;
  }

  /** Made when it is used: most operations never wait. */
  get signal(): AbortSignal {
    this.#signal ??= abortOnDisconnect(this.#response);
    return this.#signal;
  }
}

function asksForExecution(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && /\bno-cache\b/i.test(cacheControl);
}

function sendRun(exchange: Exchange, result: ExecutionResult, context: Context): void {
  if (isRejectedResult(result)) {
    sendErrors(exchange, result.errors);
    return;
  }
  const maxAge = exchange.request.method === 'GET' ? maxAgeOf(context, result) : 0;
  // A cacheable result has no `extensions`: they contain the cost and quota of the first caller.
  if (maxAge > 0) sendCacheable(exchange, stringifyResult({ data: result.data ?? null }), maxAge);
  else sendResult(exchange, result);
}

function requestIdOf({ headers }: IncomingMessage): string {
  const id = headers[requestIdHeader];
  return typeof id === 'string' ? id : 'unknown';
}

/** The errors of an operation that was not executed. */
function sendErrors(exchange: Exchange, errors: readonly GraphQLError[]): void {
  const { status, headers } = httpOf(
    errors.map((error) => setHttpStatus(error)),
    exchange.type,
  );
  const text = JSON.stringify({ errors: stripHttpExtension(errors) });
  send(exchange, { status, text, headers });
}

/** Errors of the specification count as 200 for clients that accept only `application/json`. */
function httpOf(errors: readonly GraphQLError[], type: ResultType) {
  let status = 0;
  const headers: Record<string, string> = {};
  for (const { extensions } of errors) {
    const { http = {} } = extensions;
    Object.assign(headers, http.headers);
    const isIgnored = http.spec === true && type === 'application/json';
    if (!isIgnored) status = Math.max(status, http.status ?? 0);
  }
  return { status: status === 0 ? 200 : status, headers };
}

function sendTooLarge(response: HttpResponse): void {
  const text = JSON.stringify({ errors: [requestTooLargeError()] });
  send({ response, type: 'application/json' }, { status: 413, text });
}

function sendCacheable({ request, ...exchange }: Exchange, text: string, maxAge: number): void {
  const { authorization, 'if-none-match': ifNoneMatch } = request.headers;
  const type = contentTypeOf(exchange);
  const hasToken = authorization !== undefined;
  const headers = cacheHeadersOf({ text, type, maxAge, hasToken });
  if (matchesTag(ifNoneMatch, headers.etag)) exchange.response.writeHead(304, headers).end();
  else send(exchange, { status: 200, text, headers });
}

function contentTypeOf({ type }: Pick<Exchange, 'type'>): string {
  return `${type}; charset=utf-8`;
}

function sendResult(exchange: Exchange, result: ExecutionResult): void {
  sendBody(exchange, bodyOfResult(result));
}

function sendBody(exchange: Pick<Exchange, 'response' | 'type'>, body: Body): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  response.sendBody(200, contentTypeOf(exchange), body);
}

function send(
  exchange: Pick<Exchange, 'response' | 'type'>,
  answer: { status: number; text: string; headers?: Record<string, string> },
): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const headers = {
    ...answer.headers,
    'content-type': contentTypeOf(exchange),
    'content-length': Buffer.byteLength(answer.text),
  };
  response.writeHead(answer.status, headers).end(answer.text);
}
