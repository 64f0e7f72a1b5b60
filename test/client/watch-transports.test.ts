import {
  LipsyncRequestError,
  type RetryInfo,
  serverSentEvents,
  type WatchableServer,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { begin, finish, type Step, startScriptedServer } from './scripted-server.ts';
import { threeAttempts as backOff, collectSequences, transports } from './transports.ts';

const id = 'a lip-sync';

const collect = (server: WatchableServer) => collectSequences(server, id);

describe('over server-sent events', () => {
  const answer =
    (status: number, type = 'text/html', body = '<html>'): Step =>
    ({ response }) =>
      response?.writeHead(status, { 'content-type': type }).end(body);

  test.each([500, 502, 503, 429, 408])('retries after status %d', async (status) => {
    const disconnect: Step = (stream) => {
      begin(stream);
      stream.disconnect();
    };
    await using server = await startScriptedServer(disconnect, answer(status), finish);
    const transport = serverSentEvents();
    expect(await collect({ url: server.url, transport, backOff })).toEqual([1, 2]);
  });

  test('retries after an HTML page with status 200, as a captive portal sends it', async () => {
    await using server = await startScriptedServer(answer(200), finish);
    const transport = serverSentEvents();
    expect(await collect({ url: server.url, transport, backOff })).toEqual([2]);
  });

  test('refuses a URL that answers 404 without a retry', async () => {
    await using server = await startScriptedServer(answer(404));
    const watching = collect({ url: server.url, transport: serverSentEvents(), backOff });
    await expect(watching).rejects.toThrow(LipsyncRequestError);
    expect(server.requests.length).toBe(1);
  });
});

describe('over WebSocket', () => {
  test('fetches the token before the socket opens: the server waits only three seconds for it', async () => {
    await using server = await startScriptedServer(finish);
    const order: string[] = [];
    class RecordingWebSocket extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        order.push('socket');
      }
    }
    const token = async () => {
      await new Promise(setImmediate);
      order.push('token');
      return 'a token';
    };
    const transport = webSocket({ implementation: RecordingWebSocket });
    expect(await collect({ url: server.url, transport, backOff, token })).toEqual([2]);
    expect(order).toEqual(['token', 'socket']);
  });

  const endWith =
    (code: number): Step =>
    (stream) => {
      begin(stream);
      stream.disconnect(code);
    };

  test.each([1000, 1001, 1011, 1012, 1013, 4403, 4408, 4500])(
    'reconnects after close code %d',
    async (code) => {
      await using server = await startScriptedServer(endWith(code), finish);
      expect(await collect({ url: server.url, transport: webSocket(), backOff })).toEqual([1, 2]);
      expect(server.requests.map(({ variables }) => variables.after)).toEqual([null, 'cursor 1']);
    },
  );

  test.each([4400, 4401, 4406, 4409, 4429])(
    'throws after close code %d without a retry',
    async (code) => {
      await using server = await startScriptedServer(endWith(code));
      const watching = collect({ url: server.url, transport: webSocket(), backOff });
      await expect(watching).rejects.toThrow(LipsyncRequestError);
      await expect(watching).rejects.toMatchObject({ code: String(code) });
      expect(server.requests.length).toBe(1);
    },
  );

  test('sends a fresh token after the error of one that expired before the socket was closed', async () => {
    const expired: Step = (stream) => {
      stream.next(null, [{ message: 'Sign in.', extensions: { code: 'NOT_AUTHENTICATED' } }]);
      stream.disconnect(4403);
    };
    await using server = await startScriptedServer(expired, finish);
    const tokens = ['expired', 'fresh'];
    const token = () => tokens.shift() ?? null;
    expect(await collect({ url: server.url, transport: webSocket(), backOff, token })).toEqual([2]);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer expired',
      'Bearer fresh',
    ]);
  });

  test('shares one socket between the watchers of a server and closes it after the last one', async () => {
    await using server = await startScriptedServer(begin, begin, finish);
    const target = { url: server.url, transport: webSocket(), backOff };
    const first = watchLipsync(target, id);
    const second = watchLipsync(target, id);
    await Promise.all([first.next(), second.next()]);
    expect(server.openSockets).toBe(1);
    await first.return?.();
    await second.return?.();
    await vi.waitFor(() => expect(server.openSockets).toBe(0), { timeout: 60_000 });
  });

  // React's StrictMode mounts, unmounts and mounts again, while the socket is still closing.
  test('opens a new socket for a watcher that starts while the old one closes', async () => {
    await using server = await startScriptedServer(begin, finish);
    const target = { url: server.url, transport: webSocket(), backOff: { attempts: 1 } };
    const first = watchLipsync(target, id);
    await first.next();
    await first.return?.();
    expect(await collect(target)).toEqual([2]);
  });

  test('uses the given WebSocket implementation', async () => {
    await using server = await startScriptedServer(finish);
    const opened: string[] = [];
    class RecordingWebSocket extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        opened.push(url);
      }
    }
    const transport = webSocket({ implementation: RecordingWebSocket });
    expect(await collect({ url: server.url, transport, backOff })).toEqual([2]);
    expect(opened).toEqual([server.url.replace('http', 'ws')]);
  });
});

describe('over WebSocket without a global WebSocket, as in Node 20', () => {
  beforeEach(() => {
    vi.stubGlobal('WebSocket', undefined);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('works with the WebSocket of the package ws', async () => {
    await using server = await startScriptedServer((stream) => {
      begin(stream);
      finish(stream);
    });
    const transport = webSocket({ implementation: WsWebSocket });
    expect(await collect({ url: server.url, transport, backOff })).toEqual([1, 2]);
  });

  test('throws at the first stream, and names the option to pass one', async () => {
    await using server = await startScriptedServer(finish);
    const watching = collect({ url: server.url, transport: webSocket(), backOff });
    await expect(watching).rejects.toThrow(TypeError);
    await expect(watching).rejects.toThrow('webSocket({ implementation: WebSocket })');
    expect(server.requests).toEqual([]);
  });
});

describe('hooks', () => {
  const disconnect: Step = (stream) => {
    begin(stream);
    stream.disconnect();
  };

  test.each(transports)('hear of each reconnect over $name', async ({ make }) => {
    await using server = await startScriptedServer(disconnect, finish);
    const retries: RetryInfo[] = [];
    const hooks = { onRetry: (retry: RetryInfo) => void retries.push(retry) };
    await collect({ url: server.url, transport: make(), backOff, hooks });
    expect(retries).toEqual([
      {
        operationName: 'WatchLipsync',
        failures: 1,
        delayMs: expect.any(Number),
        error: expect.anything(),
      },
    ]);
  });

  test('see each request and response of server-sent events, and trace them', async () => {
    await using server = await startScriptedServer(disconnect, finish);
    const seen: unknown[] = [];
    const hooks = {
      onRequest: () => ({ traceparent: `trace-${seen.length}` }),
      onResponse: (response: unknown) => void seen.push(response),
    };
    await collect({ url: server.url, transport: serverSentEvents(), backOff, hooks });
    const response = { operationName: 'WatchLipsync', status: 200, requestId: null };
    expect(seen).toEqual([response, response]);
    expect(server.requests.map(({ headers }) => headers.traceparent)).toEqual([
      'trace-0',
      'trace-1',
    ]);
  });
});

describe('the online event of a browser', () => {
  let browser: EventTarget;
  beforeEach(() => {
    browser = new EventTarget();
    vi.stubGlobal('addEventListener', browser.addEventListener.bind(browser));
    vi.stubGlobal('removeEventListener', browser.removeEventListener.bind(browser));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('ends the delay before the next attempt', async () => {
    const dropConnection: Step = (stream) => stream.response?.destroy();
    await using server = await startScriptedServer(dropConnection, finish);
    const slow = { firstMs: 3_600_000, maxMs: 3_600_000 };
    const watching = collect({ url: server.url, transport: serverSentEvents(), backOff: slow });
    const dispatching = setInterval(() => browser.dispatchEvent(new Event('online')), 5);
    expect(await watching).toEqual([2]);
    clearInterval(dispatching);
  });

  test.each(transports)(
    'reopens a stream over $name, because the old connection is rarely alive',
    async ({ make }) => {
      await using server = await startScriptedServer(begin, finish);
      const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
      expect((await updates.next()).value).toMatchObject({ sequence: 1 });
      const waiting = updates.next();
      browser.dispatchEvent(new Event('online'));
      expect((await waiting).value).toMatchObject({ sequence: 2 });
      expect(server.requests.map(({ variables }) => variables.after)).toEqual([null, 'cursor 1']);
    },
  );
});
