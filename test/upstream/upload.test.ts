import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connect, listen, serveAnswer, serveHttp, serveTcp, thrownBy } from './servers.ts';

const schema = z.object({ path: z.string() });
const piece = Buffer.alloc(64 * 1024, 7);

async function* pieces(count: number, onPull: () => void = () => {}): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < count; sent += 1) {
    onPull();
    yield piece;
  }
}

function uploadOf(body: AsyncIterable<Uint8Array>) {
  return { path: '/files/', schema, body, contentType: 'audio/mpeg' };
}

describe('an upload', () => {
  test.each([
    ['a generator', () => pieces(3)],
    ['a stream', () => Readable.from([piece, piece, piece])],
    ['one large piece', () => Readable.from([Buffer.alloc(3 * piece.length, 7)])],
  ])('sends the bytes of %s unchanged', async (_name, body) => {
    const served = await serveAnswer(200, { path: 'upload/1' });
    const { upstream } = connect(served.baseUrl);
    const request = { ...uploadOf(body()), contentLength: 3 * piece.length };
    expect(await upstream.upload({ ...request, query: { email: 'a+b@c.d' } })).toEqual({
      path: 'upload/1',
    });
    expect(served.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v2/pixverse/files/?email=a%2Bb%40c.d',
        headers: { 'content-type': 'audio/mpeg', 'content-length': String(3 * piece.length) },
        body: Buffer.alloc(3 * piece.length, 7),
      },
    ]);
  });

  test('is sent chunked without a length, also when it is empty', async () => {
    const served = await serveAnswer(200, { path: 'upload/1' });
    const { upstream } = connect(served.baseUrl);
    await upstream.upload(uploadOf(pieces(2)));
    await upstream.upload(uploadOf(pieces(0)));
    expect(served.requests.map((request) => request.body.length)).toEqual([2 * piece.length, 0]);
    expect(served.requests[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  test('reads no more from its source than the upstream accepts', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<() => void>();
    const server = createServer((request, response) => {
      arrive(() => request.resume().on('end', () => response.end('{"path":"p"}')));
    });
    const { upstream } = connect(`http://127.0.0.1:${await listen(server)}`);
    let pulled = 0;
    const total = 4_000;
    const upload = upstream.upload(
      uploadOf(
        pieces(total, () => {
          pulled += 1;
        }),
      ),
    );
    const takeAll = await arrived;
    // The kernel's buffers fill up, then no more bytes move.
    let before = -1;
    await expect
      .poll(
        () => {
          const same = pulled === before;
          before = pulled;
          return same;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(pulled).toBeLessThan(total / 2);
    takeAll();
    expect(await upload).toEqual({ path: 'p' });
    expect(pulled).toBe(total);
  });

  test('can last far longer than the timeout as long as bytes move', async () => {
    const served = await serveAnswer(200, { path: 'p' });
    const { upstream } = connect(served.baseUrl, { timeoutMs: 150 });
    const slow = Readable.from(
      (async function* () {
        for (let sent = 0; sent < 10; sent += 1) {
          await new Promise((resolve) => setTimeout(resolve, 40));
          yield Buffer.from('x');
        }
      })(),
    );
    expect(await upstream.upload(uploadOf(slow))).toEqual({ path: 'p' });
  });

  test.each([
    ['the upstream stops reading', 4_000],
    ['no response comes', 1],
  ])('times out when %s', async (_name, count) => {
    const served = await serveTcp((socket) => socket.pause());
    const { upstream } = connect(served.baseUrl, { timeoutMs: 1_000 });
    expect(await thrownBy(upstream.upload(uploadOf(pieces(count))))).toMatchObject({
      reason: 'TIMEOUT',
      retryable: false,
    });
    expect(served.connections).toBe(1);
  });

  test('times out when its source stops, and does not close the source', async () => {
    const served = await serveAnswer(200, { path: 'p' });
    const { upstream } = connect(served.baseUrl, { timeoutMs: 100 });
    const source = new Readable({ read() {} });
    source.push('x');
    expect(await thrownBy(upstream.upload(uploadOf(source)))).toMatchObject({ reason: 'TIMEOUT' });
    expect(source.destroyed).toBe(false);
    source.destroy();
  });

  test('throws an error of its source unchanged', async () => {
    const served = await serveAnswer(200, { path: 'p' });
    const broken = (async function* () {
      yield piece;
      throw new Error('the caller hung up');
    })();
    const { upstream } = connect(served.baseUrl);
    expect(await thrownBy(upstream.upload(uploadOf(broken)))).toEqual(
      new Error('the caller hung up'),
    );
  });

  test.each([1, 3])('throws InvalidInputError for 2 pieces instead of %i', async (announced) => {
    const served = await serveAnswer(200, { path: 'p' });
    const { upstream } = connect(served.baseUrl);
    const request = { ...uploadOf(pieces(2)), contentLength: announced * piece.length };
    expect(await thrownBy(upstream.upload(request))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is aborted by its signal, and closes the connection', async () => {
    const caller = new AbortController();
    const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
    const served = await serveTcp((socket) => {
      socket.once('data', () => caller.abort(new Error('left')));
      socket.on('close', () => onCut());
    });
    const { upstream } = connect(served.baseUrl);
    const request = { ...uploadOf(pieces(4_000)), signal: caller.signal };
    expect(await thrownBy(upstream.upload(request))).toEqual(new Error('left'));
    await cut;
  });

  test.each([
    [200, '<html>', 'UPSTREAM_UNAVAILABLE'],
    [200, { url: 'x' }, 'UPSTREAM_UNAVAILABLE'],
    [204, undefined, 'UPSTREAM_UNAVAILABLE'],
    [400, { error: 'x' }, 'INVALID_INPUT'],
    [413, '', 'UPSTREAM_UNAVAILABLE'],
    [596, '', 'ACCOUNT_PENDING'],
  ])('throws for a response %i with %j, and is not sent twice', async (status, body, code) => {
    const served = await serveAnswer(status, body);
    const { upstream } = connect(served.baseUrl);
    expect(await thrownBy(upstream.upload(uploadOf(pieces(1))))).toMatchObject({ code });
    expect(served.requests).toHaveLength(1);
  });

  test('accepts an error response that comes before the body was sent', async () => {
    const served = await serveTcp((socket) => {
      socket.once('data', () =>
        socket.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}'),
      );
    });
    const { upstream } = connect(served.baseUrl);
    expect(await thrownBy(upstream.upload(uploadOf(pieces(4_000))))).toMatchObject({
      code: 'UPSTREAM_UNAUTHORIZED',
    });
  });

  test('is not started with an aborted signal', async () => {
    const served = await serveHttp((_request, response) => response.end());
    const { upstream } = connect(served.baseUrl);
    const request = { ...uploadOf(pieces(1)), signal: AbortSignal.abort() };
    await thrownBy(upstream.upload(request));
    expect(served.connections).toBe(0);
  });
});
