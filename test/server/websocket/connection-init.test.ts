import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const hash = createHash('sha256').update('web').digest('hex');

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { API_KEYS: `web:${hash}:lipsync:read`, ALLOW_ANONYMOUS: '1' } });
});
afterAll(() => it?.stop());

/** The name of the caller after `connection_init` with this payload. */
async function nameOf(payload: unknown): Promise<unknown> {
  const raw = await RawWebSocket.open(it.url, payload);
  raw.subscribe('1', '{ viewer { name } }');
  const result = await raw.message(({ type }) => type === 'next');
  raw.socket.terminate();
  return (result.payload?.data?.viewer as { name?: string } | undefined)?.name;
}

describe('works', () => {
  // `nobody` is the name of an unauthenticated caller.
  test.each([
    ['without a payload', undefined, 'anonymous'],
    ['without a token', {}, 'anonymous'],
    ['with null as the token', { authorization: null }, 'anonymous'],
    ['with a token', { authorization: 'Bearer web' }, 'web'],
    ['with the name in capitals, like a header', { Authorization: 'Bearer web' }, 'web'],
    ['with an invalid token', { authorization: 'Bearer wrong' }, 'nobody'],
    // Apollo's auth link sends it when there is no token.
    ['with an empty text as the token', { authorization: '' }, 'anonymous'],
    ['with only spaces as the token', { Authorization: ' \t ' }, 'anonymous'],
    ['with a scheme without a token', { authorization: 'Bearer ' }, 'nobody'],
    ['with a number as the token', { authorization: 5 }, 'nobody'],
    ['with an empty list as the token', { authorization: [] }, 'nobody'],
    ['with a list as the token', { authorization: ['Bearer web'] }, 'nobody'],
    [
      'with a token in a nested object, which is ignored',
      { headers: { authorization: 'Bearer web' } },
      'anonymous',
    ],
  ])('connection_init %s', async (_, payload, name) => {
    expect(await nameOf(payload)).toBe(name);
  });
});
