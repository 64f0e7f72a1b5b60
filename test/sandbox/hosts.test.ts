import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

async function statusFor(path: string, host: string): Promise<number | undefined> {
  const [response] = await once(
    get(`${it.sandbox.origin}${path}`, { headers: { host } }),
    'response',
  );
  (response as IncomingMessage).resume();
  return (response as IncomingMessage).statusCode;
}

const paths = ['/_sandbox/jobs', '/_sandbox/switches', '/v2/pixverse/accounts', '/nothing'];

describe('keeps out', () => {
  // A page can rebind its DNS name to the loopback address.
  test.each(['evil.example', 'localhost.evil.example', '10.0.0.1', '127.0.0.1.evil.example'])(
    'the host %s from the API and the control paths',
    async (host) => {
      for (const path of paths) expect([path, await statusFor(path, host)]).toEqual([path, 421]);
    },
  );

  test('two Host headers', async () => {
    const { port } = new URL(it.sandbox.origin);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end(
      'GET /_sandbox/jobs HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    );
    expect((await socket.toArray()).join('')).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('works', () => {
  test.each(['localhost:1', '127.0.0.1', '[::1]:80'])('the loopback name %s', async (host) => {
    expect(await statusFor('/_sandbox/jobs', host)).toBe(200);
  });
});
