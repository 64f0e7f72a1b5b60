import { GraphQLError } from 'graphql';
import type { FetchAPI, Plugin, YogaServerInstance } from 'graphql-yoga';
import type { Log } from '../log.ts';
import { mask } from './masking.ts';
import { answerRefusal, checkParams, noBatches, notJson, withBody } from './requests.ts';
import { resolveDocument, type TrustedDocuments } from './trusted.ts';

const endpoint = '/graphql/stream';
const tokenHeader = 'x-graphql-event-stream-token';

type Enveloping = Pick<YogaServerInstance<object, object>, 'getEnveloped'>;

/**
 * What graphql-sse lacks on `/graphql/stream`: documents by id, and the same refusals as on the other doors, where it
 * has words of its own. A request that carries its operation alone is one to `/graphql`, events with their `id:`
 * included.
 */
export function useStreamRequests(parts: { trustedDocuments: TrustedDocuments; log: Log }): Plugin {
  let yoga: Enveloping;

  function check(request: Request, params: object): readonly GraphQLError[] {
    const refusal = checkParams(params);
    if (refusal !== undefined) return [refusal];
    try {
      const { parse, validate, schema } = yoga.getEnveloped({ request, params });
      return validate(schema, parse((params as { query: string }).query)) as GraphQLError[];
    } catch (error) {
      return [mask(error, parts.log)];
    }
  }

  /** The request that graphql-sse shall see, or why it shall see none. */
  async function admit(
    request: Request,
    api: FetchAPI,
  ): Promise<Request | readonly GraphQLError[]> {
    const params = readParams(await request.text(), parts.trustedDocuments);
    if (params instanceof GraphQLError) return [params];
    const errors = check(request, params);
    return errors.length > 0 ? errors : withBody(api, request, JSON.stringify(params));
  }

  return {
    onYogaInit(init) {
      yoga = init.yoga as unknown as Enveloping;
    },
    async onRequest({ request, url, setRequest, endResponse, fetchAPI }) {
      if (url.pathname !== endpoint) return;
      if (isOwnStream(request)) {
        setRequest(await forward(request, fetchAPI));
        // Those who look after this one go by it, and found nothing there where a GET has a query.
        url.pathname = '/graphql';
        return;
      }
      sayPlainly(request);
      if (request.method !== 'POST') return;
      const admitted = await admit(request, fetchAPI);
      if (Array.isArray(admitted)) endResponse(answerRefusal(fetchAPI, admitted));
      else setRequest(admitted as Request);
    },
  };
}

/** graphql-sse knows an `Accept` only where it is the one that it would write itself. */
function sayPlainly({ method, headers }: Request): void {
  const accept = headers.get('accept') ?? '*/*';
  if (accept.includes('text/event-stream')) headers.set('accept', 'text/event-stream');
  else if (method === 'POST') headers.set('accept', 'application/json');
}

/** Whether it asks for the events of its own operation, and for no stream that was reserved. */
function isOwnStream({ headers }: Request): boolean {
  const accept = headers.get('accept') ?? '';
  return accept.includes('text/event-stream') && !headers.has(tokenHeader);
}

async function forward(request: Request, { Request }: FetchAPI): Promise<Request> {
  const { method, url, headers, signal } = request;
  const body = method === 'POST' ? { body: await request.text() } : {};
  return new Request(url.replace(endpoint, '/graphql'), { method, headers, signal, ...body });
}

function readParams(text: string, documents: TrustedDocuments): object | GraphQLError {
  try {
    const params: unknown = JSON.parse(text);
    if (Array.isArray(params)) return noBatches();
    if (typeof params === 'object' && params !== null) return resolveDocument(params, documents);
  } catch {
    // Told below.
  }
  return notJson();
}
