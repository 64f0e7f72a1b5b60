import { createClient } from 'graphql-sse';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readEvents, type ServerSentEvent } from '../support/graphql-client.ts';
import {
  idOf,
  type LipsyncApp,
  progressSubscription,
  startLipsyncApp,
} from '../support/lipsync-app.ts';
import { longWait } from '../support/lipsyncs.ts';

/*
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, tested with raw requests and with the reference client. The
 * content of the answers is tested elsewhere.
 */

let app: LipsyncApp;
/** The id of a lip-sync whose job never ends, and of a finished one. */
let quiet: string;
let ended: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  const [video = ''] = await app.listVideoIds();
  const make = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));
  ended = await make('Over');
  await app.waitForEnd(ended);
  await app.turn({ callbacks: 'none' });
  quiet = await make('[[never]] Quiet');
});
afterAll(() => app?.stop());

const watched = () => app.services.lipsyncs.watchedCount();
afterEach(() => vi.waitFor(() => expect(watched()).toBe(0), longWait));

const json = { 'content-type': 'application/json' };
const asStream = { accept: 'text/event-stream' };
const name = { query: '{ viewer { name } }' };
const watch = (id: string) => ({ query: progressSubscription, variables: { id } });
const endpoint = () => `${app.url}/graphql`;

type Result = { data?: Record<string, unknown>; errors?: { message: string }[] };

/** The result in a `next` frame. */
function resultIn({ data }: ServerSentEvent): Result {
  return JSON.parse(data) as Result;
}

const frames = (body: ReadableStream<Uint8Array> | null) =>
  readEvents(body as ReadableStream<Uint8Array>);

describe('works', () => {
  it.each(['POST', 'GET'])(
    'streams by %s: next with the cursor as its id, and then complete',
    async (method) => {
      const { query, variables } = watch(ended);
      const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
      const response = await (method === 'GET'
        ? fetch(`${endpoint()}?${search}`, { headers: asStream })
        : fetch(endpoint(), {
            method,
            headers: { ...json, ...asStream },
            body: JSON.stringify({ query, variables }),
          }));
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
      const [first, last, ...others] = await Array.fromAsync(frames(response.body));
      expect(others).toEqual([]);
      expect(first?.event).toBe('next');
      const { lipsyncProgress } = resultIn(first as ServerSentEvent).data as {
        lipsyncProgress: { cursor: string };
      };
      expect(first?.id).toBe(lipsyncProgress.cursor);
      expect(last).toMatchObject({ event: 'complete', data: '' });
    },
  );

  it.each([
    ['a query', name, { data: { viewer: { name: 'anonymous' } } }],
    [
      'a document that does not parse',
      { query: '{' },
      { errors: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }] },
    ],
    [
      'a document that does not validate',
      { query: '{ nothing }' },
      { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
    ],
  ])(
    '%s is answered with one next and complete, on a stream of status 200',
    async (_, operation, result) => {
      const response = await fetch(endpoint(), {
        method: 'POST',
        headers: { ...json, ...asStream },
        body: JSON.stringify(operation),
      });
      expect(response.status).toBe(200);
      const events = await Array.fromAsync(frames(response.body));
      expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
      expect(resultIn(events[0] as ServerSentEvent)).toMatchObject(result);
    },
  );

  it('ends the source of a client that closes the connection', async () => {
    const leaving = new AbortController();
    const response = await fetch(endpoint(), {
      method: 'POST',
      headers: { ...json, ...asStream },
      body: JSON.stringify(watch(quiet)),
      signal: leaving.signal,
    });
    await frames(response.body).next();
    expect(watched()).toBe(1);
    leaving.abort();
    await vi.waitFor(() => expect(watched()).toBe(0), longWait);
  });

  it("serves the reference client's subscription to a lip-sync", async () => {
    const client = createClient({ url: endpoint(), retryAttempts: 0 });
    const results = await Array.fromAsync(client.iterate(watch(ended)));
    expect(results).toMatchObject([{ data: { lipsyncProgress: { status: 'COMPLETED' } } }]);
    client.dispose();
  });
});

describe('refuses', () => {
  it.each(['PUT', 'PATCH', 'DELETE'])('%s: 405', async (method) => {
    const response = await fetch(endpoint(), { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });

  // The single connection mode of graphql-sse is not offered: `lipsyncsProgress` is one stream for many lip-syncs.
  it.each(['PUT', 'GET', 'POST', 'DELETE'])(
    'a reservation: %s /graphql/stream is 404',
    async (method) => {
      const response = await fetch(`${endpoint()}/stream`, {
        method,
        headers: { ...json, ...asStream },
      });
      expect(response.status).toBe(404);
    },
  );
});
