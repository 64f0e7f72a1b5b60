import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { RawWebSocket } from '../support/raw-websocket.ts';

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
    await vi.waitFor(async () => {
      const next = await signIn(ann.authorization);
      const is = await isAcknowledged(next);
      next.socket.terminate();
      expect(is).toBe(true);
    });
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
      await vi.waitFor(() => {
        const open = flood.filter(({ socket }) => socket.readyState === socket.OPEN);
        expect(open.length).toBeLessThanOrEqual(5);
      });
      expect(signedIn.socket.readyState).toBe(signedIn.socket.OPEN);
      for (const socket of [...flood, other, signedIn]) socket.socket.terminate();
    },
  );
});
