import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const keys = createApiKeys({ ann: ['lipsync:read'] });

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

const zeros = (bytes: number) => `[0${',0'.repeat(bytes / 2)}]`;
const ping = (bytes: number) => `{"type":"ping","payload":{"a":"${'x'.repeat(bytes)}"}}`;
const viewer = '{ viewer { name } }';

async function sendAtOnce(...messages: string[]) {
  const raw = await RawWebSocket.connect(it.url);
  for (const message of messages) raw.socket.send(message);
  return raw;
}

describe('works', () => {
  test('pings before connection_init are answered', async () => {
    const raw = await sendAtOnce('{"type":"ping"}', ping(10), '{"type":"connection_init"}');
    await raw.message(({ type }) => type === 'connection_ack');
    expect(raw.messages.map(({ type }) => type)).toEqual(['pong', 'pong', 'connection_ack']);
    raw.socket.terminate();
  });

  test('a token of the length that HTTP accepts signs in', async () => {
    const payload = { authorization: `Bearer ${'x'.repeat(15_000)}` };
    const raw = await sendAtOnce(JSON.stringify({ type: 'connection_init', payload }));
    await raw.message(({ type }) => type === 'connection_ack');
    raw.socket.terminate();
  });

  test('after connection_ack a subscribe message can have a megabyte', async () => {
    const raw = await RawWebSocket.open(it.url);
    raw.subscribe('1', viewer, { unused: 'x'.repeat(900_000) });
    const { payload } = await raw.message(({ type }) => type === 'next');
    expect(payload?.data).toEqual({ viewer: { name: 'anonymous' } });
    for (let n = 0; n < 30; n += 1) raw.send({ type: 'ping' });
    raw.subscribe('2', viewer);
    await raw.message(({ id, type }) => id === '2' && type === 'next');
    raw.socket.terminate();
  });

  test('a message above a limit gets an error under its id, and the connection stays open', async () => {
    const raw = await RawWebSocket.open(it.url);
    const subscribe = (id: string, a: string) =>
      raw.socket.send(
        `{"payload":{"id":"9","query":"${viewer}","variables":{"a":${a}}},"type":"subscribe","id":"${id}"}`,
      );
    subscribe('values', zeros(900_000));
    subscribe('size', zeros(1_500_000));
    subscribe('small', '1');
    const codes = await Promise.all(
      ['values', 'size'].map(async (name) => {
        const { payload } = await raw.message(({ id }) => id === name);
        return (payload as unknown as { extensions: { code: string } }[])[0]?.extensions.code;
      }),
    );
    expect(codes).toEqual(['VALUES_TOO_LARGE', 'REQUEST_TOO_LARGE']);
    await raw.message(({ id }) => id === 'small');
    raw.socket.terminate();
  });
});

describe('keeps out', () => {
  // An empty connection_init once lifted the limits for a client without a token.
  describe('where anonymous callers are not allowed, after a connection_init', () => {
    let closed: TestApp;
    beforeAll(async () => {
      closed = await startTestApp({ env: { ...keys.env, ALLOW_ANONYMOUS: 'false' } });
    });
    afterAll(() => closed?.stop());

    test.each([
      ['without a token', undefined],
      ['with an invalid token', { authorization: 'Bearer invalid' }],
    ])(
      '%s: messages of 17 kB and unfinished ones of 100 kB close with 1009',
      async (_, payload) => {
        for (const send of [
          (raw: RawWebSocket) => raw.subscribe('1', viewer, { unused: 'x'.repeat(17_000) }),
          (raw: RawWebSocket) => raw.socket.send('x'.repeat(100_000), { fin: false }),
        ]) {
          const raw = await RawWebSocket.open(closed.url, payload);
          for (let n = 0; n < 30; n += 1) raw.socket.send(ping(10_000));
          raw.subscribe('0', viewer);
          await raw.message(({ id, type }) => id === '0' && type === 'next');
          send(raw);
          expect((await raw.closed).code).toBe(1009);
        }
      },
    );

    test('with a valid token: a megabyte is accepted', async () => {
      const raw = await RawWebSocket.open(closed.url, keys.headers.ann);
      raw.subscribe('1', viewer, { unused: 'x'.repeat(900_000) });
      const { payload } = await raw.message(({ type }) => type === 'next');
      expect(payload?.data).toEqual({ viewer: { name: 'ann' } });
      raw.socket.terminate();
    });
  });

  // The last two are not JSON and would get 4400: 1009 shows that they were not parsed.
  test.each([
    ['a ping of 2 MB', `{"type":"ping","payload":{"a":${zeros(1_990_000)}}}`],
    ['a ping of 17 kB', ping(17_000)],
    ['a connection_init of 2 MB', `{"type":"connection_init","payload":{"a":${zeros(1_990_000)}}}`],
    ['17 kB that are not JSON', '{'.repeat(17_000)],
    ['2 MB that are not JSON', '{'.repeat(1_990_000)],
  ])('%s before connection_init: the socket closes with 1009', async (_, message) => {
    const raw = await sendAtOnce(message);
    expect((await raw.closed).code).toBe(1009);
    expect(raw.messages).toEqual([]);
  });

  test('a message of 2 MB that never ends: its bytes are not buffered', async () => {
    const raw = await RawWebSocket.connect(it.url);
    raw.socket.send('x'.repeat(100_000), { fin: false });
    expect((await raw.closed).code).toBe(1009);
  });

  test('an eleventh message before connection_ack: the socket closes with 4400', async () => {
    const raw = await sendAtOnce(...Array.from({ length: 11 }, () => '{"type":"ping"}'));
    expect((await raw.closed).code).toBe(4400);
    expect(raw.messages.length).toBeLessThanOrEqual(10);
  });

  test.each([
    ['a ping', ping(17_000)],
    ['a complete', `{"type":"complete","id":"${'x'.repeat(17_000)}"}`],
    [
      'a nested ping',
      `{"type":"ping","payload":{"type":"subscribe","id":"1","a":"${'x'.repeat(17_000)}"}}`,
    ],
  ])('%s of 17 kB after connection_ack: the socket closes with 1009', async (_, message) => {
    const raw = await RawWebSocket.open(it.url);
    raw.socket.send(message);
    expect((await raw.closed).code).toBe(1009);
  });

  test.each([
    ['a ping that nests', `{"type":"ping","payload":{"a":${'['.repeat(30)}${']'.repeat(30)}}}`],
    ['a message of the server', '{"type":"connection_ack"}'],
    ['a list', '[{"type":"ping"}]'],
    ['null', 'null'],
    ['text', 'hello'],
  ])('%s: the socket closes with 4400', async (_, message) => {
    const raw = await RawWebSocket.open(it.url);
    raw.socket.send(message);
    expect((await raw.closed).code).toBe(4400);
  });
});
