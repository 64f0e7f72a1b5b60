import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Result, readEvents } from './graphql-client.ts';

/** Every transport over which the server accepts an operation. */
export const transports = [
  'POST',
  'GET',
  'SSE by POST',
  'SSE by GET',
  'WebSocket',
  'multipart form',
] as const;
export type Transport = (typeof transports)[number];

export type Operation = {
  query?: string;
  variables?: unknown;
  operationName?: string;
  documentId?: string;
};

/** Raw text for malformed requests: the body of a POST, the query string of a GET, the payload of a `subscribe` message. */
export type RawOperation = { body: string; search: string; payload: string };

export type TransportRequest = {
  /** Of the server, without a path. */
  url: string;
  operation: Operation | RawOperation;
  /** A bearer token. Default: anonymous. */
  token?: string | undefined;
};

export type TransportResult = Result & {
  /** The close code of a WebSocket that ended without a result. */
  closeCode?: number;
  /** Whether the WebSocket delivered a request error as `next`, which clients treat as an executed result. */
  isErrorInNext?: boolean;
};

/** The Accept header of a plain GET or POST that names no type. */
const anyType = '*/*';

/**
 * The first result of the operation over this transport.
 *
 * @throws when a WebSocket closes without a result
 */
export async function execute(transport: Transport, request: TransportRequest): Promise<Result> {
  const { closeCode, isErrorInNext: _, ...result } = await attempt(transport, request);
  if (closeCode !== undefined) throw new Error(`The WebSocket closed with ${closeCode}.`);
  return result;
}

/** As `execute`, but the close of a WebSocket is a result too. */
export async function attempt(
  transport: Transport,
  request: TransportRequest,
): Promise<TransportResult> {
  return transport === 'WebSocket'
    ? attemptOverWebSocket(request)
    : attemptOverHttp(transport, request);
}

async function attemptOverHttp(
  transport: Exclude<Transport, 'WebSocket'>,
  { url, operation, token }: TransportRequest,
): Promise<Result> {
  const isGet = transport.endsWith('GET');
  const isForm = transport === 'multipart form';
  const response = await fetch(`${url}/graphql${isGet ? `?${toSearch(operation)}` : ''}`, {
    method: isGet ? 'GET' : 'POST',
    headers: {
      accept: transport.startsWith('SSE') ? 'text/event-stream' : anyType,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(isGet || isForm ? {} : { 'content-type': 'application/json' }),
      ...(isForm ? { 'x-csrf': '1' } : {}),
    },
    ...(isGet ? {} : { body: isForm ? toForm(operation) : toBody(operation) }),
  });
  return readFirstResult(response);
}

/** A request error may arrive as an event or as plain JSON. */
async function readFirstResult(response: Response): Promise<Result> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) return (await response.json()) as Result;
  for await (const { event, data } of readEvents(response.body)) {
    if (event === 'next') return JSON.parse(data) as Result;
  }
  throw new Error('The event stream ended without a result.');
}

function toBody(operation: Operation | RawOperation): string {
  return 'body' in operation ? operation.body : JSON.stringify(operation);
}

function toSearch(operation: Operation | RawOperation): string {
  if ('search' in operation) return operation.search;
  const params = Object.entries(operation).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
  return new URLSearchParams(params).toString();
}

/** The GraphQL multipart request format with one small file as the variable `$file`, beside those of the operation. */
function toForm(operation: Operation | RawOperation): FormData {
  const { query, variables } = operation as Operation;
  const form = new FormData();
  const all = { ...(variables as object | undefined), file: null };
  form.append('operations', JSON.stringify({ query, variables: all }));
  form.append('map', JSON.stringify({ 0: ['variables.file'] }));
  form.append('0', new Blob(['no sound'], { type: 'audio/wav' }), 'a.wav');
  return form;
}

async function attemptOverWebSocket({
  url,
  operation,
  token,
}: TransportRequest): Promise<TransportResult> {
  const payload = 'payload' in operation ? operation.payload : JSON.stringify(operation);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const { promise, resolve } = Promise.withResolvers<TransportResult>();
  // A broken connection also emits `close`.
  socket.on('error', () => undefined);
  socket.on('close', (closeCode) => resolve({ closeCode }));
  socket.on('message', (raw) => {
    const message = JSON.parse(String(raw)) as { type: string; payload?: unknown };
    if (message.type === 'connection_ack') {
      socket.send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    }
    if (message.type === 'next') {
      const result = message.payload as Result;
      resolve(result.data === undefined ? { ...result, isErrorInNext: true } : result);
    }
    if (message.type === 'error') resolve({ errors: message.payload as never });
  });
  await Promise.race([once(socket, 'open'), promise]);
  const init = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ type: 'connection_init', payload: init }));
  }
  try {
    return await promise;
  } finally {
    socket.terminate();
  }
}
