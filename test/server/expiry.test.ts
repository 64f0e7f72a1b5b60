import { once } from 'node:events';
import { EventSource } from 'eventsource';
import { createClient } from 'graphql-ws';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openStream, ways } from './streams.ts';

const jwtSecret = 'a secret of at least thirty-two bytes';
const day = 86_400_000;

let it: TestApp;
let video: string;
/** It stands still until it is moved: whatever ends has ended within a second of its expiry. */
const clock = { startMs: Date.now(), aheadMs: 0 };
const now = () => new Date(clock.startMs + clock.aheadMs);

beforeAll(async () => {
  it = await startTestApp({
    env: { AUTH_JWT_SECRET: jwtSecret, ALLOW_ANONYMOUS: 'false' },
    // Nothing ends by itself.
    sandbox: { generatingMs: 3_600_000, accounts: [{ email: 'a@sandbox.example', maxJobs: 8 }] },
    now,
  });
  type Data = { videos: { nodes: { id: string }[] } };
  const query = '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }';
  const { data } = await it.ask<Data>(query, {}, as(await tokenFor(day)));
  video = data?.videos.nodes[0]?.id ?? '';
});
afterAll(() => it?.stop());

const as = (token: string) => ({ authorization: `Bearer ${token}` });

async function tokenFor(ms: number): Promise<string> {
  const scope = 'lipsync:read lipsync:write videos:read';
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ada')
    .setExpirationTime(Math.floor((now().getTime() + ms) / 1000))
    .sign(new TextEncoder().encode(jwtSecret));
}

async function createLipsync(): Promise<string> {
  type Data = { createLipsync: { lipsync: { id: string } } };
  const { data } = await it.ask<Data>(
    'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } } }',
    { input: { video: { id: video }, speech: { text: { text: 'Wait for it.' } } } },
    as(await tokenFor(day)),
  );
  return data?.createLipsync.lipsync.id ?? '';
}

async function cancel(id: string): Promise<void> {
  const query = 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }';
  const { data } = await it.ask(query, { id }, as(await tokenFor(day)));
  expect(data?.cancelLipsync).toEqual({ __typename: 'LipsyncTrackingStopped' });
}

const progress =
  'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { sequence status } } }';

describe('works', () => {
  test.each(ways)(
    '%s ends when its token expires, and says to come back; beside it one that holds longer goes on',
    async (way) => {
      const id = await createLipsync();
      const short = await openStream(way, { url: it.url, token: await tokenFor(60_000), id });
      const long = await openStream(way, { url: it.url, token: await tokenFor(600_000), id });
      clock.aheadMs += 60_000;
      expect(await short.ended).toBe(way.includes('WebSocket') ? 4403 : null);
      expect(short.text()).not.toContain('complete');
      if (!way.includes('WebSocket')) expect(short.text()).toMatch(/\n: sign in again\n\n$/);
      // Both were looked at in the same moment.
      expect(long.isOpen()).toBe(true);
      await cancel(id);
      if (way !== 'an idle WebSocket') await long.sees('complete');
      long.leave();
    },
  );

  test('a client of graphql-ws comes back by itself, with the token that it has then', async () => {
    const id = await createLipsync();
    const tokens = [await tokenFor(60_000), await tokenFor(600_000)];
    const codes: number[] = [];
    const back = Promise.withResolvers<void>();
    const client = createClient({
      url: `${it.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: () => {
        if (tokens.length === 1) back.resolve();
        return as(tokens.shift() ?? '');
      },
      // By default it waits for some seconds; that it comes back at all is its own choice.
      retryWait: async () => undefined,
      on: { closed: (event) => codes.push((event as CloseEvent).code) },
    });
    const events = client.iterate({ query: progress, variables: { id } });
    await events.next();
    clock.aheadMs += 60_000;
    await back.promise;
    expect(codes).toEqual([4403]);
    await cancel(id);
    let last: unknown;
    for await (const { data } of events) last = data?.lipsyncProgress;
    expect(last).toMatchObject({ status: 'CANCELLED' });
    await client.dispose();
  });

  test('an event source comes back by itself too, and goes on behind its last event', async () => {
    const id = await createLipsync();
    const tokens = [await tokenFor(60_000), await tokenFor(600_000)];
    const search = new URLSearchParams({ query: progress, variables: JSON.stringify({ id }) });
    const source = new EventSource(`${it.url}/graphql?${search}`, {
      fetch: (url, init) =>
        fetch(url, { ...init, headers: { ...init.headers, ...as(tokens.shift() ?? '') } }),
    });
    const events: MessageEvent[] = [];
    source.addEventListener('next', (event) => events.push(event));
    await once(source, 'next');
    const back = once(source, 'open');
    clock.aheadMs += 60_000;
    await back;
    expect(tokens).toEqual([]);
    const complete = once(source, 'complete');
    await cancel(id);
    await complete;
    source.close();
    const told = events.map(({ data }) => JSON.parse(data).data.lipsyncProgress);
    expect(new Set(told.map(({ sequence }) => sequence)).size).toBe(told.length);
    expect(told.at(-1)).toMatchObject({ status: 'CANCELLED' });
    expect(events[0]?.lastEventId).not.toBe('');
  });

  test('a token of sixty days did not end its connection at once, for a timer holds 25', async () => {
    const connection = { url: it.url, token: await tokenFor(60 * day), id: '' };
    const socket = await openStream('an idle WebSocket', connection);
    const short = { ...connection, token: await tokenFor(60_000) };
    const first = await openStream('an idle WebSocket', short);
    clock.aheadMs += 60_000;
    await first.ended;
    expect(socket.isOpen()).toBe(true);
    clock.aheadMs += 60 * day;
    expect(await socket.ended).toBe(4403);
  });
});

describe('keeps out', () => {
  test('what still comes over a socket that is being closed: nobody is signed in there', async () => {
    const id = await createLipsync();
    const token = await tokenFor(60_000);
    const socket = new WebSocket(`${it.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const closed = once(socket, 'close');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: as(token) }));
    await once(socket, 'message');
    const watching = await openStream('SSE by GET', { url: it.url, token, id });
    // It does not hear that it is closed.
    socket.pause();
    clock.aheadMs += 60_000;
    await watching.ended;
    const query =
      'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    socket.resume();
    expect((await closed)[0]).toBe(4403);
    await it.ask(query, {}, as(await tokenFor(day)));
    expect(await it.app.db.query('select id from uploads')).toHaveLength(1);
    await cancel(id);
  });
});
