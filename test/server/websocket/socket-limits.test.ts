import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const owners = createApiKeys({ ann: ['lipsync:read'], bob: ['lipsync:read'] });

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: owners.env, socketLimits: { signedIn: 8, others: 5 } });
});
afterAll(() => it?.stop());

const many = <T>(count: number, create: () => Promise<T>) =>
  Promise.all(Array.from({ length: count }, create));

async function signIn(authorization: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.connect(it.url);
  socket.send({ type: 'connection_init', payload: { authorization } });
  return socket;
}

const isAcknowledged = (socket: RawWebSocket) =>
  socket
    .message(({ type }) => type === 'connection_ack')
    .then(
      () => true,
      () => false,
    );

const { ann, bob } = owners.headers;

/** A WebSocket whose client sends nothing by itself, also no answer to a close frame. */
async function openSilentSocket(): Promise<Duplex> {
  const request = httpRequest(`${it.url}/graphql`, {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      'sec-websocket-protocol': 'graphql-transport-ws',
    },
  });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [unknown, Duplex];
  return socket;
}

/** A masked text frame. A mask of zeros leaves the text as it is. */
function frameOf(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const length = [text.length >> 8, text.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, 0x80 | 126, ...length, 0, 0, 0, 0]), text]);
}

describe('keeps out', () => {
  test('more connections of one owner than its share: other owners still connect', async () => {
    const all = await many(10, () => signIn(ann.authorization));
    const acknowledged = await Promise.all(all.map(isAcknowledged));
    expect(acknowledged.filter((is) => is)).toHaveLength(4);
    const [rejected] = all.filter((_, at) => acknowledged[at] === false);
    expect(await rejected?.closed).toEqual({ code: 1013, reason: 'Too many connections' });
    const other = await signIn(bob.authorization);
    expect(await isAcknowledged(other)).toBe(true);
    for (const socket of [...all, other]) socket.socket.terminate();
    // A closed connection is not counted any more.
    await vi.waitFor(
      async () => {
        const next = await signIn(ann.authorization);
        const is = await isAcknowledged(next);
        next.socket.terminate();
        expect(is).toBe(true);
      },
      { timeout: 60_000 },
    );
  });

  test.each([
    ['that do not sign in', () => RawWebSocket.connect(it.url)],
    ['with an invalid token', () => signIn('Bearer invalid')],
  ])(
    'a flood of connections %s: the oldest are closed, and others still sign in',
    async (_, connect) => {
      const signedIn = await signIn(bob.authorization);
      expect(await isAcknowledged(signedIn)).toBe(true);
      const flood: RawWebSocket[] = [];
      for (let n = 0; n < 20; n += 1) flood.push(await connect());
      const other = await signIn(ann.authorization);
      expect(await isAcknowledged(other)).toBe(true);
      const [oldest] = flood;
      expect(await oldest?.closed).toMatchObject({ code: 1006 });
      await vi.waitFor(
        () => {
          const open = flood.filter(({ socket }) => socket.readyState === socket.OPEN);
          expect(open.length).toBeLessThanOrEqual(5);
        },
        { timeout: 60_000 },
      );
      expect(signedIn.socket.readyState).toBe(signedIn.socket.OPEN);
      for (const socket of [...flood, other, signedIn]) socket.socket.terminate();
    },
  );

  test('a client over its share that does not answer the close: it is disconnected', async () => {
    const held = await many(4, () => signIn(ann.authorization));
    await Promise.all(held.map(isAcknowledged));
    const rejected = await openSilentSocket();
    const disconnected = once(rejected, 'close');
    rejected.resume().write(frameOf({ type: 'connection_init', payload: ann }));
    await disconnected;
    for (const { socket } of held) socket.terminate();
  });
});
