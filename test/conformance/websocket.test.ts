import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import {
  idOf,
  type LipsyncApp,
  progressSubscription,
  startLipsyncApp,
} from '../support/lipsync-app.ts';
import { longWait } from '../support/lipsyncs.ts';
import { type Message, RawWebSocket } from '../support/raw-websocket.ts';

/*
 * https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, one test for each sentence that a server can
 * break. The content of the answers is tested elsewhere.
 */

let app: LipsyncApp;
let url: string;
/** The id of a lip-sync whose job never ends. */
let id: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  await app.turn({ callbacks: 'none' });
  url = app.url;
  const [video = ''] = await app.listVideoIds();
  const speech = { script: { text: '[[never]] Quiet' } };
  id = idOf(await app.create({ video: { videoId: video }, speech }));
});
afterAll(() => app?.stop());

const name = '{ viewer { name } }';
const subscribe = (query = name) => ({ type: 'subscribe', id: '1', payload: { query } });
const watched = () => app.services.lipsyncs.watchedCount();
const isAbout = (each: string) => (message: Message) => message.id === each;

/** The messages about operations, as `id type`. */
function operationMessages({ messages }: RawWebSocket): string[] {
  return messages.flatMap((each) => (each.id === undefined ? [] : [`${each.id} ${each.type}`]));
}

/** Waits for a pong, which arrives after the answers to all earlier messages. */
async function settled(raw: RawWebSocket): Promise<void> {
  const mark = { mark: raw.messages.length };
  raw.send({ type: 'ping', payload: mark });
  await raw.message(
    ({ type, payload }) => type === 'pong' && JSON.stringify(payload) === JSON.stringify(mark),
  );
}

/** A raw handshake, because `ws` disconnects before it reads the close frame when no subprotocol is accepted. */
async function shakeHands(subprotocol: string | null) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = [
    'GET /graphql HTTP/1.1',
    `host: ${host}`,
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${Buffer.alloc(16).toString('base64')}`,
    ...(subprotocol === null ? [] : [`sec-websocket-protocol: ${subprotocol}`]),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  let bytes = Buffer.alloc(0);
  const frame = () => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
  // The second byte of a frame is its length; 0x88 is a close frame.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (frame()[0] === 0x88 && frame().length >= 2 + (frame()[1] ?? 0)) break;
  }
  const head = bytes.toString('latin1', 0, bytes.length - frame().length);
  return { head, closing: { code: frame().readUInt16BE(2), reason: frame().toString('utf8', 4) } };
}

describe('works', () => {
  it('acknowledges connection_init, with the negotiated subprotocol', async () => {
    const raw = await RawWebSocket.open(url);
    expect(raw.socket.protocol).toBe('graphql-transport-ws');
    expect(raw.messages).toEqual([{ type: 'connection_ack' }]);
    raw.socket.close(1000);
    expect((await raw.closed).code).toBe(1000);
  });

  it('selects its subprotocol from several in any order', async () => {
    const raw = await RawWebSocket.connect(url, ['graphql-ws', 'other', 'graphql-transport-ws']);
    expect(raw.socket.protocol).toBe('graphql-transport-ws');
    raw.socket.close();
  });

  it('answers a ping with a pong and the same payload, even before connection_init', async () => {
    const raw = await RawWebSocket.connect(url);
    raw.send({ type: 'ping' });
    await raw.message(({ type }) => type === 'pong');
    raw.send({ type: 'ping', payload: { sentAt: 1 } });
    await raw.message(({ payload }) => payload !== undefined);
    expect(raw.messages).toEqual([{ type: 'pong' }, { type: 'pong', payload: { sentAt: 1 } }]);
    raw.socket.close();
  });

  it('accepts an unsolicited pong without an answer', async () => {
    const raw = await RawWebSocket.open(url);
    raw.send({ type: 'pong' });
    raw.send({ type: 'pong', payload: { sentAt: 1 } });
    await settled(raw);
    expect(raw.messages.map(({ type }) => type)).toEqual(['connection_ack', 'pong']);
    raw.socket.close();
  });

  it('answers a query with one next and complete', async () => {
    const raw = await RawWebSocket.open(url);
    raw.send(subscribe());
    await raw.message(({ type }) => type === 'complete');
    expect(operationMessages(raw)).toEqual(['1 next', '1 complete']);
    expect(raw.messages[1]?.payload).toMatchObject({ data: { viewer: { name: 'anonymous' } } });
    raw.socket.close();
  });

  it('answers an invalid operation with error only, and keeps the connection', async () => {
    const raw = await RawWebSocket.open(url);
    raw.send(subscribe('{ nothing }'));
    const { payload } = await raw.message(({ type }) => type === 'error');
    expect(payload).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
    raw.send(subscribe());
    await raw.message(({ type }) => type === 'complete');
    expect(operationMessages(raw)).toEqual(['1 error', '1 next', '1 complete']);
    raw.socket.close();
  });

  it('runs operations concurrently, each under its id', async () => {
    const raw = await RawWebSocket.open(url);
    const ids = ['a', 'b', '🏊'];
    for (const each of ids) raw.subscribe(each, progressSubscription, { id });
    for (const each of ids) await raw.message(isAbout(each));
    raw.subscribe('query', name);
    await raw.message((message) => isAbout('query')(message) && message.type === 'complete');
    expect(operationMessages(raw).toSorted()).toEqual(
      ['a next', 'b next', '🏊 next', 'query next', 'query complete'].toSorted(),
    );
    raw.socket.close();
    await vi.waitFor(() => expect(watched()).toBe(0), longWait);
  });

  it('ends a subscription on complete, sends nothing more for it, and frees its id', async () => {
    const raw = await RawWebSocket.open(url);
    raw.subscribe('1', progressSubscription, { id });
    await raw.message(({ type }) => type === 'next');
    expect(watched()).toBe(1);
    raw.complete('1');
    await vi.waitFor(() => expect(watched()).toBe(0), longWait);
    await settled(raw);
    expect(operationMessages(raw)).toEqual(['1 next']);
    raw.send(subscribe());
    await raw.message(({ type }) => type === 'complete');
    expect(operationMessages(raw)).toEqual(['1 next', '1 next', '1 complete']);
    raw.socket.close();
  });

  it('sends complete when the source of a subscription ends', async () => {
    const raw = await RawWebSocket.open(url);
    raw.subscribe('1', progressSubscription, { id: 'TGlwc3luYzpub25l' });
    await raw.message(({ type }) => type === 'complete');
    expect(operationMessages(raw)).toEqual(['1 next', '1 complete']);
    raw.socket.close();
  });

  it('ignores complete for an unknown operation, because both sides can send it at the same time', async () => {
    const raw = await RawWebSocket.open(url);
    raw.complete('nothing');
    raw.send(subscribe());
    await raw.message(({ type }) => type === 'complete');
    expect(operationMessages(raw)).toEqual(['1 next', '1 complete']);
    raw.socket.close();
  });

  it('pings a quiet client and keeps the connection on its pong', async () => {
    // Client and database share the process: a pause of a whole interval would look like a missing pong.
    await using quick = await startTestApp({ heartbeatMs: 500 });
    const raw = await RawWebSocket.open(quick.url);
    let pings = 0;
    const enough = Promise.withResolvers<void>();
    raw.socket.on('ping', () => {
      pings += 1;
      if (pings === 3) enough.resolve();
    });
    const closed = raw.closed.then(({ code }) => Promise.reject(new Error(`Closed with ${code}.`)));
    // After this the test closes the connection itself.
    closed.catch(() => undefined);
    await Promise.race([enough.promise, closed]);
    raw.send(subscribe());
    await raw.message(({ type }) => type === 'complete');
    raw.socket.close();
  });
});

describe('refuses', () => {
  it('a connection without connection_init: 4408, after the timeout', async () => {
    const raw = await RawWebSocket.connect(url);
    expect(await raw.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
    expect(raw.messages).toEqual([]);
  });

  it.each([
    ['behind the first', async (raw: RawWebSocket) => void (await raw.message(() => true))],
    ['together with the first', async () => undefined],
  ])('a second connection_init, %s: 4429', async (_, wait) => {
    const raw = await RawWebSocket.connect(url);
    raw.send({ type: 'connection_init' });
    await wait(raw);
    raw.send({ type: 'connection_init' });
    expect(await raw.closed).toEqual({ code: 4429, reason: 'Too many initialisation requests' });
  });

  it('subscribe before connection_init: 4401, without executing it', async () => {
    const raw = await RawWebSocket.connect(url);
    raw.subscribe('1', progressSubscription, { id });
    expect(await raw.closed).toEqual({ code: 4401, reason: 'Unauthorized' });
    expect([raw.messages, watched()]).toEqual([[], 0]);
  });

  it('subscribe before connection_ack: 4401', async () => {
    const raw = await RawWebSocket.connect(url);
    raw.send({ type: 'connection_init' });
    raw.send(subscribe());
    expect(await raw.closed).toEqual({ code: 4401, reason: 'Unauthorized' });
  });

  it('a duplicate id: 4409, and ends the operations of the connection', async () => {
    const raw = await RawWebSocket.open(url);
    raw.subscribe('1', progressSubscription, { id });
    await raw.message(({ type }) => type === 'next');
    raw.send(subscribe());
    expect(await raw.closed).toEqual({ code: 4409, reason: 'Subscriber for 1 already exists' });
    await vi.waitFor(() => expect(watched()).toBe(0), longWait);
  });

  it('the id of an operation without an answer yet: 4409', async () => {
    const raw = await RawWebSocket.open(url);
    raw.send(subscribe());
    raw.send(subscribe());
    expect((await raw.closed).code).toBe(4409);
  });

  const payload = { query: name };
  it.each<[string, string | Buffer]>([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['bytes', Buffer.from([0, 255, 1])],
    ['null', 'null'],
    ['a number', '1'],
    ['a list', '[]'],
    ['no type', '{}'],
    ['a type that is none', '{"type":"start","id":"1","payload":{"query":"{ __typename }"}}'],
    ['what only a server says', '{"type":"connection_ack"}'],
    ['next', '{"type":"next","id":"1","payload":{"data":{}}}'],
    ['error', '{"type":"error","id":"1","payload":[{"message":"x"}]}'],
    ['subscribe without an id', JSON.stringify({ type: 'subscribe', payload })],
    ['subscribe with an empty id', JSON.stringify({ type: 'subscribe', id: '', payload })],
    ['subscribe with a number for an id', JSON.stringify({ type: 'subscribe', id: 1, payload })],
    ['subscribe without a payload', '{"type":"subscribe","id":"1"}'],
    ['subscribe without a query', '{"type":"subscribe","id":"1","payload":{}}'],
    [
      'subscribe with a query that is not a string',
      '{"type":"subscribe","id":"1","payload":{"query":1}}',
    ],
    ['complete without an id', '{"type":"complete"}'],
    ['a payload of connection_init that is none', '{"type":"connection_init","payload":1}'],
    ['a payload of ping that is none', '{"type":"ping","payload":"x"}'],
  ])('%s: 4400', async (_, text) => {
    const raw = await RawWebSocket.open(url);
    raw.socket.send(text);
    expect(await raw.closed).toEqual({ code: 4400, reason: 'Invalid message received' });
  });

  it.each([null, 'graphql-ws', 'mqtt'])('the subprotocol %s: 4406', async (subprotocol) => {
    const { head, closing } = await shakeHands(subprotocol);
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).not.toMatch(/sec-websocket-protocol/i);
    expect(closing).toEqual({ code: 4406, reason: 'Subprotocol not acceptable' });
  });
});

describe('keeps out', () => {
  it('effects of one closed connection on another', async () => {
    const [good, bad] = await Promise.all([RawWebSocket.open(url), RawWebSocket.open(url)]);
    good.subscribe('1', progressSubscription, { id });
    await good.message(({ type }) => type === 'next');
    bad.socket.send('hello');
    await bad.closed;
    good.send({ ...subscribe(), id: '2' });
    await good.message((message) => isAbout('2')(message) && message.type === 'complete');
    expect(watched()).toBe(1);
    good.socket.close();
    await vi.waitFor(() => expect(watched()).toBe(0), longWait);
  });
});
