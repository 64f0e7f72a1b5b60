import { type Result, readEvents } from './graphql-client.ts';
import { type Message, RawWebSocket } from './raw-websocket.ts';

/** Every transport over which the server accepts an operation. */
export const transports = [
  'POST',
  'GET',
  'SSE by POST',
  'SSE by GET',
  'WebSocket',
  'multipart stream',
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

/** A well-formed or a malformed operation. */
export type AnyOperation = Operation | RawOperation;

export type TransportRequest = {
  /** Of the server, without a path. */
  url: string;
  operation: AnyOperation;
  /** A bearer token. Default: anonymous. */
  token?: string | undefined;
  /** The whole `authorization`, in place of `token`. */
  authorization?: string | undefined;
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
  { url, operation, ...credential }: TransportRequest,
): Promise<Result> {
  const isGet = transport.endsWith('GET');
  const isForm = transport === 'multipart form';
  const response = await fetch(`${url}/graphql${isGet ? `?${toSearch(operation)}` : ''}`, {
    method: isGet ? 'GET' : 'POST',
    headers: {
      accept: acceptOf(transport),
      ...authorizationOf(credential),
      ...(isGet || isForm ? {} : { 'content-type': 'application/json' }),
      ...(isForm ? { 'x-csrf': '1' } : {}),
    },
    ...(isGet ? {} : { body: isForm ? toForm(operation) : toBody(operation) }),
  });
  return readFirstResult(response);
}

function authorizationOf({
  token,
  authorization = token === undefined ? undefined : `Bearer ${token}`,
}: Pick<TransportRequest, 'token' | 'authorization'>): { authorization?: string } {
  return authorization === undefined ? {} : { authorization };
}

function acceptOf(transport: Transport): string {
  if (transport === 'multipart stream') return acceptMultipart;
  return transport.startsWith('SSE') ? 'text/event-stream' : anyType;
}

/** A request error may arrive as an event, as a part or as plain JSON. */
async function readFirstResult(response: Response): Promise<Result> {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('multipart/mixed')) return readFirstPart(response);
  if (!type.startsWith('text/event-stream')) return (await response.json()) as Result;
  for await (const { event, data } of readEvents(bodyOf(response))) {
    if (event === 'next') return JSON.parse(data) as Result;
  }
  throw new Error('The event stream ended without a result.');
}

async function readFirstPart(response: Response): Promise<Result> {
  for await (const { payload, errors = [] } of readParts(bodyOf(response))) {
    if (payload !== undefined) return payload ?? { errors };
  }
  throw new Error('The multipart stream ended without a result.');
}

function bodyOf({ body }: Response): ReadableStream<Uint8Array> {
  if (body === null) throw new Error('The response has no body.');
  return body;
}

/** A part of Apollo's multipart protocol for subscriptions; a heartbeat has no payload. */
export type Part = { payload?: Result | null; errors?: NonNullable<Result['errors']> };

/** Without JSON, so that every result is a part. */
const acceptMultipart = 'multipart/mixed;subscriptionSpec=1.0';

const delimiter = '\r\n--graphql';

/** The parts until the closing delimiter. @throws when the body ends before it */
export async function* readParts(body: ReadableStream<Uint8Array>): AsyncGenerator<Part, void> {
  const decoder = new TextDecoder();
  // The delimiter before the first part has no line break before it.
  let text = '\r\n';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter)) {
      const [head, json] = text.slice(0, at).split('\r\n\r\n');
      text = text.slice(at + delimiter.length);
      if (json === undefined) continue;
      if (!/^\r\ncontent-type: application\/json/i.test(head ?? '')) {
        throw new Error(`The head of a part is ${head}.`);
      }
      yield JSON.parse(json) as Part;
    }
    if (text === '--\r\n') return;
  }
  throw new Error('The multipart stream ended without its closing delimiter.');
}

function toBody(operation: AnyOperation): string {
  return 'body' in operation ? operation.body : JSON.stringify(operation);
}

function toSearch(operation: AnyOperation): string {
  if ('search' in operation) return operation.search;
  const params = Object.entries(operation).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
  return new URLSearchParams(params).toString();
}

/** The GraphQL multipart request format with one small file as the variable `$file`, beside those of the operation. */
function toForm(operation: AnyOperation): FormData {
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
  ...credential
}: TransportRequest): Promise<TransportResult> {
  const payload = 'payload' in operation ? operation.payload : JSON.stringify(operation);
  const raw = await RawWebSocket.connect(url);
  raw.send({ type: 'connection_init', payload: authorizationOf(credential) });
  try {
    await raw.message(({ type }) => type === 'connection_ack');
    raw.socket.send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    return toResult(await raw.message(({ type }) => type === 'next' || type === 'error'));
  } catch {
    return { closeCode: (await raw.closed).code };
  } finally {
    raw.socket.terminate();
  }
}

function toResult({ type, payload }: Message): TransportResult {
  if (type === 'error') return { errors: payload as never };
  const result = payload as Result;
  return result.data === undefined ? { ...result, isErrorInNext: true } : result;
}
