import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionResult, type GraphQLError, OperationTypeNode } from 'graphql';
import type { Log } from '../../log.ts';
import type { ContextFactory } from '../auth/sessions.ts';
import { abortOnDisconnect, readBody } from '../http/incoming.ts';
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
import type { Run, RunInput } from '../operation/run.ts';
import { partsOfShared, stringifyResult } from '../operation/shared-answers.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import type { OperationSlots } from '../operation-slots.ts';
import { cacheHeadersOf, matchesTag, maxAgeOf } from './cache-control.ts';
import { type ParsedParams, parseJsonParams, parseSearchParams } from './params.ts';
import { type ResultType, resultTypeOf } from './result-type.ts';

type Parts = {
  prepare: Prepare;
  run: Run;
  createContext: ContextFactory;
  trustedDocuments: TrustedDocuments;
  slots: OperationSlots;
  log: Log;
};

type Exchange = { request: IncomingMessage; response: ServerResponse; type: ResultType };

/** False: the request is of another kind, and nothing was answered. Its body, if it was read, is in `request.body`. */
export type JsonDoor = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/**
 * Answers queries and mutations in JSON, over POST and GET, with Node's own request and response: the objects and streams
 * of the fetch standard take several times as long as a small query.
 */
export function createJsonDoor(parts: Parts): JsonDoor {
  return async (request, response) => {
    const type = resultTypeOf(request);
    if (type === null) return false;
    const exchange = { request, response, type };
    if (request.method === 'GET') {
      return answer(parts, exchange, parseSearchParams(request.url ?? '', parts.trustedDocuments));
    }
    const body = await readBody(request);
    if (body === undefined) return true;
    if (body === null) {
      sendTooLarge(response);
      return true;
    }
    const isAnswered = await answer(parts, exchange, parseJsonParams(body, parts.trustedDocuments));
    if (!isAnswered) Object.assign(request, { body: Readable.from([body]) });
    return isAnswered;
  };
}

/** False: it is a subscription. */
async function answer(parts: Parts, exchange: Exchange, parsed: ParsedParams): Promise<boolean> {
  if ('error' in parsed) {
    sendErrors(exchange, [parsed.error]);
    return true;
  }
  const { log } = parts;
  const requestId = requestIdOf(exchange.request);
  try {
    const { query = '', operationName, variables } = parsed.params;
    const prepared = parts.prepare(query, operationName);
    const kind = prepared.operation?.operation;
    if (exchange.request.method === 'GET' && kind === OperationTypeNode.MUTATION) {
      sendErrors(exchange, [mutationByGetError()]);
    } else if (isRejected(prepared)) sendErrors(exchange, prepared.errors);
    else if (kind === OperationTypeNode.SUBSCRIPTION) return false;
    else await runOperation(parts, exchange, { prepared, variables });
  } catch (thrown) {
    sendErrors(exchange, [maskError(thrown, log, { requestId })]);
  }
  return true;
}

async function runOperation(
  { run, createContext, slots }: Parts,
  exchange: Exchange,
  input: { prepared: PreparedOperation; variables: Record<string, unknown> | undefined },
): Promise<void> {
  const { request, response } = exchange;
  let signal: AbortSignal | undefined;
  const context = await createContext({
    authorization: request.headers.authorization,
    requestId: requestIdOf(request),
    lastEventId: null,
    get signal() {
      signal ??= abortOnDisconnect(response);
      return signal;
    },
  });
  const slot = slots.acquire(context.caller.owner);
  try {
    await runInContext(run, exchange, { ...input, context });
  } finally {
    slot.releaseAfter(response);
  }
}

async function runInContext(
  run: Run,
  exchange: Exchange,
  input: Omit<RunInput, 'needsExecution'> & { prepared: PreparedOperation },
): Promise<void> {
  const { request } = exchange;
  const needsExecution = /\bno-cache\b/i.test(request.headers['cache-control'] ?? '');
  const { prepared, variables, context } = input;
  const result = await run(prepared, { variables, context, needsExecution });
  if (isRejectedResult(result)) return sendErrors(exchange, result.errors);
  const executed = result as ExecutionResult;
  const maxAge = request.method === 'GET' ? maxAgeOf(context, executed) : 0;
  // A cacheable result has no `extensions`: they contain the cost and quota of the first caller.
  if (maxAge > 0) sendCacheable(exchange, stringifyResult({ data: executed.data ?? null }), maxAge);
  else sendResult(exchange, executed);
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

function sendTooLarge(response: ServerResponse): void {
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
  const parts = partsOfShared(result);
  if (parts === undefined) {
    send(exchange, { status: 200, text: stringifyResult(result) });
    return;
  }
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const { head, rest } = parts;
  response.writeHead(200, {
    'content-type': contentTypeOf(exchange),
    'content-length': Buffer.byteLength(head) + rest.byteLength,
  });
  response.write(head);
  response.end(rest);
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
