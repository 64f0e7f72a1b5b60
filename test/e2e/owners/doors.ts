import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Result, readEvents } from '../../support/graphql-client.ts';

export type Door =
  | 'POST'
  | 'GET'
  | 'SSE by POST'
  | 'SSE by GET'
  | 'WebSocket'
  | 'multipart'
  /** Of graphql-sse's single connection mode. Nobody has none. */
  | 'reserved stream';

export type Asking = { url: string; query: string; variables?: object; token?: string | undefined };

/** The first result that the door gives to the document. */
export async function askAt(door: Door, asking: Asking): Promise<Result> {
  if (door === 'WebSocket') return askSocket(asking);
  return door === 'reserved stream' ? askReserved(asking) : askHttp(door, asking);
}

async function askHttp(door: Door, asking: Asking): Promise<Result> {
  const { url, query, variables = {}, token } = asking;
  const isGet = door.endsWith('GET');
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const isMultipart = door === 'multipart';
  const response = await fetch(`${url}/graphql${isGet ? `?${search}` : ''}`, {
    method: isGet ? 'GET' : 'POST',
    headers: {
      accept: door.startsWith('SSE') ? 'text/event-stream' : 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(isGet || isMultipart ? {} : { 'content-type': 'application/json' }),
      ...(isMultipart ? { 'x-csrf': '1' } : {}),
    },
    ...(isGet ? {} : { body: isMultipart ? formOf(asking) : JSON.stringify({ query, variables }) }),
  });
  const text = await response.text();
  // A refused document may be answered as an event or as plain JSON.
  const [, data = text] = /^data: ?(.*)$/m.exec(text) ?? [];
  return JSON.parse(data) as Result;
}

/** The GraphQL multipart request format; the variable is `$file`. */
function formOf({ query }: Asking): FormData {
  const form = new FormData();
  form.append('operations', JSON.stringify({ query, variables: { file: null } }));
  form.append('map', JSON.stringify({ 0: ['variables.file'] }));
  form.append('0', new Blob(['no sound'], { type: 'audio/wav' }), 'a.wav');
  return form;
}

async function askReserved({ url, query, variables = {}, token }: Asking): Promise<Result> {
  const endpoint = `${url}/graphql/stream`;
  const signedIn = { authorization: `Bearer ${token}` };
  const reserved = await fetch(endpoint, { method: 'PUT', headers: signedIn });
  const reservation = await reserved.text();
  if (reserved.status !== 201) return JSON.parse(reservation) as Result;
  const own = { ...signedIn, 'x-graphql-event-stream-token': reservation };
  const leaving = new AbortController();
  const { body } = await fetch(endpoint, {
    headers: { ...own, accept: 'text/event-stream' },
    signal: leaving.signal,
  });
  const asked = await fetch(endpoint, {
    method: 'POST',
    headers: { ...own, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables, extensions: { operationId: '1' } }),
  });
  const refusal = await asked.text();
  const result = asked.status === 202 ? await firstOf(body) : JSON.parse(refusal);
  leaving.abort();
  return result as Result;
}

async function firstOf(body: ReadableStream<Uint8Array> | null): Promise<Result> {
  for await (const { event, data } of readEvents(body as ReadableStream<Uint8Array>)) {
    if (event === 'next') return (JSON.parse(data) as { payload: Result }).payload;
  }
  throw new Error('The stream ended without an event.');
}

async function askSocket({ url, query, variables = {}, token }: Asking): Promise<Result> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  socket.on('close', (code, reason) => reject(new Error(`closed: ${code} ${String(reason)}`)));
  socket.on('message', (raw) => {
    const message = JSON.parse(String(raw)) as { type: string; payload?: unknown };
    if (message.type === 'connection_ack') {
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables } }));
    }
    if (message.type === 'next') resolve(message.payload as Result);
    if (message.type === 'error') resolve({ errors: message.payload as never });
  });
  await once(socket, 'open');
  const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  return promise.finally(() => socket.terminate());
}
