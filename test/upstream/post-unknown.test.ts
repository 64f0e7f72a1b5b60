import { describe, expect, test } from 'vitest';
import { connect, serveAnswer, serveBytes, serveHttp, serveTcp } from './servers.ts';

const body = { video_id: 'x', replyRef: 'r-1' };

function postTo(baseUrl: string, timeoutMs = 5_000) {
  return connect(baseUrl, { timeoutMs }).upstream.postOnce('/videos/lipsync', body);
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

describe('what is not known to be done or undone', () => {
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
    ['says nothing', []],
    ['stops after its headers', [`${head}content-length: 90\r\n\r\n`]],
    ['stops in the middle of its body', [`${head}content-length: 90\r\n\r\n{"video_id"`]],
    ['promises more and no more comes', ['HTTP/1.1 102 Processing\r\n\r\n']],
  ])('a server that %s, after the timeout', async (_name, pieces) => {
    const served = await serveBytes(...pieces);
    expect(await postTo(served.baseUrl, 100)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'TIMEOUT' },
    });
  });

  test('a body that trickles is cut by the timeout for the whole', async () => {
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
    ['half of a JSON', '{"video_id":'],
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

  test('what is no HTTP', async () => {
    const served = await serveBytes('220 smtp.example ESMTP\r\n');
    expect(await postTo(served.baseUrl)).toMatchObject({
      kind: 'unknown',
      failure: { reason: 'INVALID_ANSWER' },
    });
  });

  test('a server that resets at once is not told as an answer, and is not asked again', async () => {
    const served = await serveTcp((socket) => socket.resetAndDestroy());
    // Whether the reset or our first byte comes first is a race, and the outcome follows what happened.
    expect(['not-sent', 'unknown']).toContain((await postTo(served.baseUrl)).kind);
    expect(served.connections).toBe(1);
  });

  test('a server that speaks before it is asked, where undici would connect again and again', async () => {
    const served = await serveTcp((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    const outcome = await postTo(served.baseUrl);
    expect(outcome.kind).not.toBe('answered');
    expect(served.connections).toBe(1);
  });

  // undici 8 takes a 100 that it did not ask for as a broken answer: safe, since the job is then looked for.
  test('a 100 Continue that nobody asked for', async () => {
    const served = await serveBytes(
      'HTTP/1.1 100 Continue\r\n\r\n',
      `${head}content-length: 16\r\n\r\n{"video_id":"v"}`,
    );
    expect(await postTo(served.baseUrl)).toMatchObject({ kind: 'unknown' });
  });

  test('an answer past 10 MB, which is not read on', async () => {
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
