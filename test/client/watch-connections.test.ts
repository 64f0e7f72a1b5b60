import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  LipsyncConnectionError,
  type Transport,
  type WatchableServer,
  watchLipsync,
} from 'lipsync-graphql-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quick, transports } from './client-stage.ts';
import { event, type ScriptedStream, type Step, startScripted } from './scripted.ts';

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

describe.each(transports)('over $name', ({ make }) => {
  describe('works', () => {
    describe('with a clock that stands still', () => {
      const silenceMs = 30_000;
      beforeEach(() => {
        vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
      });
      afterEach(() => {
        vi.useRealTimers();
      });

      test('a stream on which nothing comes any more is made anew', async () => {
        await using server = await startScripted(begin, finish);
        const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
        await updates.next();
        const waiting = updates.next();
        vi.advanceTimersByTime(silenceMs - 1);
        expect(server.asked.length).toBe(1);
        vi.advanceTimersByTime(1);
        // A turn later the wait for the next try begins, which is as short as that clock can tell.
        await vi.waitFor(() => expect(server.asked.length).toBe(2));
        expect((await waiting).value).toMatchObject({ sequence: 2 });
        expect(server.asked[1]?.variables.after).toBe('cursor 1');
      });

      test('a stream that died while the computer slept is made anew soon after the waking', async () => {
        await using server = await startScripted(begin, finish);
        const updates = watchLipsync({ url: server.url, transport: make(), backOff }, id);
        await updates.next();
        const waiting = updates.next();
        // Timers stood still meanwhile.
        vi.setSystemTime(Date.now() + 3_600_000);
        vi.advanceTimersByTime(silenceMs / 6);
        await vi.waitFor(() => expect(server.asked.length).toBe(2));
        expect((await waiting).value).toMatchObject({ sequence: 2 });
      });

      test('signs of life keep a quiet stream', async () => {
        const { promise: opened, resolve: open } = Promise.withResolvers<ScriptedStream>();
        await using server = await startScripted((stream) => {
          begin(stream);
          open(stream);
        });
        let hear = () => {};
        const inner = make();
        const transport: Transport = (target, operation, sink) => {
          const live = () => {
            sink.live();
            hear();
          };
          return inner(target, operation, { ...sink, live });
        };
        const updates = watchLipsync({ url: server.url, transport }, id);
        await updates.next();
        const stream = await opened;
        for (let minute = 0; minute < 5; minute += 1) {
          const heard = new Promise<void>((resolve) => {
            hear = resolve;
          });
          stream.live();
          await heard;
          vi.advanceTimersByTime(silenceMs - 1);
        }
        finish(stream);
        expect((await updates.next()).value).toMatchObject({ sequence: 2 });
        expect(server.asked.length).toBe(1);
      });
    });

    test('token and headers are asked for again each time', async () => {
      const cutOff: Step = (stream) => {
        begin(stream);
        stream.end(4403);
      };
      await using server = await startScripted(cutOff, finish);
      let tokens = 0;
      const target = {
        url: server.url,
        transport: make(),
        backOff,
        token: async () => `token ${++tokens}`,
        headers: () => ({ 'x-tab': String(tokens) }),
      };
      expect(await collect(target)).toEqual([1, 2]);
      const sent = server.asked.map(({ headers }) => [headers.authorization, headers['x-tab']]);
      expect(sent).toEqual([
        ['Bearer token 1', '0'],
        ['Bearer token 2', '1'],
      ]);
    });

    test('a token that can not be had for a while is a connection that fails', async () => {
      await using server = await startScripted(finish);
      const token = vi.fn<() => Promise<string>>();
      token.mockRejectedValueOnce(new Error('Offline.')).mockResolvedValue('here it is');
      const target = { url: server.url, transport: make(), backOff, token };
      expect(await collect(target)).toEqual([2]);
      token.mockRejectedValue(new Error('Signed out.'));
      const error: unknown = await collect(target).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
      expect((error as Error).cause).toEqual(new Error('Signed out.'));
    });
  });

  test('a server that takes the connection and says nothing is asked again', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const target = {
      url: `http://127.0.0.1:${port}/`,
      transport: make({ silenceMs: 60 }),
      backOff: { ...quick, attempts: 2 },
    };
    // Node also opens some on which it never asks.
    const asked: Socket[] = [];
    silent.on('connection', (socket) => socket.once('data', () => asked.push(socket)));
    await expect(collect(target)).rejects.toThrow(LipsyncConnectionError);
    expect(asked.length).toBe(2);
    await Promise.all(asked.map((socket) => socket.destroyed || once(socket, 'close')));
    silent.close();
  });

  describe('refuses', () => {
    test('an address that is none, at once', async () => {
      const target = { url: '/graphql', transport: make(), backOff };
      await expect(collect(target)).rejects.toThrow(TypeError);
    });
  });

  describe('keeps out', () => {
    test('leaving the loop closes the connection at once', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScripted((stream) => {
        begin(stream);
        resolve(stream.left);
      });
      for await (const _ of watchLipsync({ url: server.url, transport: make() }, id)) break;
      await await promise;
      expect(server.asked.length).toBe(1);
    });

    test('so does leaving it while nothing happens', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScripted((stream) => {
        begin(stream);
        resolve(stream.left);
      });
      const updates = watchLipsync({ url: server.url, transport: make() }, id);
      await updates.next();
      const waiting = updates.next();
      await updates.return?.();
      expect(await waiting).toEqual({ done: true, value: undefined });
      await await promise;
      expect(await updates.next()).toEqual({ done: true, value: undefined });
    });

    test('an abort ends it with its reason, and closes the connection', async () => {
      const { promise, resolve } = Promise.withResolvers<Promise<unknown>>();
      await using server = await startScripted((stream) => {
        begin(stream);
        resolve(stream.left);
      });
      const aborting = new AbortController();
      const target = { url: server.url, transport: make() };
      const updates = watchLipsync(target, id, { signal: aborting.signal });
      await updates.next();
      const waiting = updates.next();
      aborting.abort(new Error('The page is left.'));
      await expect(waiting).rejects.toThrow('The page is left.');
      await await promise;
    });

    test('an abort while it waits for the next try ends that too', async () => {
      await using server = await startScripted();
      const aborting = new AbortController();
      const target = { url: server.url, transport: make(), backOff: { firstMs: 3_600_000 } };
      const updates = watchLipsync(target, id, { signal: aborting.signal });
      const waiting = updates.next();
      await vi.waitFor(() => expect(server.asked.length).toBe(1));
      aborting.abort(new Error('Enough.'));
      await expect(waiting).rejects.toThrow('Enough.');
    });

    // As React does under StrictMode: an effect, its clean-up, and the effect again.
    test('a page that mounts twice is told everything once, over one connection', async () => {
      await using server = await startScripted(
        ...Array<Step>(3).fill((stream) => {
          begin(stream);
          finish(stream);
        }),
      );
      const target = { url: server.url, transport: make() };
      const shown: number[] = [];
      const follow = async (signal: AbortSignal) => {
        for await (const update of watchLipsync(target, id, { signal })) {
          if ('sequence' in update) shown.push(update.sequence);
        }
      };
      const first = new AbortController();
      const left = follow(first.signal);
      first.abort(new Error('Unmounted.'));
      const stays = follow(new AbortController().signal);
      await expect(left).rejects.toThrow('Unmounted.');
      await stays;
      expect(shown).toEqual([1, 2]);
      await vi.waitFor(() => expect(server.connections).toBe(0));
    });

    test('leaving while the server has not answered yet closes the connection too', async () => {
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

    test('leaving while the token is fetched asks for nothing', async () => {
      await using server = await startScripted(finish);
      const { promise, resolve } = Promise.withResolvers<string>();
      const token = vi.fn(() => promise);
      const updates = watchLipsync({ url: server.url, transport: make(), token }, id);
      const waiting = updates.next();
      expect(token).toHaveBeenCalledTimes(1);
      await updates.return?.();
      await waiting;
      resolve('late');
      expect(await collect({ url: server.url, transport: make() })).toEqual([2]);
      expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    });

    test('what was aborted before it began asks for nothing', async () => {
      await using server = await startScripted(finish);
      const target = { url: server.url, transport: make() };
      const updates = watchLipsync(target, id, { signal: AbortSignal.abort(new Error('No.')) });
      await expect(updates.next()).rejects.toThrow('No.');
      expect(server.asked.length).toBe(0);
    });
  });
});
