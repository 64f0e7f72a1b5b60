import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { RawWebSocket } from './raw-websocket.ts';

/** Every way to keep a connection open, each with a name for titles. */
export const connectionKinds = [
  'WebSocket',
  'an idle WebSocket',
  'SSE by POST',
  'SSE by GET',
  'SSE by POST with Accept: */*',
  'SSE by GET with an empty Accept',
  'SSE by POST with Accept in capitals',
  'a multipart stream by POST',
  'a multipart stream by GET',
] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

export type OpenStream = {
  /** Everything received so far. */
  text(): string;
  /** Resolves when this text was received. */
  receives(part: string): Promise<void>;
  /**
   * Resolves when the client has received the message that the subscription is complete, so that it does not reconnect.
   */
  completes(): Promise<void>;
  isComplete(): boolean;
  /** Resolves when the connection ends: with the close code of a WebSocket, with null for an event stream. */
  ended: Promise<number | null>;
  isOpen(): boolean;
  disconnect(): void;
};

/** Without a token, an anonymous caller subscribes. */
type Subscription = { url: string; token?: string; id: string };

const query = 'subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }';
const json = { 'content-type': 'application/json' };
const bearer = (token?: string) =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/** Subscribes to a lip-sync, and resolves when its first event has arrived. The idle WebSocket only connects. */
export async function openStream(
  kind: ConnectionKind,
  subscription: Subscription,
): Promise<OpenStream> {
  if (kind === 'WebSocket' || kind === 'an idle WebSocket') return openSocket(kind, subscription);
  const method = kind.includes('by GET') ? 'GET' : 'POST';
  return openEvents({ method, accept: acceptOf(kind) }, subscription);
}

function acceptOf(kind: ConnectionKind): string {
  // As Apollo Client's HttpLink sends it.
  if (kind.startsWith('a multipart')) {
    return 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json';
  }
  if (kind.endsWith('*/*')) return '*/*';
  if (kind.endsWith('an empty Accept')) return '';
  return kind.endsWith('capitals') ? 'TEXT/EVENT-STREAM' : 'text/event-stream';
}

/** How the first event begins, and what says that the subscription is complete. */
const eventMarks = { first: 'event: next', last: 'event: complete' };
const partMarks = { first: '{"payload":{', last: '\r\n--graphql--\r\n' };
type Marks = typeof eventMarks;

/** The delimiter also ends a multipart stream that was interrupted, after a part without a payload. */
const interrupted = '{"payload":null';

function createTranscript() {
  const arrivals = new EventEmitter();
  let text = '';
  let isOver = false;
  return {
    text: () => text,
    add(part: string) {
      text += part;
      arrivals.emit('part');
    },
    end() {
      isOver = true;
      arrivals.emit('part');
    },
    async receives(part: string) {
      while (!text.includes(part)) {
        if (isOver) throw new Error(`The stream ended without ${part}: ${text}`);
        await once(arrivals, 'part');
      }
    },
  };
}

async function openSocket(
  kind: ConnectionKind,
  { url, token, id }: Subscription,
): Promise<OpenStream> {
  const raw = await RawWebSocket.open(url, bearer(token));
  if (kind === 'WebSocket') {
    raw.subscribe('1', query, { id });
    await raw.message(({ type }) => type === 'next');
  }
  return {
    text: () => raw.messages.map((message) => JSON.stringify(message)).join(''),
    receives: async (part) =>
      void (await raw.message((message) => JSON.stringify(message).includes(part))),
    completes: async () => void (await raw.message(({ type }) => type === 'complete')),
    isComplete: () => raw.messages.some(({ type }) => type === 'complete'),
    ended: raw.closed.then(({ code }) => code),
    isOpen: () => raw.socket.readyState === WebSocket.OPEN,
    disconnect: () => raw.socket.close(),
  };
}

async function openEvents(
  { method, accept }: { method: 'GET' | 'POST'; accept: string },
  { url, token, id }: Subscription,
): Promise<OpenStream> {
  const body = JSON.stringify({ query, variables: { id } });
  const search = new URLSearchParams({ query, variables: JSON.stringify({ id }) });
  const headers = { accept, ...bearer(token) };
  const marks = accept.startsWith('multipart') ? partMarks : eventMarks;
  const stream =
    method === 'GET'
      ? await readStream(`${url}/graphql?${search}`, marks, { headers })
      : await readStream(`${url}/graphql`, marks, {
          method,
          headers: { ...headers, ...json },
          body,
        });
  await stream.receives(marks.first);
  return stream;
}

async function readStream(
  address: string,
  { last }: Marks,
  request: RequestInit,
): Promise<OpenStream> {
  const disconnecting = new AbortController();
  const response = await fetch(address, { ...request, signal: disconnecting.signal });
  const { add, end, text, receives } = createTranscript();
  let isOpen = true;
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) add(decoder.decode(chunk, { stream: true }));
    return null;
  })().finally(() => {
    isOpen = false;
    end();
  });
  // A test that disconnects does not wait for the end.
  ended.catch(() => undefined);
  return {
    text,
    receives,
    completes: () => receives(last),
    isComplete: () => text().includes(last) && !text().includes(interrupted),
    ended,
    isOpen: () => isOpen,
    disconnect: () => disconnecting.abort(),
  };
}
