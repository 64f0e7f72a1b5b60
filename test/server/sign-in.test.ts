import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';

const hash = createHash('sha256').update('web').digest('hex');

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { API_KEYS: `web:${hash}:lipsync:read`, ALLOW_ANONYMOUS: '1' } });
});
afterAll(() => it?.stop());

/** As whom a socket is signed in that begins with this payload. */
async function nameOf(payload: unknown): Promise<string> {
  const socket = new WebSocket(`${it.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const hear = async () => JSON.parse(String((await once(socket, 'message'))[0]));
  const acknowledged = hear();
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  await acknowledged;
  const result = hear();
  const query = '{ viewer { name } }';
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  const { payload: told } = await result;
  socket.terminate();
  return told.data.viewer.name;
}

describe('connection_init', () => {
  test.each([
    ['without a payload', undefined, 'anonymous'],
    ['without a token', {}, 'anonymous'],
    ['with null for a token', { authorization: null }, 'anonymous'],
    ['with a token', { authorization: 'Bearer web' }, 'web'],
    ['with a token as a header is written', { Authorization: 'Bearer web' }, 'web'],
    ['with a bad token', { authorization: 'Bearer wrong' }, 'nobody'],
    ['with an empty token', { authorization: '' }, 'nobody'],
    ['with a number for a token', { authorization: 5 }, 'nobody'],
    ['with a list for a token', { authorization: ['Bearer web'] }, 'nobody'],
    [
      'with a token among headers, where none is looked for',
      { headers: { authorization: 'Bearer web' } },
      'anonymous',
    ],
  ])('%s', async (_, payload, name) => {
    expect(await nameOf(payload)).toBe(name);
  });
});
