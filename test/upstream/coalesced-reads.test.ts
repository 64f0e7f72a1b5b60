import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Upstream } from '../../src/upstream/client.ts';
import { connect, type Received, serveAnswer, serveHttp, thrownBy } from './servers.ts';

const schema = z.object({ n: z.number() });
const request = { path: '/things', schema };

type HeldServer = {
  upstream: Upstream;
  received: Received[];
  /** Waits until that many requests have arrived. */
  until: (calls: number) => Promise<void>;
  /** Responds to one request, by its index in `received`, or to all. */
  release: (index?: number) => void;
  /** Whether a request was aborted before its response. */
  isAborted: () => boolean;
};

async function serveHeld(): Promise<HeldServer> {
  const pending: (() => void)[] = [];
  let wasAborted = false;
  const served = await serveHttp((_received, response) => {
    pending.push(() => response.end('{"n":1}'));
    response.on('close', () => {
      wasAborted ||= !response.writableFinished;
    });
  });
  return {
    upstream: connect(served.baseUrl).upstream,
    received: served.requests,
    until: (calls) => expect.poll(() => served.requests.length, { interval: 2 }).toBe(calls),
    release: (index) => {
      for (const answer of index === undefined ? pending : pending.slice(index, index + 1)) {
        answer();
      }
    },
    isAborted: () => wasAborted,
  };
}

describe('equal reads at the same time', () => {
  test('share one call, and each caller gets its own copy', async () => {
    const { upstream, received, release, until } = await serveHeld();
    const reads = Array.from({ length: 100 }, () => upstream.read(request));
    await until(1);
    release();
    const results = await Promise.all(reads);
    expect(received).toHaveLength(1);
    expect(results[0]).not.toBe(results[1]);
  });

  test('with isFresh wait for the read in progress, and share the next one', async () => {
    const { upstream, received, release, until } = await serveHeld();
    const early = upstream.read(request);
    await until(1);
    const late = Array.from({ length: 20 }, () => upstream.read(request, { isFresh: true }));
    const left = upstream.read(request, { isFresh: true, signal: AbortSignal.abort('left') });
    expect(await thrownBy(left)).toBe('left');
    release(0);
    await early;
    await until(2);
    release(1);
    await Promise.all(late);
    expect(received).toHaveLength(2);
  });

  test('are separate calls if path or query differ, and nothing is kept after they settle', async () => {
    const { upstream, received, release, until } = await serveHeld();
    const reads = [upstream.read(request), upstream.read({ ...request, query: { a: 1 } })];
    await until(2);
    release();
    await Promise.all(reads);
    const again = upstream.read(request);
    await until(3);
    release();
    await again;
    expect(received).toHaveLength(3);
  });

  test('share a failure', async () => {
    const served = await serveAnswer(404, {});
    const { upstream } = connect(served.baseUrl);
    const [one, two] = [upstream.read(request), upstream.read(request)];
    expect(await thrownBy(one)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await thrownBy(two)).toMatchObject({ code: 'NOT_FOUND' });
    expect(served.requests).toHaveLength(1);
  });

  test('continue when one caller aborts, which is rejected at once', async () => {
    const { upstream, received, release, until, isAborted } = await serveHeld();
    const caller = new AbortController();
    const leaving = upstream.read(request, { signal: caller.signal });
    const staying = upstream.read(request, { signal: new AbortController().signal });
    await until(1);
    caller.abort(new Error('gone'));
    expect(await thrownBy(leaving)).toEqual(new Error('gone'));
    expect(isAborted()).toBe(false);
    release();
    expect(await staying).toEqual({ n: 1 });
    expect(received).toHaveLength(1);
  });

  test('abort the call when all callers have aborted; a later caller starts a new one', async () => {
    const { upstream, release, until, isAborted } = await serveHeld();
    const caller = new AbortController();
    const reads = [1, 2].map(() => thrownBy(upstream.read(request, { signal: caller.signal })));
    await until(1);
    caller.abort();
    await Promise.all(reads);
    const next = upstream.read(request);
    await expect.poll(isAborted).toBe(true);
    await until(2);
    release();
    expect(await next).toEqual({ n: 1 });
  });

  test('are not started for an aborted signal', async () => {
    const { upstream, received } = await serveHeld();
    await thrownBy(upstream.read(request, { signal: AbortSignal.abort() }));
    expect(received).toHaveLength(0);
  });

  test('are not shared across a write: a read after the write must see its effect', async () => {
    const { upstream, release, until } = await serveHeld();
    const before = upstream.read(request);
    await until(1);
    const change = upstream.write({ method: 'DELETE', path: '/things/1' });
    await until(2);
    release(1);
    await change;
    const after = upstream.read(request);
    await until(3);
    release();
    expect(await Promise.all([before, after])).toEqual([{ n: 1 }, { n: 1 }]);
  });

  test('fail with CONNECTION_FAILED when the upstream is closed', async () => {
    const { upstream, until } = await serveHeld();
    const read = thrownBy(upstream.read(request));
    await until(1);
    await upstream.close();
    expect(await read).toMatchObject({ reason: 'CONNECTION_FAILED' });
    expect(await thrownBy(upstream.read(request))).toMatchObject({ reason: 'CONNECTION_FAILED' });
  });
});
