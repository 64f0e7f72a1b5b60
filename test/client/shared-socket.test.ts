import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { watchLipsync, webSocket } from 'lipsync-graphql-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { event } from './scripted-server.ts';
import { threeAttempts as backOff } from './transports.ts';

type Message = { id: string; type: string; payload?: unknown };

let server: WebSocketServer;
let received: Message[];
/** Whether the server acknowledges the connection at once. */
let acknowledges: boolean;
/** What the server does with each message, beside the acknowledgement. */
let onMessage: (message: Message, socket: WebSocket) => void;
beforeEach(async () => {
  received = [];
  acknowledges = true;
  onMessage = () => {};
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => {
    socket.on('message', (raw) => {
      const message = JSON.parse(String(raw)) as Message;
      received.push(message);
      if (acknowledges && message.type === 'connection_init') {
        socket.send('{"type":"connection_ack"}');
      }
      onMessage(message, socket);
    });
  });
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

const urlOf = ({ port }: AddressInfo) => `http://127.0.0.1:${port}/graphql`;
const serverWith = (transport: ReturnType<typeof webSocket>) => ({
  url: urlOf(server.address() as AddressInfo),
  transport,
  backOff,
});

const typesOf = () => received.map(({ type }) => type);
const answer = (id: string, sequence: number, status: string) =>
  JSON.stringify({ id, type: 'next', payload: { data: { answer: event(sequence, status) } } });

describe('works', () => {
  test('begins with connection_init and subscribes after connection_ack', async () => {
    acknowledges = false;
    onMessage = ({ type, id, payload }, socket) => {
      if (type === 'connection_init') socket.send('{"type":"ping","payload":{"at":7}}');
      if (type === 'subscribe') socket.send(answer(id, 1, 'COMPLETED'));
      if (type !== 'pong') return;
      // Messages arrive in order: a subscription before the acknowledgement would be here.
      expect(typesOf()).toEqual(['connection_init', 'pong']);
      expect(payload).toEqual({ at: 7 });
      received.pop();
      socket.send('{"type":"connection_ack"}');
    };
    const updates = watchLipsync({ ...serverWith(webSocket()), token: 'a token' }, 'a lip-sync');
    expect((await updates.next()).value).toMatchObject({ sequence: 1 });
    expect(typesOf()).toEqual(['connection_init', 'subscribe']);
    expect(received[0]?.payload).toEqual({ authorization: 'Bearer a token' });
    await updates.return?.();
  });

  test('answers a ping of the server with its payload', async () => {
    const { promise: answered, resolve } = Promise.withResolvers<unknown>();
    onMessage = ({ type, payload }, socket) => {
      if (type === 'subscribe') socket.send('{"type":"ping","payload":{"at":7}}');
      if (type === 'pong') resolve(payload);
    };
    const updates = watchLipsync(serverWith(webSocket()), 'a lip-sync');
    const waiting = updates.next().catch(() => undefined);
    expect(await answered).toEqual({ at: 7 });
    for (const socket of server.clients) socket.close(4400);
    await waiting;
  });

  test('sends a ping while the server is silent, and another one after the pong', async () => {
    const { promise: second, resolve } = Promise.withResolvers<void>();
    let pings = 0;
    onMessage = ({ type }, socket) => {
      if (type !== 'ping') return;
      pings += 1;
      if (pings === 2) resolve();
      socket.send('{"type":"pong"}');
    };
    const updates = watchLipsync(serverWith(webSocket({ silenceMs: 1_500 })), 'a lip-sync');
    const waiting = updates.next().catch(() => undefined);
    await second;
    expect(typesOf().filter((type) => type === 'subscribe')).toHaveLength(1);
    for (const socket of server.clients) socket.close(4400);
    await waiting;
  });

  test('opens another socket if the server answers and never acknowledges the connection', async () => {
    let sockets = 0;
    acknowledges = false;
    onMessage = ({ type, id }, socket) => {
      if (type === 'subscribe') socket.send(answer(id, 1, 'COMPLETED'));
      if (type === 'connection_init') sockets += 1;
      if (sockets === 1) socket.send('{"type":"ping"}');
      else if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    };
    const updates = watchLipsync(serverWith(webSocket({ silenceMs: 1_500 })), 'a lip-sync');
    expect((await updates.next()).value).toMatchObject({ sequence: 1 });
    expect(sockets).toBe(2);
    await updates.return?.();
  });

  test('completes the stream that is left, and keeps the socket for the others', async () => {
    onMessage = ({ type, id }, socket) => {
      if (type === 'subscribe') socket.send(answer(id, 1, 'GENERATING'));
    };
    const target = serverWith(webSocket());
    const [first, second] = [watchLipsync(target, 'one'), watchLipsync(target, 'two')];
    await Promise.all([first.next(), second.next()]);
    await first.return?.();
    await vi.waitFor(() => expect(typesOf()).toContain('complete'), { timeout: 60_000 });
    const ids = received.filter(({ type }) => type !== 'connection_init').map(({ id }) => id);
    expect(ids).toEqual(['1', '2', '1']);
    expect(server.clients.size).toBe(1);
    await second.return?.();
  });
});

describe('keeps out', () => {
  test.each([
    'no JSON',
    'null',
    '{"id":"1","type":"next","payload":null}',
    '{"id":"1","type":"error"}',
  ])('a message that the protocol does not have: %s', async (text) => {
    let streams = 0;
    onMessage = ({ type, id }, socket) => {
      if (type !== 'subscribe') return;
      streams += 1;
      socket.send(streams === 1 ? text : answer(id, 1, 'COMPLETED'));
    };
    const updates = watchLipsync(serverWith(webSocket()), 'a lip-sync');
    expect((await updates.next()).value).toMatchObject({ sequence: 1 });
    expect(streams).toBe(2);
    await updates.return?.();
  });

  test('an uncaught error of the package ws when the stream is closed before the socket has opened', async () => {
    const closing = new AbortController();
    const isOpening = vi.fn();
    class Opening extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol);
        isOpening();
        queueMicrotask(() => closing.abort(new Error('Left.')));
      }
    }
    const target = serverWith(webSocket({ implementation: Opening }));
    const updates = watchLipsync(target, 'a lip-sync', { signal: closing.signal });
    await expect(updates.next()).rejects.toThrow('Left.');
    expect(isOpening).toHaveBeenCalledOnce();
    await vi.waitFor(() => expect(server.clients.size).toBe(0), { timeout: 60_000 });
    expect(received).toEqual([]);
  });
});
