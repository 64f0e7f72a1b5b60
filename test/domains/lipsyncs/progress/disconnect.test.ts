import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  idsOf,
  type LipsyncApp,
  listSubscription,
  progressSubscription,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';

const many = 50;

let app: LipsyncApp;
let ids: string[];
beforeAll(async () => {
  // No polls and no callbacks, so that no event comes during these tests.
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  await app.turn({ callbacks: 'none' });
  const [video = ''] = await app.listVideoIds();
  const speech = { script: { text: '[[never]] Quiet' } };
  ids = idsOf(await app.createAll([1, 2, 3].map(() => ({ video: { videoId: video }, speech }))));
});
afterAll(() => app.stop());

const watched = () => app.services.lipsyncs.watchedCount();

async function openStreams(): Promise<number> {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  return Number(/^graphql_streams\{transport="sse"\} (\d+)$/m.exec(text)?.[1]);
}

/** The subscription of the current test: to one lip-sync or a list. */
let query: string;
let variables: { id: string } | { ids: string[] };
/** How many lip-syncs it subscribes to, which is also the number of its first events. */
let logs: number;

const operation = () => JSON.stringify({ query, variables, extensions: {} });

/** Requests an event stream over its own connection, which the test can cut at any point. */
function requestStream(method: 'GET' | 'POST') {
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const asked = request(`${app.url}/graphql${method === 'GET' ? `?${search}` : ''}`, {
    method,
    agent: false,
    headers: {
      accept: 'text/event-stream',
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
    },
  });
  asked.on('error', () => undefined);
  const sent = new Promise<void>((resolve) => {
    asked.end(method === 'POST' ? operation() : undefined, resolve);
  });
  const firstEvent = new Promise<void>((resolve) => {
    asked.on('response', (response) => {
      response.on('error', () => undefined);
      response.on('data', (chunk: Buffer) => {
        if (chunk.includes('event: next')) resolve();
      });
    });
  });
  return { sent, firstEvent, cut: () => asked.destroy() };
}

/** Finished requests. */
const countEnded = () => app.logs.filter(({ msg }) => msg === 'request').length;

afterEach(async () => {
  await vi.waitFor(async () => expect([watched(), await openStreams()]).toEqual([0, 0]), longWait);
  // No event was logged that could have ended a stream.
  for (const id of ids) expect(await app.readEvents(id)).toHaveLength(2);
});

describe.each(['one lip-sync', 'a list'])(
  'ends the subscription to %s without events when the client disconnects',
  (of) => {
    beforeEach(() => {
      const [id = ''] = ids;
      query = of === 'a list' ? listSubscription : progressSubscription;
      variables = of === 'a list' ? { ids } : { id };
      logs = of === 'a list' ? ids.length : 1;
    });

    it('by complete over a WebSocket that stays open', async () => {
      const client = await RawWebSocket.open(app.url);
      for (let n = 0; n < many; n += 1) client.subscribe(`${n}`, query, variables);
      await client.message((message) => message.id === `${many - 1}` && message.type === 'next');
      expect(watched()).toBe(logs);
      for (let n = 0; n < many; n += 1) client.complete(`${n}`);
      await vi.waitFor(() => expect(watched()).toBe(0), longWait);
      client.socket.close();
      await client.closed;
    });

    it('by complete right after subscribe over a WebSocket that stays open', async () => {
      const client = await RawWebSocket.open(app.url);
      for (let n = 0; n < many; n += 1) {
        client.subscribe(`${n}`, query, variables);
        client.complete(`${n}`);
      }
      client.subscribe('last', query, variables);
      await client.message((message) => message.id === 'last' && message.type === 'next');
      client.complete('last');
      await vi.waitFor(() => expect(watched()).toBe(0), longWait);
      client.socket.close();
      await client.closed;
    });

    it.each(['close', 'terminate'] as const)('over a WebSocket: %s', async (how) => {
      const clients = await Promise.all(
        Array.from({ length: many }, () => RawWebSocket.open(app.url)),
      );
      for (const client of clients) client.subscribe('one', query, variables);
      await Promise.all(clients.map((client) => client.message(({ type }) => type === 'next')));
      expect(watched()).toBe(logs);
      for (const client of clients) client.socket[how]();
      await Promise.all(clients.map(({ closed }) => closed));
    });

    it('over a WebSocket that is cut before the subscription started', async () => {
      const clients = await Promise.all(
        Array.from({ length: many }, () => RawWebSocket.open(app.url)),
      );
      await Promise.all(
        clients.map(async ({ socket, closed }) => {
          const payload = { query, variables };
          socket.send(JSON.stringify({ id: 'one', type: 'subscribe', payload }), () =>
            socket.terminate(),
          );
          await closed;
        }),
      );
    });

    it.each(['GET', 'POST'] as const)('over SSE by %s', async (method) => {
      const streams = Array.from({ length: many }, () => requestStream(method));
      await Promise.all(streams.map(({ firstEvent }) => firstEvent));
      expect([watched(), await openStreams()]).toEqual([logs, many]);
      for (const { cut } of streams) cut();
    });

    it.each(['GET', 'POST'] as const)(
      'over SSE by %s that is cut while the lip-sync is being read',
      async (method) => {
        const asked = vi.spyOn(app.db, 'query');
        const release = await app.holdLipsyncs();
        const streams = Array.from({ length: many }, () => requestStream(method));
        await Promise.all(streams.map(({ sent }) => sent));
        const texts = () => asked.mock.calls.map(([text]) => text);
        // Lookups of one owner that come while one is held share the next.
        await vi.waitFor(
          () => expect(texts().join()).toContain('from lipsyncs where id = any($2'),
          longWait,
        );
        const before = countEnded();
        for (const { cut } of streams) cut();
        await vi.waitFor(() => expect(countEnded() - before).toBe(many), longWait);
        asked.mockRestore();
        await release();
        // The next request is served after all of them.
        const last = requestStream(method);
        await last.firstEvent;
        last.cut();
      },
    );
  },
);
