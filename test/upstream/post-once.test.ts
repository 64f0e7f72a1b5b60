import type { Socket } from 'node:net';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { findFreePort } from '../support/free-port.ts';
import { selfSigned } from './self-signed.ts';
import {
  connect,
  listen,
  secrets,
  serveAnswer,
  serveBytes,
  serveHttp,
  serveTcp,
} from './servers.ts';

const body = { video_id: 'x', replyRef: 'r-1' };

function postTo(baseUrl: string, timeoutMs = 5_000) {
  return connect(baseUrl, { timeoutMs }).upstream.postOnce('/videos/lipsync', body);
}

describe("the outcome of a POST is 'answered' for", () => {
  test.each([
    [200, { video_id: 'v' }, null],
    [201, { any: 1 }, null],
    [400, { error: 'no' }, 'INVALID_INPUT'],
    [401, { error: 'Unauthorized' }, 'UPSTREAM_UNAUTHORIZED'],
    [429, { error: 'Reached the limit for concurrent generations.' }, 'RATE_LIMITED'],
    [500, { error: 'x' }, 'UPSTREAM_UNAVAILABLE'],
    [596, { error: 'x' }, 'ACCOUNT_PENDING'],
    [999, { error: 'x' }, 'UPSTREAM_UNAVAILABLE'],
  ])('%i with JSON', async (status, answer, code) => {
    const served = await serveAnswer(status, answer);
    const outcome = await postTo(served.baseUrl);
    expect(outcome).toMatchObject({ kind: 'answered', status, body: answer });
    expect(outcome.kind === 'answered' && (outcome.failure?.code ?? null)).toBe(code);
    expect(served.requests).toHaveLength(1);
  });

  test.each([
    ['HTML', '<html>Bad gateway</html>'],
    ['nothing', undefined],
    ['half of a JSON text', '{"error":'],
  ])('an error with %s', async (_name, text) => {
    const served = await serveAnswer(502, text);
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'answered',
      status: 502,
      body: undefined,
      failure: { reason: 'SERVER_ERROR' },
    });
  });

  test.each([301, 302, 303, 307, 308])('a redirect %i, which is not followed', async (status) => {
    const target = await serveAnswer(200, { video_id: 'v' });
    const served = await serveAnswer(status, undefined, { location: target.baseUrl });
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'answered',
      status,
      failure: { reason: 'UNKNOWN_STATUS' },
    });
    expect(target.connections).toBe(0);
  });

  test('JSON that is labelled as text, begins with a byte order mark and follows early hints', async () => {
    const served = await serveBytes(
      'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\n\uFEFF{"a":1}',
    );
    expect(await postTo(served.baseUrl)).toMatchObject({ kind: 'answered', body: { a: 1 } });
  });

  // The id in a compressed response was once lost.
  test('a compressed response', async () => {
    const served = await serveHttp((_received, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"video_id":"v"}'));
    });
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'answered',
      body: { video_id: 'v' },
    });
  });

  test('an error status whose body is not encoded as announced', async () => {
    const served = await serveAnswer(402, { error: 'x' }, { 'content-encoding': 'gzip' });
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'answered',
      status: 402,
      body: { error: 'x' },
      failure: { code: 'SUBSCRIPTION_EXPIRED' },
    });
  });

  test.each([
    ['is cut', (socket: Socket) => socket.destroy()],
    ['never comes', () => undefined],
  ])('an error status whose body %s', async (_, then) => {
    const served = await serveTcp((socket) =>
      socket.once('data', () => {
        socket.write(
          'HTTP/1.1 429 Busy\r\ncontent-length: 90\r\nretry-after: 12\r\n\r\n{"error',
          () => setImmediate(then, socket),
        );
      }),
    );
    expect(await postTo(served.baseUrl, 1_500)).toMatchObject({
      kind: 'answered',
      status: 429,
      failure: { code: 'RATE_LIMITED', retryAfterSeconds: 12 },
    });
    expect(served.connections).toBe(1);
  });

  test('a request with our headers and the JSON, over a connection that is closed afterwards', async () => {
    const served = await serveAnswer(200, { video_id: 'v' });
    const { upstream } = connect(served.baseUrl);
    await upstream.postOnce('/videos/lipsync', body);
    await upstream.postOnce('/videos/lipsync', body);
    expect(served.requests.map((request) => request.connection)).toEqual([1, 2]);
    const [request] = served.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/v2/pixverse/videos/lipsync' });
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${secrets.token}`,
      'content-type': 'application/json',
      'user-agent': 'lipsync-graphql',
      connection: 'close',
    });
    expect(JSON.parse(String(request?.body))).toEqual(body);
  });
});

describe("the outcome of a POST is 'not-sent' for", () => {
  test('a port without a listener', async () => {
    expect(await postTo(`http://127.0.0.1:${await findFreePort()}`)).toMatchObject({
      kind: 'not-sent',
      failure: { reason: 'CONNECTION_FAILED', retryable: true },
    });
  });

  test('a host that does not exist', async () => {
    expect(await postTo('http://unknown.invalid')).toMatchObject({ kind: 'not-sent' });
  });

  test('a server without TLS', async () => {
    const served = await serveTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await postTo(`https://127.0.0.1:${served.port}`)).toMatchObject({ kind: 'not-sent' });
    expect(served.connections).toBe(1);
  });

  test('a TLS handshake that is cut', async () => {
    const served = await serveTcp((socket) => socket.once('data', () => socket.destroy()));
    expect(await postTo(`https://127.0.0.1:${served.port}`)).toMatchObject({ kind: 'not-sent' });
    expect(served.connections).toBe(1);
  });

  test('a TLS handshake that does not end before the timeout', async () => {
    const served = await serveTcp(() => {});
    expect(await postTo(`https://127.0.0.1:${served.port}`, 100)).toMatchObject({
      kind: 'not-sent',
      failure: { reason: 'TIMEOUT' },
    });
  });

  test('an untrusted certificate, so that the token is not sent', async () => {
    let received = '';
    const server = tls.createServer(selfSigned, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        received += String(chunk);
      });
    });
    const port = await listen(server);
    expect(await postTo(`https://localhost:${port}`)).toMatchObject({ kind: 'not-sent' });
    expect(received).toBe('');
  });

  test('a closed upstream', async () => {
    const served = await serveAnswer(200, { video_id: 'v' });
    const { upstream } = connect(served.baseUrl);
    await upstream.close();
    expect(await upstream.postOnce('/videos/lipsync', body)).toMatchObject({ kind: 'not-sent' });
    expect(served.connections).toBe(0);
  });
});

test('close waits for a POST in progress', async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<() => void>();
  const served = await serveHttp((_request, response) => {
    arrive(() => response.end('{"video_id":"v"}'));
  });
  const { upstream } = connect(served.baseUrl);
  const posted = upstream.postOnce('/videos/lipsync', body);
  const answer = await arrived;
  const closed = upstream.close();
  answer();
  expect(await posted).toMatchObject({ kind: 'answered', body: { video_id: 'v' } });
  await closed;
});
