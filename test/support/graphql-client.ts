import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export type Variables = Record<string, unknown>;

export type Result<Data = Record<string, unknown>> = {
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[];
};

export type Answer<Data = Record<string, unknown>> = Result<Data> & {
  status: number;
  headers: Headers;
};

export type WatchOptions = {
  /** Of HTTP and of the WebSocket's upgrade; `authorization` also goes into `connection_init`. */
  headers?: Record<string, string>;
  /** The payload of `connection_init` instead: browsers cannot set headers on an upgrade. */
  payload?: Record<string, unknown>;
  /** Of the operation, over a WebSocket. */
  extensions?: Record<string, unknown>;
};

/** One frame of an event stream. */
export type ServerSentEvent = {
  /** The last id that was sent, as a browser remembers it; null before the first. */
  id: string | null;
  event: string;
  data: string;
};

export type GraphQLClient = ReturnType<typeof createGraphQLClient>;

/**
 * Sends operations as an external client does. Leaving an iterable (`break`, `return`) closes its connection. A broken
 * connection is not reopened: the test decides what happens next.
 *
 * @param url of the server, without the path
 */
export function createGraphQLClient(url: string) {
  const endpoint = `${url}/graphql`;
  return {
    ask: <Data = Record<string, unknown>>(
      query: string,
      variables: Variables = {},
      headers: Record<string, string> = {},
    ) => ask<Data>(endpoint, { query, variables }, headers),
    watchWs: <Data = Record<string, unknown>>(
      query: string,
      variables: Variables = {},
      options: WatchOptions = {},
    ) => watchWs<Data>(endpoint, { query, variables }, options),
    watchSse: <Data = Record<string, unknown>>(
      query: string,
      variables: Variables = {},
      options: WatchOptions & { method?: 'GET' | 'POST' } = {},
    ) => watchSse<Data>(endpoint, { query, variables }, options),
  };
}

type Operation = { query: string; variables: Variables };

async function ask<Data>(
  endpoint: string,
  operation: Operation,
  headers: Record<string, string>,
): Promise<Answer<Data>> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(operation),
  });
  const result = (await response.json()) as Result<Data>;
  return { ...result, status: response.status, headers: response.headers };
}

async function* watchWs<Data>(
  endpoint: string,
  operation: Operation,
  { headers = {}, payload = toPayload(headers), extensions }: WatchOptions,
): AsyncGenerator<Result<Data>, void> {
  class Socket extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols, { headers });
    }
  }
  const client = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    webSocketImpl: Socket,
    retryAttempts: 0,
    ...(payload === undefined ? {} : { connectionParams: payload }),
  });
  try {
    const sent = { ...operation, ...(extensions === undefined ? {} : { extensions }) };
    for await (const result of client.iterate(sent)) yield result as Result<Data>;
  } finally {
    await client.dispose();
  }
}

function toPayload({ authorization }: Record<string, string>): WatchOptions['payload'] {
  return authorization === undefined ? undefined : { authorization };
}

/** Ends with `complete` or when the connection closes. */
async function* watchSse<Data>(
  endpoint: string,
  operation: Operation,
  { headers = {}, method = 'POST' }: WatchOptions & { method?: 'GET' | 'POST' },
): AsyncGenerator<{ id: string | null; data: Result<Data> }, void> {
  const isGet = method === 'GET';
  const search = new URLSearchParams({
    query: operation.query,
    variables: JSON.stringify(operation.variables),
  });
  const response = await fetch(isGet ? `${endpoint}?${search}` : endpoint, {
    method,
    headers: {
      accept: 'text/event-stream',
      ...(isGet ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(isGet ? {} : { body: JSON.stringify(operation) }),
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) {
    throw new Error(`no event stream but ${response.status}: ${await response.text()}`);
  }
  for await (const { id, event, data } of readEvents(response.body)) {
    if (event === 'complete') return;
    yield { id, data: JSON.parse(data) as Result<Data> };
  }
}

/** The frames of an event stream that have data or an event name; comments and `retry:` are skipped. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void> {
  const decoder = new TextDecoder();
  let rest = '';
  let id: string | null = null;
  for await (const chunk of body) {
    const frames = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const fields = new Map(frame.split('\n').map(splitField));
      id = fields.get('id') ?? id;
      const data = fields.get('data');
      if (data !== undefined) yield { id, event: fields.get('event') ?? 'message', data };
    }
  }
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(':');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
}
