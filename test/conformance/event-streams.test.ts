import { createClient } from 'graphql-sse';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  idOf,
  openStage,
  patient,
  progressSubscription,
  type Stage,
} from '../domains/lipsyncs/stage.ts';
import { readEvents, type ServerSentEvent } from '../support/graphql-client.ts';

/*
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, by hand and by the client of its author. What the
 * answers mean is tested elsewhere.
 */

let stage: Stage;
/** Of a lip-sync that stays as it is, and of one that has ended. */
let quiet: string;
let ended: string;
beforeAll(async () => {
  stage = await openStage({ env: { POLL_INTERVAL_MS: '600000' } });
  const [video = ''] = await stage.sources();
  const make = async (text: string) =>
    idOf(await stage.create({ video: { id: video }, speech: { text: { text } } }));
  ended = await make('Over');
  await stage.end(ended);
  await stage.test.turn({ callbacks: 'none' });
  quiet = await make('[[never]] Quiet');
});
afterAll(() => stage?.stop());

const watched = () => stage.test.app.services.lipsyncs.watchedCount();
afterEach(() => vi.waitFor(() => expect(watched()).toBe(0), patient));

const json = { 'content-type': 'application/json' };
const asStream = { accept: 'text/event-stream' };
const name = { query: '{ viewer { name } }' };
const watch = (id: string) => ({ query: progressSubscription, variables: { id } });
const at = (path: string) => `${stage.test.url}${path}`;
const single = () => at('/graphql/stream');

type Result = { data?: Record<string, unknown>; errors?: { message: string }[] };

/** The result of `next`, and what else stands in its frame. */
function resultIn({ data }: ServerSentEvent): Result {
  return JSON.parse(data) as Result;
}

const frames = (body: ReadableStream<Uint8Array> | null) =>
  readEvents(body as ReadableStream<Uint8Array>);

async function reserve(): Promise<string> {
  const response = await fetch(single(), { method: 'PUT' });
  expect([response.status, response.headers.get('content-type')]).toEqual([
    201,
    'text/plain; charset=utf-8',
  ]);
  return response.text();
}

const withToken = (token: string) => ({ 'x-graphql-event-stream-token': token });

/** A stream that was reserved, the results of its operations, and what may be asked on it. */
async function openReserved() {
  const token = await reserve();
  const leaving = new AbortController();
  return {
    token,
    ask: (body: object, operationId?: string, headers: Record<string, string> = {}) =>
      fetch(single(), {
        method: 'POST',
        headers: { ...json, ...withToken(token), ...headers },
        body: JSON.stringify({ ...body, extensions: { operationId } }),
      }),
    stop: (search: string) =>
      fetch(`${single()}${search}`, { method: 'DELETE', headers: withToken(token) }),
    open: async () => {
      const headers = { ...asStream, ...withToken(token) };
      const response = await fetch(single(), { headers, signal: leaving.signal });
      return { response, events: frames(response.body) };
    },
    leave: () => leaving.abort(),
  };
}

type Told = { event: string; id: string; payload?: Result };

async function next(events: AsyncIterator<ServerSentEvent>): Promise<Told> {
  const { value } = await events.next();
  const { event, data } = value as ServerSentEvent;
  return { event, ...(JSON.parse(data) as { id: string; payload?: Result }) };
}

describe('distinct connections', () => {
  it.each([
    ['/graphql', 'POST'],
    ['/graphql', 'GET'],
    ['/graphql/stream', 'POST'],
    ['/graphql/stream', 'GET'],
  ])(
    '%s by %s streams next with the place in the log as its id, and then complete',
    async (path, method) => {
      const { query, variables } = watch(ended);
      const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
      const response = await (method === 'GET'
        ? fetch(`${at(path)}?${search}`, { headers: asStream })
        : fetch(at(path), {
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
      'what does not parse',
      { query: '{' },
      { errors: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }] },
    ],
    [
      'what fits no schema',
      { query: '{ nothing }' },
      { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
    ],
  ])('%s is one next and complete, on a stream that was taken', async (_, operation, result) => {
    for (const path of ['/graphql', '/graphql/stream']) {
      const response = await fetch(at(path), {
        method: 'POST',
        headers: { ...json, ...asStream },
        body: JSON.stringify(operation),
      });
      expect(response.status).toBe(200);
      const events = await Array.fromAsync(frames(response.body));
      expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
      expect(resultIn(events[0] as ServerSentEvent)).toMatchObject(result);
    }
  });

  it('ends the source of a client that closes the connection', async () => {
    const leaving = new AbortController();
    const response = await fetch(at('/graphql'), {
      method: 'POST',
      headers: { ...json, ...asStream },
      body: JSON.stringify(watch(quiet)),
      signal: leaving.signal,
    });
    await frames(response.body).next();
    expect(watched()).toBe(1);
    leaving.abort();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
  });

  it.each(['/graphql', '/graphql/stream'])(
    "the author's client follows a lip-sync on %s",
    async (path) => {
      const client = createClient({ url: at(path), retryAttempts: 0 });
      const results = await Array.fromAsync(client.iterate(watch(ended)));
      expect(results).toMatchObject([{ data: { lipsyncProgress: { status: 'COMPLETED' } } }]);
      client.dispose();
    },
  );
});

describe('a single connection', () => {
  it('is reserved, opened, and carries the results of operations under their ids', async () => {
    const { ask, open, leave } = await openReserved();
    const { response, events } = await open();
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const asked = await ask(name, 'a');
    expect([asked.status, await asked.text()]).toEqual([202, '']);
    expect(await next(events)).toMatchObject({
      event: 'next',
      id: 'a',
      payload: { data: { viewer: { name: 'anonymous' } } },
    });
    expect(await next(events)).toEqual({ event: 'complete', id: 'a' });
    leave();
  });

  it('carries several operations at once, and has no place in a log of its own', async () => {
    const { ask, open, leave } = await openReserved();
    const { events } = await open();
    await ask(watch(quiet), 'quiet');
    expect(await next(events)).toMatchObject({ event: 'next', id: 'quiet' });
    await ask(watch(ended), 'ended');
    const { value } = await events.next();
    // A reservation ends with its connection: there would be nobody to tell `Last-Event-ID` to.
    expect(value?.id).toBeNull();
    expect(JSON.parse(value?.data ?? '')).toMatchObject({
      id: 'ended',
      payload: { data: { lipsyncProgress: { cursor: expect.any(String), status: 'COMPLETED' } } },
    });
    expect(await next(events)).toEqual({ event: 'complete', id: 'ended' });
    leave();
  });

  it('tells what was asked before it was opened', async () => {
    const { ask, open, leave } = await openReserved();
    expect((await ask(name, 'early')).status).toBe(202);
    const { events } = await open();
    expect(await next(events)).toMatchObject({ event: 'next', id: 'early' });
    leave();
  });

  it('goes on after the cursor that was told last, in another one', async () => {
    const all = await stage.events(ended);
    const { ask, open, leave } = await openReserved();
    const { events } = await open();
    const after = all[0]?.cursor;
    await ask({ ...watch(ended), variables: { id: ended, after } }, 'again');
    for (const { sequence } of all.slice(1)) {
      expect(await next(events)).toMatchObject({
        payload: { data: { lipsyncProgress: { sequence } } },
      });
    }
    leave();
  });

  it('ends an operation upon DELETE, says no more of it, and frees its id', async () => {
    const { ask, open, stop, leave } = await openReserved();
    const { events } = await open();
    await ask(watch(quiet), 'a');
    await next(events);
    expect(watched()).toBe(1);
    expect((await stop('?operationId=a')).status).toBe(200);
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    expect((await ask(name, 'a')).status).toBe(202);
    let told = await next(events);
    // Whoever ends it may be told that it has ended.
    if (told.payload === undefined) told = await next(events);
    expect(told.payload).toMatchObject({ data: { viewer: { name: 'anonymous' } } });
    leave();
  });

  it('is gone with its connection, and its operations with it', async () => {
    const { ask, open, leave, stop } = await openReserved();
    const { events } = await open();
    await ask(watch(quiet), 'a');
    await next(events);
    leave();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    await vi.waitFor(async () => expect((await ask(name, 'b')).status).toBe(404), patient);
    expect((await stop('?operationId=a')).status).toBe(404);
  });

  it('takes what clients accept beside its own', async () => {
    const { ask, token, leave } = await openReserved();
    const accept = 'application/graphql-response+json, application/json;q=0.9';
    expect((await ask(name, 'a', { accept })).status).toBe(202);
    const headers = { accept: 'text/event-stream, */*;q=0.1', ...withToken(token) };
    const response = await fetch(single(), { headers });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await response.body?.cancel();
    leave();
  });

  it("is what the author's client uses", async () => {
    const client = createClient({ url: single(), singleConnection: true, retryAttempts: 0 });
    const endless = client.iterate(watch(quiet));
    expect(await endless.next()).toMatchObject({ value: { data: { lipsyncProgress: {} } } });
    const results = await Array.fromAsync(client.iterate(watch(ended)));
    expect(results).toMatchObject([{ data: { lipsyncProgress: { status: 'COMPLETED' } } }]);
    expect(watched()).toBe(1);
    await endless.return?.();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    client.dispose();
  });
});

describe('refuses', () => {
  const statusOf = async (answer: Promise<Response>) => (await answer).status;

  it('a second connection on one reservation: 409', async () => {
    const { open, leave } = await openReserved();
    const { events } = await open();
    expect((await open()).response.status).toBe(409);
    leave();
    await events.return();
  });

  it('a second reservation under the same token: 409', async () => {
    const { token } = await openReserved();
    expect(await statusOf(fetch(single(), { method: 'PUT', headers: withToken(token) }))).toBe(409);
  });

  it('an operation whose id is taken: 409, and lets the first one be', async () => {
    const { ask, open, leave } = await openReserved();
    const { events } = await open();
    await ask(watch(quiet), 'a');
    await next(events);
    expect(await statusOf(ask(name, 'a'))).toBe(409);
    expect(watched()).toBe(1);
    leave();
  });

  it('an operation without an id: 400', async () => {
    const { ask } = await openReserved();
    expect(await statusOf(ask(name))).toBe(400);
    expect(await statusOf(ask(name, ''))).toBe(400);
  });

  it('an operation that does not fit the schema: 400 in its own answer, and its id stays free', async () => {
    const { ask, open, leave } = await openReserved();
    const { events } = await open();
    for (const query of ['{', '{ nothing }']) {
      const refused = await ask({ query }, 'a');
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ errors: [{ message: expect.any(String) }] });
    }
    expect((await ask(name, 'a')).status).toBe(202);
    expect(await next(events)).toMatchObject({ event: 'next', id: 'a' });
    leave();
  });

  it('an answer that nobody takes, before anything runs: 406', async () => {
    const { ask, open, leave } = await openReserved();
    const { events } = await open();
    expect(await statusOf(ask(watch(quiet), 'a', { accept: 'application/xml' }))).toBe(406);
    expect(watched()).toBe(0);
    expect((await ask(name, 'a')).status).toBe(202);
    expect(await next(events)).toMatchObject({ id: 'a' });
    leave();
  });

  it('the end of an operation without its id: 400', async () => {
    const { stop } = await openReserved();
    expect(await statusOf(stop(''))).toBe(400);
  });

  it.each(['none', 'made up', `${'a'.repeat(36)}.${'b'.repeat(43)}`])(
    'a token that is %s: 404, whatever is asked with it',
    async (token) => {
      const headers = token === 'none' ? {} : withToken(token);
      const body = JSON.stringify({ ...name, extensions: { operationId: 'a' } });
      const asked = fetch(single(), { method: 'POST', headers: { ...json, ...headers }, body });
      expect(await statusOf(asked)).toBe(404);
      const stopped = fetch(`${single()}?operationId=a`, { method: 'DELETE', headers });
      expect(await statusOf(stopped)).toBe(404);
      if (token === 'none') return;
      expect(await statusOf(fetch(single(), { headers: { ...headers, ...asStream } }))).toBe(404);
      expect(await statusOf(fetch(single(), { method: 'PUT', headers }))).toBe(404);
    },
  );

  it('a reservation by who takes no token for an answer: 406', async () => {
    const headers = { accept: 'application/json' };
    expect(await statusOf(fetch(single(), { method: 'PUT', headers }))).toBe(406);
  });

  it('another method: 405', async () => {
    const { token } = await openReserved();
    const patch = await fetch(single(), { method: 'PATCH', headers: withToken(token) });
    expect([patch.status, patch.headers.get('allow')]).toEqual([405, 'GET, POST, PUT, DELETE']);
  });
});
