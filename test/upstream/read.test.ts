import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findFreePort } from '../support/free-port.ts';
import {
  connect,
  secrets,
  serveAnswer,
  serveBytes,
  serveHttp,
  serveTcp,
  thrownBy,
} from './servers.ts';

const schema = z.object({ n: z.number() });
const request = { path: '/things', schema };

function failureFrom(baseUrl: string, timeoutMs = 5_000): Promise<unknown> {
  return thrownBy(connect(baseUrl, { timeoutMs }).upstream.read(request));
}

describe('a read', () => {
  test('gives the JSON as parsed by its schema, over pooled connections', async () => {
    const served = await serveAnswer(200, { n: 1, more: 2 });
    const { upstream } = connect(served.baseUrl);
    expect(await upstream.read(request)).toEqual({ n: 1 });
    for (let reads = 1; reads < 10; reads += 1) {
      await upstream.read(request);
    }
    // Not exactly one: undici does not reuse a connection immediately after a response.
    expect(served.connections).toBeLessThanOrEqual(3);
    expect(served.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${secrets.token}`,
      'user-agent': 'lipsync-graphql',
    });
  });

  test('sends its path unchanged and its query encoded', async () => {
    const served = await serveAnswer(200, { n: 1 });
    const { upstream } = connect(`${served.baseUrl}/`);
    const path = '/videos/user:1-pixverse:a+b@c.d-video:2';
    await upstream.read({ path, query: { email: 'a+b@c.d', limit: 2, offset: undefined }, schema });
    expect(served.requests[0]?.path).toBe(`/v2/pixverse${path}?email=a%2Bb%40c.d&limit=2`);
  });

  test.each([
    ['HTML', '<html>hello</html>'],
    ['nothing', ''],
    ['half of a JSON', '{"n":'],
    ['another shape', '{"n":"one"}'],
    ['null', 'null'],
    ['a deep nest', '['.repeat(100_000)],
  ])('throws INVALID_ANSWER for a 200 with %s, and does not retry', async (_name, text) => {
    const served = await serveAnswer(200, text, { 'content-type': 'text/html' });
    expect(await failureFrom(served.baseUrl)).toMatchObject({ reason: 'INVALID_ANSWER' });
    expect(served.requests).toHaveLength(1);
  });

  test.each<[name: string, encode: (text: string) => string | Buffer, coding?: string]>([
    ['gzip', gzipSync],
    ['X-GZIP', gzipSync],
    ['deflate', deflateSync],
    ['deflate without a header', deflateRawSync, 'deflate'],
    ['gzip that is none', (text: string) => text, 'gzip'],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['identity', (text: string) => text],
    ['gzip, br', (text: string) => brotliCompressSync(gzipSync(text))],
  ])(
    'decodes a response in the encoding %s, although it asked for identity',
    async (name, encode, coding = name) => {
      const served = await serveHttp((_received, response) => {
        response.writeHead(200, { 'content-encoding': coding }).end(encode('{"n":1}'));
      });
      const { upstream } = connect(served.baseUrl);
      expect(await upstream.read(request)).toEqual({ n: 1 });
      expect(served.requests[0]?.headers['accept-encoding']).toBe('identity');
    },
  );

  test.each([
    ['is cut within its encoding', 'gzip', () => gzipSync('{"n":1}').subarray(0, -9)],
    ['expands past 10 MB', 'gzip', () => gzipSync(`{"n":1}${' '.repeat(11 * 1024 * 1024)}`)],
    ['has an unknown encoding', 'x-secret', () => 'abc'],
  ])('throws INVALID_ANSWER for a 200 that %s', async (_name, coding, body) => {
    const served = await serveHttp((_received, response) => {
      response.writeHead(200, { 'content-encoding': coding }).end(body());
    });
    expect(await failureFrom(served.baseUrl)).toMatchObject({ reason: 'INVALID_ANSWER' });
  });

  test('throws INVALID_ANSWER for a body of more than 10 MB', async () => {
    const served = await serveAnswer(200, `"${'x'.repeat(11 * 1024 * 1024)}"`);
    expect(await failureFrom(served.baseUrl)).toMatchObject({ reason: 'INVALID_ANSWER' });
  });

  test.each([
    [301, 'UPSTREAM_UNAVAILABLE', 2],
    [304, 'UPSTREAM_UNAVAILABLE', 1],
    [400, 'INVALID_INPUT', 1],
    [401, 'UPSTREAM_UNAUTHORIZED', 1],
    [403, 'UPSTREAM_UNAVAILABLE', 1],
    [404, 'NOT_FOUND', 1],
    [429, 'RATE_LIMITED', 1],
    [500, 'UPSTREAM_UNAVAILABLE', 3],
    [503, 'UPSTREAM_UNAVAILABLE', 3],
    [596, 'ACCOUNT_PENDING', 1],
    [999, 'UPSTREAM_UNAVAILABLE', 1],
  ])('gives for a response %i the failure %s after %i calls', async (status, code, calls) => {
    for (const body of [{ error: 'x', code: status }, '<html>', '']) {
      const served = await serveAnswer(status, body, { location: '/elsewhere' });
      expect(await failureFrom(served.baseUrl)).toMatchObject({ code });
      expect(served.requests).toHaveLength(calls);
    }
  });

  test.each([301, 302, 303, 307, 308])(
    'follows a redirect %i to a path of the same origin, once',
    async (status) => {
      const served = await serveHttp(({ path }, response) => {
        const location = path === '/v2/pixverse/n' ? '/v2/pixverse/n/?a=b%40c' : null;
        if (location === null) response.end('{"n":1}');
        else response.writeHead(status, { location }).end();
      });
      const { upstream } = connect(served.baseUrl);
      expect(await upstream.read({ path: '/n', schema: z.unknown() })).toEqual({ n: 1 });
      expect(served.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'GET /v2/pixverse/n',
        'GET /v2/pixverse/n/?a=b%40c',
      ]);
    },
  );

  test.each([
    ['another port', (port: number) => `http://127.0.0.1:${port}/v2/pixverse/n`],
    ['another scheme', (port: number) => `https://127.0.0.1:${port}/v2/pixverse/n`],
    ['no URL', () => 'http://'],
  ])('does not follow a redirect to %s', async (_name, locationOf) => {
    const other = await serveAnswer(200, { n: 1 });
    const served = await serveAnswer(301, '', { location: locationOf(other.port) });
    expect(await failureFrom(served.baseUrl)).toMatchObject({ reason: 'UNKNOWN_STATUS' });
    expect([served.requests.length, other.connections]).toEqual([1, 0]);
  });

  test('passes Retry-After on', async () => {
    const served = await serveAnswer(429, { error: 'x' }, { 'retry-after': '23' });
    expect(await failureFrom(served.baseUrl)).toMatchObject({ retryAfterSeconds: 23 });
  });

  test('succeeds if the third attempt does', async () => {
    const served = await serveHttp((_received, response) => {
      response.writeHead(served.requests.length < 3 ? 502 : 200);
      response.end('{"n":1}');
    });
    expect(await connect(served.baseUrl).upstream.read(request)).toEqual({ n: 1 });
  });

  test.each([
    [
      'cuts every connection',
      () => serveTcp((socket) => socket.once('data', () => socket.destroy())),
    ],
    [
      'cuts every body',
      () =>
        serveTcp((socket) =>
          socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{')),
        ),
    ],
  ])('is tried three times if the upstream %s', async (_name, serve) => {
    const served = await serve();
    expect(await failureFrom(served.baseUrl)).toMatchObject({ reason: 'CONNECTION_FAILED' });
    expect(served.connections).toBe(3);
  });

  test('fails with CONNECTION_FAILED at a port without a listener', async () => {
    const baseUrl = `http://127.0.0.1:${await findFreePort()}`;
    expect(await failureFrom(baseUrl)).toMatchObject({ reason: 'CONNECTION_FAILED' });
  });

  test.each([
    ['silence', []],
    ['headers and then silence', ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n']],
    ['half a body and then silence', ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"n"']],
  ])('times out on %s, three times', async (_name, pieces) => {
    const served = await serveBytes(...pieces);
    expect(await failureFrom(served.baseUrl, 500)).toMatchObject({ reason: 'TIMEOUT' });
    expect(served.connections).toBe(3);
  });

  test('uses a new connection if the pooled one was reset', async () => {
    const served = await serveHttp((_received, response) => {
      response.end('{"n":1}', () => response.socket?.resetAndDestroy());
    });
    const { upstream } = connect(served.baseUrl);
    await upstream.read(request);
    expect(await upstream.read(request)).toEqual({ n: 1 });
  });
});
