import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  LipsyncConnectionError,
  type Transport,
  type WatchableServer,
  watchLipsync,
} from 'lipsync-graphql-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  begin,
  finish,
  type ScriptedStream,
  type Step,
  startScriptedServer,
} from './scripted-server.ts';
import { threeAttempts as backOff, collectSequences, transports } from './transports.ts';

const id = 'a lip-sync';

const collect = (server: WatchableServer) => collectSequences(server, id);

describe.each(transports)('over $name', ({ make }) => {
  describe('works', () => {
    describe('with fake timers', () => {
      const silenceMs = 30_000;
      beforeEach(() => {
        vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
      });
      afterEach(() => {
        vi.useRealTimers();
      });

      test('reopens a stream that falls silent', async () => {
        await using server = await startScriptedServer(begin, finish);
        const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
        await updates.next();
        const waiting = updates.next();
        vi.advanceTimersByTime(silenceMs - 1);
        expect(server.requests.length).toBe(1);
        vi.advanceTimersByTime(1);
        // The delay before the next attempt starts one turn later and is 1 ms.
        await vi.waitFor(() => expect(server.requests.length).toBe(2), { timeout: 60_000 });
        expect((await waiting).value).toMatchObject({ sequence: 2 });
        expect(server.requests[1]?.variables.after).toBe('cursor 1');
      });

      test('reopens a dead stream soon after the computer wakes up', async () => {
        await using server = await startScriptedServer(begin, finish);
        const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
        await updates.next();
        const waiting = updates.next();
        // Timers do not run during sleep, only the wall clock does.
        vi.setSystemTime(Date.now() + 3_600_000);
        vi.advanceTimersByTime(silenceMs / 6);
        await vi.waitFor(() => expect(server.requests.length).toBe(2), { timeout: 60_000 });
        expect((await waiting).value).toMatchObject({ sequence: 2 });
      });

      test('keeps a silent stream that sends heartbeats', async () => {
        const { promise: opened, resolve: open } = Promise.withResolvers<ScriptedStream>();
        await using server = await startScriptedServer((stream) => {
          begin(stream);
          open(stream);
        });
        let onHeartbeat = () => {};
        const inner = make();
        const transport: Transport = (target, operation, sink) => {
          const heartbeat = () => {
            sink.heartbeat();
            onHeartbeat();
          };
          return inner(target, operation, { ...sink, heartbeat });
        };
        const updates = watchLipsync({ url: server.url, transport }, id);
        await updates.next();
        const stream = await opened;
        for (let count = 0; count < 5; count += 1) {
          const received = new Promise<void>((resolve) => {
            onHeartbeat = resolve;
          });
          stream.heartbeat();
          await received;
          vi.advanceTimersByTime(silenceMs - 1);
        }
        finish(stream);
        expect((await updates.next()).value).toMatchObject({ sequence: 2 });
        expect(server.requests.length).toBe(1);
      });
    });

    test('reads token and headers again for each connection', async () => {
      const disconnect: Step = (stream) => {
        begin(stream);
        stream.disconnect(4403);
      };
      await using server = await startScriptedServer(disconnect, finish);
      let tokens = 0;
      const target = {
        url: server.url,
        transport: make(),
        backOff,
        token: async () => `token ${++tokens}`,
        headers: () => ({ 'x-tab': String(tokens) }),
      };
      expect(await collect(target)).toEqual([1, 2]);
      const sent = server.requests.map(({ headers }) => [headers.authorization, headers['x-tab']]);
      expect(sent).toEqual([
        ['Bearer token 1', '0'],
        ['Bearer token 2', '1'],
      ]);
    });

    test('counts a failing token function as a failed connection', async () => {
      await using server = await startScriptedServer(finish);
      const token = vi.fn<() => Promise<string>>();
      token.mockRejectedValueOnce(new Error('Offline.')).mockResolvedValue('a token');
      const target = { url: server.url, transport: make(), backOff, token };
      expect(await collect(target)).toEqual([2]);
      token.mockRejectedValue(new Error('Signed out.'));
      const error: unknown = await collect(target).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
      expect((error as Error).cause).toEqual(new Error('Signed out.'));
    });
  });

  test('retries a server that accepts the connection and never answers', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const target = {
      url: `http://127.0.0.1:${port}/`,
      transport: make({ silenceMs: 1_000 }),
      backOff: { ...backOff, attempts: 2 },
    };
    // Counts connections with a request: Node also opens connections without sending one.
    const used: Socket[] = [];
    silent.on('connection', (socket) => socket.once('data', () => used.push(socket)));
    await expect(collect(target)).rejects.toThrow(LipsyncConnectionError);
    expect(used.length).toBe(2);
    await Promise.all(used.map((socket) => socket.destroyed || once(socket, 'close')));
    silent.close();
  });

  describe('refuses', () => {
    test('an invalid URL, without a retry', async () => {
      const target = { url: '/graphql', transport: make(), backOff };
      await expect(collect(target)).rejects.toThrow(TypeError);
    });
  });

  describe('keeps out', () => {
    test('open connections after the loop is left', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScriptedServer((stream) => {
        begin(stream);
        resolve(stream.closed);
      });
      for await (const _ of watchLipsync({ url: server.url, transport: make() }, id)) break;
      await await promise;
      expect(server.requests.length).toBe(1);
    });

    test('open connections after the loop is left while it waits for an event', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScriptedServer((stream) => {
        begin(stream);
        resolve(stream.closed);
      });
      const updates = watchLipsync({ url: server.url, transport: make() }, id);
      await updates.next();
      const waiting = updates.next();
      await updates.return?.();
      expect(await waiting).toEqual({ done: true, value: undefined });
      await await promise;
      expect(await updates.next()).toEqual({ done: true, value: undefined });
    });

    test('open connections after an abort, which is thrown as its reason', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScriptedServer((stream) => {
        begin(stream);
        resolve(stream.closed);
      });
      const aborting = new AbortController();
      const target = { url: server.url, transport: make() };
      const updates = watchLipsync(target, id, { signal: aborting.signal });
      await updates.next();
      const waiting = updates.next();
      aborting.abort(new Error('Page closed.'));
      await expect(waiting).rejects.toThrow('Page closed.');
      await await promise;
    });

    test('retries after an abort during the delay', async () => {
      await using server = await startScriptedServer();
      const aborting = new AbortController();
      const target = { url: server.url, transport: make(), backOff: { firstMs: 3_600_000 } };
      const updates = watchLipsync(target, id, { signal: aborting.signal });
      const waiting = updates.next();
      await vi.waitFor(() => expect(server.requests.length).toBe(1), { timeout: 60_000 });
      aborting.abort(new Error('Aborted.'));
      await expect(waiting).rejects.toThrow('Aborted.');
    });

    // React's StrictMode runs an effect, its clean-up, and the effect again.
    test('duplicate events and connections when a page mounts twice', async () => {
      await using server = await startScriptedServer(
        ...Array<Step>(3).fill((stream) => {
          begin(stream);
          finish(stream);
        }),
      );
      const target = { url: server.url, transport: make() };
      const shown: number[] = [];
      const showEvents = async (signal: AbortSignal) => {
        for await (const update of watchLipsync(target, id, { signal })) {
          if ('sequence' in update) shown.push(update.sequence);
        }
      };
      const first = new AbortController();
      const unmounted = showEvents(first.signal);
      first.abort(new Error('Unmounted.'));
      const mounted = showEvents(new AbortController().signal);
      await expect(unmounted).rejects.toThrow('Unmounted.');
      await mounted;
      expect(shown).toEqual([1, 2]);
      await vi.waitFor(() => expect(server.openStreams).toBe(0), { timeout: 60_000 });
    });

    test('open connections after the loop is left before the server answers', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const target = { url: `http://127.0.0.1:${port}/`, transport: make() };
      const updates = watchLipsync(target, id);
      const waiting = updates.next();
      const [socket] = (await once(silent, 'connection')) as [Socket];
      const closed = once(socket.resume(), 'close');
      await updates.return?.();
      await closed;
      expect(await waiting).toEqual({ done: true, value: undefined });
      silent.close();
    });

    test('requests after the loop is left while the token is fetched', async () => {
      await using server = await startScriptedServer(finish);
      const { promise, resolve } = Promise.withResolvers<string>();
      const token = vi.fn(() => promise);
      const updates = watchLipsync({ url: server.url, transport: make(), token }, id);
      const waiting = updates.next();
      expect(token).toHaveBeenCalledTimes(1);
      await updates.return?.();
      await waiting;
      resolve('too late');
      expect(await collect({ url: server.url, transport: make() })).toEqual([2]);
      expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    });

    test('requests for a signal that is aborted from the start', async () => {
      await using server = await startScriptedServer(finish);
      const target = { url: server.url, transport: make() };
      const updates = watchLipsync(target, id, { signal: AbortSignal.abort(new Error('No.')) });
      await expect(updates.next()).rejects.toThrow('No.');
      expect(server.requests.length).toBe(0);
    });
  });
});
