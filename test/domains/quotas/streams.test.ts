import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { liveEventsOf } from '../../../src/live-events.ts';
import { postgresUrl, testStorage } from '../../support/database.ts';
import {
  idOf,
  type LipsyncApp,
  listSubscription,
  progressSubscription,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const limit = 3;
const env = { STREAMS_PER_CALLER: `${limit}`, POLL_INTERVAL_MS: '600000' };

let app: LipsyncApp;
let id: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env });
  await app.turn({ callbacks: 'none' });
  id = await createEndless(app);
});
afterAll(() => app.stop());

async function createEndless({ listVideoIds, create }: LipsyncApp): Promise<string> {
  const [video = ''] = await listVideoIds();
  return idOf(await create({ video: { videoId: video }, text: '[[never]] Quiet' }));
}

type Allowance = { limit: number; remaining: number };
const viewer = '{ viewer { openStreams { limit remaining } } }';

async function remaining(at = app): Promise<number | undefined> {
  const { data } = await at.ask<{ viewer: { openStreams: Allowance } }>(viewer);
  return data?.viewer.openStreams.remaining;
}

const subscription = `subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename
  ... on LipsyncError { code message retryable retryAfterSeconds } } }`;

/** Opens streams over one socket; resolves when each has had its first event. */
async function openSocket(count: number, at = app): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(at.url);
  for (let n = 0; n < count; n += 1) {
    socket.subscribe(`${n}`, progressSubscription, { id });
    await socket.message((message) => message.id === `${n}` && message.type === 'next');
  }
  return socket;
}

const isFree = (at = app) =>
  vi.waitFor(async () => expect(await remaining(at)).toBe(limit), longWait);

afterEach(() => isFree());

describe('works', () => {
  it('reports in the viewer how many streams can still be opened', async () => {
    const socket = await openSocket(2);
    expect((await app.ask(viewer)).data).toEqual({
      viewer: { openStreams: { limit, remaining: 1 } },
    });
    socket.socket.close();
  });

  it('releases a stream that ends by itself, also while its WebSocket stays open', async () => {
    const other = await createEndless(app);
    const events = app.watchSse(progressSubscription, { id: other });
    await events.next();
    const socket = await RawWebSocket.open(app.url);
    socket.subscribe('0', progressSubscription, { id: other });
    await socket.message(({ type }) => type === 'next');
    expect(await remaining()).toBe(limit - 2);
    await app.cancel(other);
    for await (const _ of events);
    await socket.message(({ type }) => type === 'complete');
    await isFree();
    socket.socket.close();
  });

  it.each([
    ['complete', (socket: RawWebSocket) => socket.complete('0')],
    ['close', (socket: RawWebSocket) => socket.socket.close()],
    ['loss', (socket: RawWebSocket) => socket.socket.terminate()],
  ])('releases a stream after %s of a WebSocket', async (_, end) => {
    const socket = await openSocket(1);
    expect(await remaining()).toBe(limit - 1);
    end(socket);
    await isFree();
    socket.socket.terminate();
  });

  it.each(['GET', 'POST'] as const)(
    'releases an event stream that its client closes, by %s',
    async (method) => {
      const events = app.watchSse(progressSubscription, { id }, { method });
      await events.next();
      expect(await remaining()).toBe(limit - 1);
      await events.return();
      await isFree();
    },
  );

  it('counts no stream for a request that is answered with 406', async () => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: progressSubscription, variables: { id } }),
    });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }],
    });
    await isFree();
    await vi.waitFor(() => expect(app.services.lipsyncs.watchedCount()).toBe(0), longWait);
  });
});

describe('works for a list', () => {
  it('counts as one stream, for any number of ids', async () => {
    const ids = [id, await createEndless(app), await createEndless(app)];
    const events = app.watchSse(listSubscription, { ids });
    for (const _ of ids) await events.next();
    const socket = await RawWebSocket.open(app.url);
    socket.subscribe('0', listSubscription, { ids });
    await socket.message(({ type }) => type === 'next');
    expect(await remaining()).toBe(limit - 2);
    const one = app.watchSse(progressSubscription, { id });
    await one.next();
    socket.subscribe('more', listSubscription, { ids });
    const { payload } = await socket.message((message) => message.id === 'more');
    expect(payload?.data?.lipsyncsProgress).toMatchObject({
      __typename: 'QuotaExceededError',
      code: 'QUOTA_EXCEEDED',
    });
    socket.socket.close();
    await Promise.all([events.return(), one.return()]);
    await isFree();
    for (const each of ids.slice(1)) await app.cancel(each);
  });
});

describe('refuses', () => {
  it('a stream beyond the limit on every transport, as a member of the result union', async () => {
    const socket = await openSocket(1);
    const [get, post] = (['GET', 'POST'] as const).map((method) =>
      app.watchSse(progressSubscription, { id }, { method }),
    );
    await get?.next();
    await post?.next();
    const expected = {
      __typename: 'QuotaExceededError',
      code: 'QUOTA_EXCEEDED',
      message: 'The limit of 3 open subscriptions is used up.',
      retryable: true,
      retryAfterSeconds: 10,
    };
    for (const method of ['GET', 'POST'] as const) {
      for await (const { data } of app.watchSse(subscription, { id }, { method })) {
        expect(data.data?.lipsyncProgress).toEqual(expected);
      }
    }
    for await (const { data } of app.watchWs(subscription, { id })) {
      expect(data?.lipsyncProgress).toEqual(expected);
    }
    socket.subscribe('more', subscription, { id });
    const answer = await socket.message((message) => message.id === 'more');
    expect(answer.payload?.data?.lipsyncProgress).toEqual(expected);
    await get?.return();
    await post?.return();
    socket.socket.close();
  });

  it('concurrent streams beyond the limit', async () => {
    const socket = await RawWebSocket.open(app.url);
    for (let n = 0; n < 4 * limit; n += 1) socket.subscribe(`${n}`, subscription, { id });
    const firsts = await Promise.all(
      Array.from({ length: 4 * limit }, (_, n) =>
        socket.message((message) => message.id === `${n}` && message.type === 'next'),
      ),
    );
    const kinds = firsts.map(({ payload }) => JSON.stringify(payload?.data));
    expect(kinds.filter((kind) => kind.includes('"LipsyncProgress"'))).toHaveLength(limit);
    expect(kinds.filter((kind) => kind.includes('"QuotaExceededError"'))).toHaveLength(3 * limit);
    socket.socket.close();
  });

  it('an unknown id before the stream is counted', async () => {
    const socket = await openSocket(limit);
    socket.subscribe('none', subscription, { id: 'x' });
    const answer = await socket.message((message) => message.id === 'none');
    expect(answer.payload?.data?.lipsyncProgress).toMatchObject({ code: 'NOT_FOUND' });
    socket.socket.close();
  });
});

describe('keeps out', () => {
  it('the streams of other owners', async () => {
    const keys = ['ann', 'bob'].map(
      (name) => `${name}:${createHash('sha256').update(name).digest('hex')}:lipsync:read`,
    );
    const separate = await startLipsyncApp({ env: { ...env, API_KEYS: keys.join(',') } });
    const { db, services } = separate;
    const clients = new AbortController();
    for (const _ of Array(limit))
      await services.quotas.holdStream('key:ann', liveEventsOf([]), clients.signal);
    const ask = (name: string) => separate.ask(viewer, {}, { authorization: `Bearer ${name}` });
    expect((await ask('ann')).data).toMatchObject({ viewer: { openStreams: { remaining: 0 } } });
    expect((await ask('bob')).data).toMatchObject({
      viewer: { openStreams: { remaining: limit } },
    });
    clients.abort();
    await vi.waitFor(
      async () => expect(await db.query('select 1 from open_streams')).toEqual([]),
      longWait,
    );
    await separate.stop();
  });

  it('leases of a crashed process on the embedded database', async () => {
    const storage = await testStorage();
    const before = await startLipsyncApp({ env, storage });
    await before.db.query(
      `insert into open_streams (id, owner, lease_until)
       select gen_random_uuid(), 'anonymous', now() + interval '1 hour' from generate_series(1, 3)`,
    );
    expect(await remaining(before)).toBe(0);
    await before.stop();
    const after = await startLipsyncApp({ env, storage });
    expect(await remaining(after)).toBe(postgresUrl === undefined ? limit : 0);
    await after.stop();
    await storage.remove();
  });
});

describe.runIf(postgresUrl)('with several instances on one PostgreSQL', () => {
  it('streams beyond the limit on all instances together, which counts those of a dead one for 15 seconds', async () => {
    const storage = await testStorage();
    const start = Date.now();
    let aheadMs = 0;
    const one = await startLipsyncApp({ env, storage, now: () => new Date(start) });
    const two = await startLipsyncApp({
      ...{ env, storage, upstream: one.sandbox },
      now: () => new Date(start + aheadMs),
    });
    const own = id;
    id = await createEndless(one);
    const socket = await openSocket(limit - 1, one);
    expect([await remaining(one), await remaining(two)]).toEqual([1, 1]);
    // For the clock of the second instance the leases of the first have expired, as if it had stopped renewing them.
    aheadMs = 15_001;
    expect([await remaining(one), await remaining(two)]).toEqual([1, limit]);
    aheadMs = 0;
    socket.socket.close();
    await isFree(two);
    id = own;
    await two.stop();
    await one.stop();
    await storage.remove();
  });
});
