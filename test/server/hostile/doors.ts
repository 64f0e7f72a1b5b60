import { once } from 'node:events';
import { WebSocket } from 'ws';
import { readEvents, type ServerSentEvent } from '../../support/graphql-client.ts';

/** Every way in for an operation. A row of the table that leaves one out does not compile. */
export const doors = ['POST', 'GET', 'SSE', 'WS', 'STREAM'] as const;
export type Door = (typeof doors)[number];

export type Params = {
  query?: string;
  variables?: unknown;
  operationName?: string;
  documentId?: string;
};

/** An operation, or texts that are none: a body, the query of a URL, and a payload of a WebSocket message. */
export type Request = Params | { body: string; search: string; payload: string };

type GraphQLError = { message: string; extensions?: { code?: string } };

/** The first that the door tells of it; `closed` is the code with which a WebSocket ends instead. */
export type Outcome = { data?: unknown; errors?: GraphQLError[]; closed?: number };

const json = { 'content-type': 'application/json' };

/** Knocks at the doors of one server, as raw as they come: no client here could mend what is sent. */
export function openDoors(url: string) {
  const stream = openStream(url);
  return {
    /** What each form of the door tells, by its name. */
    async ask(door: Door, request: Request): Promise<[form: string, Outcome][]> {
      if (door === 'WS') return [[door, await askSocket(url, payloadOf(request))]];
      const { ask, get: getByStream } = await stream;
      if (door === 'STREAM') return [[door, await ask(request)]];
      if (door !== 'GET') return [[door, await post(url, request, door)]];
      return [
        [door, await get(`${url}/graphql`, request, '*/*')],
        ['GET as events', await get(`${url}/graphql`, request, 'text/event-stream')],
        ['GET of a stream', await get(`${url}/graphql/stream`, request, 'text/event-stream')],
        ['GET to a reserved stream', await getByStream(request)],
      ];
    },
    close: async () => (await stream).close(),
  };
}

async function get(endpoint: string, request: Request, accept: string): Promise<Outcome> {
  return readAnswer(await fetch(`${endpoint}?${searchOf(request)}`, { headers: { accept } }));
}

async function post(url: string, request: Request, door: 'POST' | 'SSE'): Promise<Outcome> {
  const accept = door === 'SSE' ? 'text/event-stream' : '*/*';
  const headers = { ...json, accept };
  const body = bodyOf(request);
  return readAnswer(await fetch(`${url}/graphql`, { method: 'POST', headers, body }));
}

function bodyOf(request: Request): string {
  return 'body' in request ? request.body : JSON.stringify(request);
}

function payloadOf(request: Request): string {
  return 'payload' in request ? request.payload : JSON.stringify(request);
}

function searchOf(request: Request): string {
  if ('search' in request) return request.search;
  const params = Object.entries(request).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return new URLSearchParams(params).toString();
}

async function readAnswer(response: Response): Promise<Outcome> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) return (await response.json()) as Outcome;
  for await (const { event, data } of readEvents(response.body)) {
    if (event === 'next') return JSON.parse(data) as Outcome;
  }
  throw new Error('The stream ended without an event.');
}

async function askSocket(url: string, payload: string): Promise<Outcome> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  socket.on('error', () => undefined);
  socket.on('close', (closed) => resolve({ closed }));
  socket.on('message', (raw) => {
    const message = JSON.parse(String(raw)) as { type: string; payload?: unknown };
    if (message.type === 'connection_ack') {
      socket.send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    }
    if (message.type === 'next') resolve(executed(message.payload as Outcome));
    if (message.type === 'error') resolve({ errors: message.payload as GraphQLError[] });
  });
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  try {
    return await promise;
  } finally {
    socket.terminate();
  }
}

/** `next` is for what was executed: to a client a refusal in it is an answer like any other. */
function executed(outcome: Outcome): Outcome {
  return outcome.data === undefined ? { errors: [{ message: 'a refusal came as next' }] } : outcome;
}

/** A reserved stream of graphql-sse, through which any number of operations are answered. */
async function openStream(url: string) {
  const endpoint = `${url}/graphql/stream`;
  const token = await (await fetch(endpoint, { method: 'PUT', headers: json })).text();
  const headers = { ...json, 'x-graphql-event-stream-token': token };
  const leaving = new AbortController();
  const response = await fetch(endpoint, {
    headers: { ...headers, accept: 'text/event-stream' },
    signal: leaving.signal,
  });
  if (response.body === null) throw new Error('There is no stream.');
  const waiting = new Map<string, (outcome: Outcome) => void>();
  const reading = deliver(readEvents(response.body), waiting);
  let asked = 0;

  /** The answer, or what came through the stream instead of one. */
  async function send(operationId: string, address: string, more: RequestInit): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    waiting.set(operationId, resolve);
    const answer = await fetch(address, { ...more, headers });
    const refusal = await answer.text();
    const outcome = answer.status === 202 ? await promise : (JSON.parse(refusal) as Outcome);
    await fetch(`${endpoint}?operationId=${operationId}`, { method: 'DELETE', headers });
    return outcome;
  }

  return {
    async ask(request: Request): Promise<Outcome> {
      asked += 1;
      const operationId = 'body' in request ? 'raw' : `${asked}`;
      const extensions = { operationId };
      const body = 'body' in request ? request.body : bodyOf({ ...request, extensions } as Params);
      return send(operationId, endpoint, { method: 'POST', body });
    },
    async get(request: Request): Promise<Outcome> {
      asked += 1;
      const extensions = JSON.stringify({ operationId: `${asked}` });
      const search = `${searchOf(request)}&${new URLSearchParams({ extensions })}`;
      return send(`${asked}`, `${endpoint}?${search}`, {});
    },
    async close() {
      leaving.abort();
      await reading;
    },
  };
}

async function deliver(
  events: AsyncIterable<ServerSentEvent>,
  waiting: Map<string, (outcome: Outcome) => void>,
): Promise<void> {
  try {
    for await (const { event, data } of events) {
      if (event !== 'next') continue;
      const { id, payload } = JSON.parse(data) as { id: string; payload: Outcome };
      waiting.get(id)?.(payload);
    }
  } catch {
    // It was left.
  }
}
