import {
  LipsyncRequestError,
  serverSentEvents,
  type WatchableServer,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quick, transports } from './client-stage.ts';
import { event, type Step, startScripted } from './scripted.ts';

const id = 'a lip-sync';
const backOff = { ...quick, attempts: 3 };

/** Sequences, to the end. */
async function collect(server: WatchableServer): Promise<number[]> {
  const seen: number[] = [];
  for await (const update of watchLipsync(server, id)) {
    if (update.__typename === 'LipsyncProgress') seen.push(update.sequence);
  }
  return seen;
}

const begin: Step = (stream) => stream.next(event(1, 'GENERATING'));
const finish: Step = (stream) => stream.next(event(2, 'COMPLETED'));

describe('over server-sent events', () => {
  const answer =
    (status: number, type = 'text/html', body = '<html>'): Step =>
    ({ response }) =>
      response?.writeHead(status, { 'content-type': type }).end(body);

  test.each([500, 502, 503, 429, 408])('an answer of %d is another try', async (status) => {
    const cut: Step = (stream) => {
      begin(stream);
      stream.end();
    };
    await using server = await startScripted(cut, answer(status), finish);
    const transport = serverSentEvents();
    expect(await collect({ url: server.url, transport, backOff })).toEqual([1, 2]);
  });

  test('so is a page of some proxy, which came with 200', async () => {
    await using server = await startScripted(answer(200), finish);
    const transport = serverSentEvents();
    expect(await collect({ url: server.url, transport, backOff })).toEqual([2]);
  });

  test('an address that is not the server’s is refused at once', async () => {
    await using server = await startScripted(answer(404));
    const watching = collect({ url: server.url, transport: serverSentEvents(), backOff });
    await expect(watching).rejects.toThrow(LipsyncRequestError);
    expect(server.asked.length).toBe(1);
  });
});

describe('over WebSocket', () => {
  test('the token is there before the socket opens: a server waits for it no longer than three seconds', async () => {
    await using server = await startScripted(finish);
    const order: string[] = [];
    class Own extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        order.push('socket');
      }
    }
    const token = async () => {
      await new Promise(setImmediate);
      order.push('token');
      return 'a slow one';
    };
    const transport = webSocket({ implementation: Own });
    expect(await collect({ url: server.url, transport, backOff, token })).toEqual([2]);
    expect(order).toEqual(['token', 'socket']);
  });

  const endWith =
    (code: number): Step =>
    (stream) => {
      begin(stream);
      stream.end(code);
    };

  test.each([1000, 1001, 1011, 1012, 1013, 4403, 4408, 4500])(
    'after a close with %d it comes back',
    async (code) => {
      await using server = await startScripted(endWith(code), finish);
      expect(await collect({ url: server.url, transport: webSocket(), backOff })).toEqual([1, 2]);
      expect(server.asked.map(({ variables }) => variables.after)).toEqual([null, 'cursor 1']);
    },
  );

  test.each([4400, 4401, 4406, 4409, 4429])('a close with %d is fatal', async (code) => {
    await using server = await startScripted(endWith(code));
    const watching = collect({ url: server.url, transport: webSocket(), backOff });
    await expect(watching).rejects.toThrow(LipsyncRequestError);
    await expect(watching).rejects.toMatchObject({ code: String(code) });
    expect(server.asked.length).toBe(1);
  });

  test('watchers of one server share a socket, which closes behind the last of them', async () => {
    await using server = await startScripted(begin, begin, finish);
    const target = { url: server.url, transport: webSocket(), backOff };
    const one = watchLipsync(target, id);
    const other = watchLipsync(target, id);
    await Promise.all([one.next(), other.next()]);
    expect(server.sockets).toBe(1);
    await one.return?.();
    await other.return?.();
    await vi.waitFor(() => expect(server.sockets).toBe(0));
  });

  // React mounts, leaves and mounts again; the socket is just closing then.
  test('whoever comes while the socket closes behind the last one is served at once', async () => {
    await using server = await startScripted(begin, finish);
    const target = { url: server.url, transport: webSocket(), backOff: { attempts: 1 } };
    const one = watchLipsync(target, id);
    await one.next();
    await one.return?.();
    expect(await collect(target)).toEqual([2]);
  });

  test('a socket of one’s own can be brought along', async () => {
    await using server = await startScripted(finish);
    const opened: string[] = [];
    class Own extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        opened.push(url);
      }
    }
    const transport = webSocket({ implementation: Own });
    expect(await collect({ url: server.url, transport, backOff })).toEqual([2]);
    expect(opened).toEqual([server.url.replace('http', 'ws')]);
  });
});

describe('the browser’s word that it is online again', () => {
  let browser: EventTarget;
  beforeEach(() => {
    browser = new EventTarget();
    vi.stubGlobal('addEventListener', browser.addEventListener.bind(browser));
    vi.stubGlobal('removeEventListener', browser.removeEventListener.bind(browser));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('ends the wait for the next try', async () => {
    const cut: Step = (stream) => stream.response?.destroy();
    await using server = await startScripted(cut, finish);
    const slow = { firstMs: 3_600_000, mostMs: 3_600_000 };
    const watching = collect({ url: server.url, transport: serverSentEvents(), backOff: slow });
    const cheer = setInterval(() => browser.dispatchEvent(new Event('online')), 5);
    expect(await watching).toEqual([2]);
    clearInterval(cheer);
  });

  test.each(transports)(
    'makes a stream over $name anew, since the old one is seldom alive',
    async ({ make }) => {
      await using server = await startScripted(begin, finish);
      const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
      expect((await updates.next()).value).toMatchObject({ sequence: 1 });
      const waiting = updates.next();
      browser.dispatchEvent(new Event('online'));
      expect((await waiting).value).toMatchObject({ sequence: 2 });
      expect(server.asked.map(({ variables }) => variables.after)).toEqual([null, 'cursor 1']);
    },
  );
});
