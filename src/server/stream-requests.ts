import { GraphQLError } from 'graphql';
import type { FetchAPI, Plugin, YogaServerInstance } from 'graphql-yoga';
import type { Log } from '../log.ts';
import { mask } from './masking.ts';
import { refuse } from './refusal.ts';
import { answerRefusal, checkParams, noBatches, notJson } from './requests.ts';
import { resolveDocument, type TrustedDocuments } from './trusted.ts';

const endpoint = '/graphql/stream';
const tokenHeader = 'x-graphql-event-stream-token';

/** Parameters of a URL that name an operation. */
const naming = ['query', 'documentId', 'extensions'];

const mostIdCharacters = 256;

type Enveloping = Pick<YogaServerInstance<object, object>, 'getEnveloped'>;

/**
 * What graphql-sse lacks on `/graphql/stream`: documents by id, and the same refusals as on the other doors, where it
 * has words of its own, and 500 for what it meets first in a URL. A request that carries its operation alone is one to
 * `/graphql`, events with their `id:` included.
 */
export function useStreamRequests(parts: { trustedDocuments: TrustedDocuments; log: Log }): Plugin {
  let yoga: Enveloping;

  function check(request: Request, params: object): readonly GraphQLError[] {
    const refusal = checkParams(params);
    if (refusal !== undefined) return [refusal];
    try {
      const { parse, validate, schema } = yoga.getEnveloped({ request, params });
      const document = parse((params as { query: string }).query);
      const errors = validate(schema, document) as GraphQLError[];
      return errors.length > 0 ? errors : checkId(params);
    } catch (error) {
      return [mask(error, parts.log)];
    }
  }

  /** The request that graphql-sse shall see, or why it shall see none. */
  async function admit(
    request: Request,
    api: FetchAPI,
  ): Promise<Request | readonly GraphQLError[]> {
    const params =
      request.method === 'GET'
        ? readSearch(new URL(request.url).searchParams)
        : readBody(await request.text());
    if (params instanceof GraphQLError) return [params];
    const resolved = resolveDocument(params, parts.trustedDocuments);
    const errors = check(request, resolved);
    return errors.length > 0 ? errors : asOperation(api, request, resolved);
  }

  return {
    onYogaInit(init) {
      yoga = init.yoga as unknown as Enveloping;
    },
    async onRequest({ request, url, setRequest, endResponse, fetchAPI }) {
      if (url.pathname !== endpoint) return;
      if (isOwnStream(request, url)) {
        setRequest(await forward(request, fetchAPI));
        // Those who look after this one go by it, and found nothing there where a GET has a query.
        url.pathname = '/graphql';
        return;
      }
      sayPlainly(request);
      if (!isOperation(request)) return;
      const admitted = await admit(request, fetchAPI);
      if (Array.isArray(admitted)) endResponse(refuseAll(fetchAPI, admitted));
      else setRequest(admitted as Request);
    },
  };
}

/** graphql-sse knows an `Accept` only where it is the one that it would write itself. */
function sayPlainly(request: Request): void {
  const { method, headers } = request;
  if (takesEvents(request)) headers.set('accept', 'text/event-stream');
  else if (method === 'POST') headers.set('accept', 'application/json');
}

function takesEvents({ headers }: Request): boolean {
  return /text\/event-stream/i.test(headers.get('accept') ?? '');
}

/** Whether it asks for the events of its own operation, and not for those of a stream that was reserved. */
function isOwnStream(request: Request, { searchParams }: URL): boolean {
  if (!takesEvents(request)) return false;
  const carries = request.method === 'POST' || naming.some((name) => searchParams.has(name));
  return carries || !request.headers.has(tokenHeader);
}

/** Whether it brings an operation to a reserved stream. */
function isOperation(request: Request): boolean {
  if (request.method === 'POST') return true;
  return request.method === 'GET' && request.headers.has(tokenHeader) && !takesEvents(request);
}

async function forward(request: Request, { Request }: FetchAPI): Promise<Request> {
  const { method, url, headers, signal } = request;
  const body = method === 'POST' ? { body: await request.text() } : {};
  return new Request(url.replace(endpoint, '/graphql'), { method, headers, signal, ...body });
}

/** The one form in which graphql-sse is brought operations, however they came. */
function asOperation(
  { Request, Headers }: FetchAPI,
  { url, headers: given, signal }: Request,
  params: object,
): Request {
  const headers = new Headers(given);
  headers.set('content-type', 'application/json');
  headers.set('accept', 'application/json');
  return new Request(url, { method: 'POST', headers, signal, body: JSON.stringify(params) });
}

function readBody(text: string): object | GraphQLError {
  const params = parseJson(text);
  if (Array.isArray(params)) return noBatches();
  return typeof params === 'object' && params !== null ? params : notJson();
}

/** As Yoga reads them: an empty parameter is none. */
function readSearch(search: URLSearchParams): object | GraphQLError {
  const params: Record<string, unknown> = {};
  for (const name of ['query', 'operationName', 'documentId']) {
    const value = search.get(name);
    if (value) params[name] = value;
  }
  for (const name of ['variables', 'extensions']) {
    const text = search.get(name);
    const value = text ? parseJson(text) : undefined;
    if (text && value === undefined) return notJson();
    if (value !== undefined) params[name] = value;
  }
  return params;
}

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The name under which the answers come through the stream. */
function checkId({ extensions }: { extensions?: unknown }): GraphQLError[] {
  const { operationId: id } = (extensions ?? {}) as { operationId?: unknown };
  const isName = typeof id === 'string' && id !== '' && id.length <= mostIdCharacters;
  if (isName || typeof id === 'number') return [];
  const words = `extensions.operationId is a text of at most ${mostIdCharacters} characters.`;
  return [refuse('BAD_REQUEST', words)];
}

/** With the status of the first, where it has one of its own. */
function refuseAll(api: FetchAPI, errors: readonly GraphQLError[]): Response {
  const http = errors[0]?.extensions.http as { status?: number; spec?: boolean } | undefined;
  const status = http?.spec === true ? 400 : (http?.status ?? 400);
  const answer = answerRefusal(api, errors, status);
  if (status === 405) answer.headers.set('allow', 'POST');
  return answer;
}
