import { once } from 'node:events';
import { EventSource } from 'eventsource';
import { createClient } from 'graphql-ws';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { clockToleranceMs } from '../../../src/server/auth/clock-tolerance.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync, readVideoIds, withHeaders } from '../../support/lipsyncs.ts';
import { type ConnectionKind, connectionKinds, openStream } from '../../support/open-stream.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const jwtSecret = 'a secret of at least thirty-two bytes';
const day = 86_400_000;

let it: TestApp;
let video: string;
/** Stands still until a test moves it. */
const clock = { startMs: Date.now(), aheadMs: 0 };
const now = () => new Date(clock.startMs + clock.aheadMs);

beforeAll(async () => {
  it = await startTestApp({
    env: { AUTH_JWT_SECRET: jwtSecret, ALLOW_ANONYMOUS: 'false' },
    // No job finishes by itself.
    sandbox: { generatingMs: 3_600_000, accounts: [{ email: 'a@sandbox.example', maxJobs: 8 }] },
    now,
  });
  [video = ''] = await readVideoIds(await signedIn());
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

const signedIn = async () => withHeaders(it, as(await tokenFor(day)));

async function createOwnLipsync(): Promise<string> {
  return (await createLipsync(await signedIn(), { video: { videoId: video } })).id;
}

async function cancel(id: string): Promise<void> {
  const query = 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }';
  const { data } = await (await signedIn()).ask(query, { id });
  expect(data?.cancelLipsync).toEqual({ __typename: 'LipsyncTrackingStopped' });
}

const progress =
  'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { sequence status } } }';

/** What a stream says before it ends without being complete. A WebSocket has its close code. */
function endOf(kind: ConnectionKind): RegExp {
  if (kind.includes('WebSocket')) return /(?:)/;
  return kind.startsWith('a multipart')
    ? /"payload":null,"errors":\[\{[^\]]*"code":"NOT_AUTHENTICATED"[^\]]*\}\]\}\r\n--graphql--\r\n$/
    : /\n: sign in again\n\n$/;
}

describe('works', () => {
  test.each(connectionKinds)(
    '%s ends when its token expires and makes its client reconnect; one with a later expiry stays open',
    async (kind) => {
      const id = await createOwnLipsync();
      const short = await openStream(kind, { url: it.url, token: await tokenFor(60_000), id });
      const long = await openStream(kind, { url: it.url, token: await tokenFor(600_000), id });
      clock.aheadMs += 60_000 + clockToleranceMs;
      expect(await short.ended).toBe(kind.includes('WebSocket') ? 4403 : null);
      expect(short.isComplete()).toBe(false);
      expect(short.text()).toMatch(endOf(kind));
      // Both are checked at the same time.
      expect(long.isOpen()).toBe(true);
      await cancel(id);
      if (kind !== 'an idle WebSocket') await long.completes();
      long.disconnect();
    },
  );

  // A token that was accepted within the tolerance once lost its connection at once, and its client reconnected for ever.
  test.each(connectionKinds)(
    '%s stays open for as long after the expiry as requests are accepted',
    async (kind) => {
      const id = await createOwnLipsync();
      const longer = await openStream(kind, { url: it.url, token: await tokenFor(60_000), id });
      const shorter = await openStream(kind, { url: it.url, token: await tokenFor(57_000), id });
      clock.aheadMs += 57_000 + clockToleranceMs;
      // Checked in the order in which they signed in.
      await shorter.ended;
      expect(longer.isOpen()).toBe(true);
      clock.aheadMs += 3_000;
      await longer.ended;
      await cancel(id);
    },
  );

  // The connection ends only at the next check of its session, which comes a moment later.
  test.each(['WebSocket', 'SSE by POST', 'a multipart stream by POST'] as const)(
    '%s receives no event after its token has expired, and no end of the subscription',
    async (kind) => {
      const id = await createOwnLipsync();
      const stream = await openStream(kind, { url: it.url, token: await tokenFor(60_000), id });
      const text = stream.text();
      clock.aheadMs += 60_000 + clockToleranceMs;
      await cancel(id);
      await stream.ended;
      expect(stream.text().slice(text.length)).not.toMatch(/next|complete|"payload":\{/);
      expect(stream.isComplete()).toBe(false);
    },
  );

  test('a graphql-ws client reconnects by itself, with its new token', async () => {
    const id = await createOwnLipsync();
    const tokens = [await tokenFor(60_000), await tokenFor(600_000)];
    const codes: number[] = [];
    const reconnected = Promise.withResolvers<void>();
    const client = createClient({
      url: `${it.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: () => {
        if (tokens.length === 1) reconnected.resolve();
        return as(tokens.shift() ?? '');
      },
      // By default it waits for some seconds.
      retryWait: async () => undefined,
      on: { closed: (event) => codes.push((event as CloseEvent).code) },
    });
    const events = client.iterate({ query: progress, variables: { id } });
    await events.next();
    clock.aheadMs += 60_000 + clockToleranceMs;
    await reconnected.promise;
    expect(codes).toEqual([4403]);
    await cancel(id);
    let last: unknown;
    for await (const { data } of events) last = data?.lipsyncProgress;
    expect(last).toMatchObject({ status: 'CANCELLED' });
    await client.dispose();
  });

  test('an EventSource reconnects by itself, and continues after its last event', async () => {
    const id = await createOwnLipsync();
    const tokens = [await tokenFor(60_000), await tokenFor(600_000)];
    const search = new URLSearchParams({ query: progress, variables: JSON.stringify({ id }) });
    const source = new EventSource(`${it.url}/graphql?${search}`, {
      fetch: (url, init) =>
        fetch(url, { ...init, headers: { ...init.headers, ...as(tokens.shift() ?? '') } }),
    });
    const events: MessageEvent[] = [];
    source.addEventListener('next', (event) => events.push(event));
    await once(source, 'next');
    const reopened = once(source, 'open');
    clock.aheadMs += 60_000 + clockToleranceMs;
    await reopened;
    expect(tokens).toEqual([]);
    const complete = once(source, 'complete');
    await cancel(id);
    await complete;
    source.close();
    const updates = events.map(({ data }) => JSON.parse(data).data.lipsyncProgress);
    expect(new Set(updates.map(({ sequence }) => sequence)).size).toBe(updates.length);
    expect(updates.at(-1)).toMatchObject({ status: 'CANCELLED' });
    expect(events[0]?.lastEventId).not.toBe('');
  });

  // A timer of Node is limited to 25 days, and fires immediately for longer delays.
  test('a connection with a token of sixty days stays open until the token expires', async () => {
    const connection = { url: it.url, token: await tokenFor(60 * day), id: '' };
    const socket = await openStream('an idle WebSocket', connection);
    const short = { ...connection, token: await tokenFor(60_000) };
    const first = await openStream('an idle WebSocket', short);
    clock.aheadMs += 60_000 + clockToleranceMs;
    await first.ended;
    expect(socket.isOpen()).toBe(true);
    clock.aheadMs += 60 * day;
    expect(await socket.ended).toBe(4403);
  });
});

describe('keeps out', () => {
  test('operations on a socket that is being closed: they have no signed-in caller', async () => {
    const id = await createOwnLipsync();
    const token = await tokenFor(60_000);
    const raw = await RawWebSocket.open(it.url, as(token));
    const stream = await openStream('SSE by GET', { url: it.url, token, id });
    // The client does not read the close frame yet.
    raw.socket.pause();
    clock.aheadMs += 60_000 + clockToleranceMs;
    await stream.ended;
    const query =
      'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';
    raw.subscribe('1', query);
    raw.socket.resume();
    expect(await raw.closed).toMatchObject({ code: 4403 });
    await it.ask(query, {}, as(await tokenFor(day)));
    expect(await it.app.db.query('select id from uploads')).toHaveLength(1);
    await cancel(id);
  });
});
