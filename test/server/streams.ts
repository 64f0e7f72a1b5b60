import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';

/** Every way to hold a connection open. */
export const ways = [
  'WebSocket',
  'an idle WebSocket',
  'SSE by POST',
  'SSE by GET',
  'SSE by POST for a client that takes anything',
  'SSE by GET for a client that does not say what it takes',
  'SSE by POST in capitals',
  '/graphql/stream by POST',
  '/graphql/stream by GET',
  'a single connection of /graphql/stream',
] as const;
export type Way = (typeof ways)[number];

export type OpenStream = {
  /** All that came so far. */
  text(): string;
  /** Resolves once this came. */
  sees(part: string): Promise<void>;
  /** Resolves with how it ended: the code of a WebSocket, null for an event stream. */
  ended: Promise<number | null>;
  isOpen(): boolean;
  leave(): void;
};

type Watching = { url: string; token: string; id: string };

const query = 'subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }';
const json = { 'content-type': 'application/json' };
const asStream = { accept: 'text/event-stream' };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Watches a lip-sync in that way, and resolves when its first event has come; the idle one only connects. */
export async function openStream(way: Way, watching: Watching): Promise<OpenStream> {
  if (way === 'WebSocket' || way === 'an idle WebSocket') return openSocket(way, watching);
  if (way === 'a single connection of /graphql/stream') return openSingle(watching);
  const path = way.startsWith('SSE') ? '/graphql' : '/graphql/stream';
  const accept = acceptOf(way);
  const method = way.includes('by GET') ? 'GET' : 'POST';
  return openEvents(`${watching.url}${path}`, { method, accept }, watching);
}

/** An empty one is like none. */
function acceptOf(way: Way): string {
  if (way.endsWith('takes anything')) return '*/*';
  if (way.endsWith('what it takes')) return '';
  return way.endsWith('capitals') ? 'TEXT/EVENT-STREAM' : 'text/event-stream';
}

/** What came, and a promise of each part of it. */
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
    async sees(part: string) {
      while (!text.includes(part)) {
        if (isOver) throw new Error(`It ended without ${part}: ${text}`);
        await once(arrivals, 'part');
      }
    },
  };
}

async function openSocket(way: Way, { url, token, id }: Watching): Promise<OpenStream> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const { add, end, text, sees } = createTranscript();
  socket.on('message', (data) => add(String(data)));
  socket.once('close', end);
  const ended = once(socket, 'close').then(([code]) => Number(code));
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: bearer(token) }));
  await sees('connection_ack');
  if (way === 'WebSocket') {
    const payload = { query, variables: { id } };
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    await sees('"next"');
  }
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  return { text, sees, ended, isOpen, leave: () => socket.close() };
}

async function openEvents(
  address: string,
  { method, accept }: { method: 'GET' | 'POST'; accept: string },
  { token, id }: Watching,
): Promise<OpenStream> {
  const body = JSON.stringify({ query, variables: { id } });
  const search = new URLSearchParams({ query, variables: JSON.stringify({ id }) });
  const headers = { accept, ...bearer(token) };
  const stream =
    method === 'GET'
      ? await readStream(`${address}?${search}`, { headers })
      : await readStream(address, { method, headers: { ...headers, ...json }, body });
  await stream.sees('event: next');
  return stream;
}

async function openSingle({ url, token, id }: Watching): Promise<OpenStream> {
  const reservation = await reserve(url, token);
  const headers = { ...bearer(token), 'x-graphql-event-stream-token': await reservation.text() };
  const stream = await readStream(`${url}/graphql/stream`, {
    headers: { ...asStream, ...headers },
  });
  const body = { query, variables: { id }, extensions: { operationId: '1' } };
  await fetch(`${url}/graphql/stream`, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify(body),
  });
  await stream.sees('event: next');
  return stream;
}

/** Reserves a stream for the results of operations. */
export function reserve(url: string, token: string): Promise<Response> {
  return fetch(`${url}/graphql/stream`, { method: 'PUT', headers: bearer(token) });
}

async function readStream(address: string, request: RequestInit): Promise<OpenStream> {
  const leaving = new AbortController();
  const response = await fetch(address, { ...request, signal: leaving.signal });
  const { add, end, text, sees } = createTranscript();
  let isOpen = true;
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) add(decoder.decode(chunk, { stream: true }));
    return null;
  })().finally(() => {
    isOpen = false;
    end();
  });
  // Whoever leaves does not ask for its end.
  ended.catch(() => undefined);
  return { text, sees, ended, isOpen: () => isOpen, leave: () => leaving.abort() };
}
