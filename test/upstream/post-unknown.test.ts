import { describe, expect, test } from 'vitest';
import { connect, serveAnswer, serveBytes, serveHttp, serveTcp } from './servers.ts';

const body = { video_id: 'x', replyRef: 'r-1' };

function postTo(baseUrl: string, timeoutMs = 5_000) {
  return connect(baseUrl, { timeoutMs }).upstream.postOnce('/videos/lipsync', body);
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

describe('the outcome of a POST is unknown for', () => {
  test.each([
    ['closes at once', () => serveTcp((socket) => socket.end())],
    ['closes after reading', () => serveTcp((s) => s.once('data', () => s.end()))],
    ['resets after reading', () => serveTcp((s) => s.once('data', () => s.resetAndDestroy()))],
    [
      'closes in the middle of its headers',
      () => serveTcp((s) => s.once('data', () => s.end('HTTP/1.1 200 OK\r\ncont'))),
    ],
    [
      'closes in the middle of a body of known length',
      () =>
        serveTcp((s) => s.once('data', () => s.end(`${head}content-length: 90\r\n\r\n{"video`))),
    ],
    [
      'closes in the middle of a chunked body',
      () =>
        serveTcp((s) =>
          s.once('data', () => s.end(`${head}transfer-encoding: chunked\r\n\r\n9\r\n{"video_\r\n`)),
        ),
    ],
    [
      'closes in the middle of a body without a length',
      () => serveTcp((s) => s.once('data', () => s.end(`${head}connection: close\r\n\r\n{"vid`))),
    ],
  ])('a server that %s', async (_name, serve) => {
    const served = await serve();
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'unknown',
      failure: { code: 'UPSTREAM_UNAVAILABLE', retryable: false },
    });
    expect(served.connections).toBe(1);
  });

  test.each([
    ['sends nothing', []],
    ['stops after its headers', [`${head}content-length: 90\r\n\r\n`]],
    ['stops in the middle of its body', [`${head}content-length: 90\r\n\r\n{"video_id"`]],
    ['sends 102 Processing and nothing more', ['HTTP/1.1 102 Processing\r\n\r\n']],
  ])('a server that %s, after the timeout', async (_name, pieces) => {
    const served = await serveBytes(...pieces);
    expect(await postTo(served.baseUrl, 100)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'TIMEOUT' },
    });
  });

  test('a body that trickles past the timeout for the whole exchange', async () => {
    const served = await serveTcp((socket) => {
      socket.once('data', () => {
        socket.write(`${head}content-length: 9000\r\n\r\n`);
        const trickle = setInterval(() => socket.write(' '), 10);
        socket.on('close', () => clearInterval(trickle));
      });
    });
    expect(await postTo(served.baseUrl, 200)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'TIMEOUT' },
    });
  });

  test.each([
    ['HTML', '<html>ok</html>'],
    ['nothing', ''],
    ['half of a JSON text', '{"video_id":'],
  ])('a 200 with %s', async (_name, text) => {
    const served = await serveAnswer(200, text);
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'INVALID_ANSWER' },
    });
  });

  test('a 204', async () => {
    const served = await serveAnswer(204);
    expect(await postTo(served.baseUrl)).toMatchObject({ kind: 'unknown' });
  });

  test('a response that is not HTTP', async () => {
    const served = await serveBytes('220 smtp.example ESMTP\r\n');
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'INVALID_ANSWER' },
    });
  });

  test('a server that resets at once, unless nothing was sent; the POST is not repeated', async () => {
    const served = await serveTcp((socket) => socket.resetAndDestroy());
    // The outcome depends on a race between the reset and our first byte.
    expect(['not-sent', 'unknown']).toContain((await postTo(served.baseUrl)).kind);
    expect(served.connections).toBe(1);
  });

  test('a server that sends a response before the request, where undici would reconnect without limit', async () => {
    const served = await serveTcp((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    const outcome = await postTo(served.baseUrl);
    expect(outcome.kind).not.toBe('answered');
    expect(served.connections).toBe(1);
  });

  // undici 8 treats an unrequested 100 as an invalid response. That is safe: the job is then searched for.
  test('an unrequested 100 Continue', async () => {
    const served = await serveBytes(
      'HTTP/1.1 100 Continue\r\n\r\n',
      `${head}content-length: 16\r\n\r\n{"video_id":"v"}`,
    );
    expect(await postTo(served.baseUrl)).toMatchObject({ kind: 'unknown' });
  });

  test('a response of more than 10 MB, whose rest is not read', async () => {
    let isCut = false;
    const served = await serveHttp((_request, response) => {
      response.writeHead(200);
      const piece = Buffer.alloc(1024 * 1024, ' ');
      const pour = () => {
        while (!response.destroyed && response.write(piece)) {}
      };
      response.on('drain', pour);
      response.on('close', () => {
        isCut = true;
      });
      pour();
    });
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'INVALID_ANSWER' },
    });
    await expect.poll(() => isCut).toBe(true);
  });
});
