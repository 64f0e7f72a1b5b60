import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresUrl, testStorage } from '../../support/database.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import {
  idOf,
  listSubscription,
  openStage,
  patient,
  progressSubscription,
  type Stage,
} from '../lipsyncs/stage.ts';

const most = 3;
const env = { STREAMS_PER_CALLER: `${most}`, POLL_INTERVAL_MS: '600000' };

let stage: Stage;
let id: string;
beforeAll(async () => {
  stage = await openStage({ env });
  await stage.test.turn({ callbacks: 'none' });
  id = await neverEnding(stage);
});
afterAll(() => stage.stop());

async function neverEnding({ sources, create }: Stage): Promise<string> {
  const [video = ''] = await sources();
  return idOf(
    await create({ video: { id: video }, speech: { text: { text: '[[never]] Quiet' } } }),
  );
}

type Allowance = { limit: number; remaining: number };
const viewer = '{ viewer { openStreams { limit remaining } } }';

async function left(at = stage): Promise<number | undefined> {
  const { data } = await at.test.ask<{ viewer: { openStreams: Allowance } }>(viewer);
  return data?.viewer.openStreams.remaining;
}

const refusal = `subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename
  ... on LipsyncError { code message retryable retryAfterSeconds } } }`;

/** Opens streams over one socket; resolves when each has told its first event. */
async function openSocket(count: number, at = stage): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(at.test.url);
  for (let n = 0; n < count; n += 1) {
    socket.subscribe(`${n}`, progressSubscription, { id });
    await socket.message((message) => message.id === `${n}` && message.type === 'next');
  }
  return socket;
}

const isFree = (at = stage) => vi.waitFor(async () => expect(await left(at)).toBe(most), patient);

afterEach(() => isFree());

describe('works', () => {
  it('tells the viewer how many may still be opened', async () => {
    const socket = await openSocket(2);
    expect((await stage.test.ask(viewer)).data).toEqual({
      viewer: { openStreams: { limit: most, remaining: 1 } },
    });
    socket.socket.close();
  });

  it('gives a place back when its stream ends by itself, also over a socket that stays', async () => {
    const other = await neverEnding(stage);
    const events = stage.test.watchSse(progressSubscription, { id: other });
    await events.next();
    const socket = await RawWebSocket.open(stage.test.url);
    socket.subscribe('0', progressSubscription, { id: other });
    await socket.message(({ type }) => type === 'next');
    expect(await left()).toBe(most - 2);
    await stage.cancel(other);
    for await (const _ of events);
    await socket.message(({ type }) => type === 'complete');
    await isFree();
    socket.socket.close();
  });

  it.each([
    ['complete', (socket: RawWebSocket) => socket.complete('0')],
    ['close', (socket: RawWebSocket) => socket.socket.close()],
    ['a cut connection', (socket: RawWebSocket) => socket.socket.terminate()],
  ])('gives a place back upon %s of a WebSocket', async (_, leave) => {
    const socket = await openSocket(1);
    expect(await left()).toBe(most - 1);
    leave(socket);
    await isFree();
    socket.socket.terminate();
  });

  it.each(['GET', 'POST'] as const)(
    'gives a place back upon a left event stream by %s',
    async (method) => {
      const events = stage.test.watchSse(progressSubscription, { id }, { method });
      await events.next();
      expect(await left()).toBe(most - 1);
      await events.return();
      await isFree();
    },
  );

  it('takes no place for an answer that its caller can not take', async () => {
    const response = await fetch(`${stage.test.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: progressSubscription, variables: { id } }),
    });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }],
    });
    await isFree();
    await vi.waitFor(
      () => expect(stage.test.app.services.lipsyncs.watchedCount()).toBe(0),
      patient,
    );
  });
});

describe('a list', () => {
  it('is one stream, however many it watches', async () => {
    const ids = [id, await neverEnding(stage), await neverEnding(stage)];
    const events = stage.test.watchSse(listSubscription, { ids });
    for (const _ of ids) await events.next();
    const socket = await RawWebSocket.open(stage.test.url);
    socket.subscribe('0', listSubscription, { ids });
    await socket.message(({ type }) => type === 'next');
    expect(await left()).toBe(most - 2);
    const one = stage.test.watchSse(progressSubscription, { id });
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
    for (const each of ids.slice(1)) await stage.cancel(each);
  });
});

describe('refuses', () => {
  it('one more over any transport, as a member of its union', async () => {
    const socket = await openSocket(1);
    const [get, post] = (['GET', 'POST'] as const).map((method) =>
      stage.test.watchSse(progressSubscription, { id }, { method }),
    );
    await get?.next();
    await post?.next();
    const told = {
      __typename: 'QuotaExceededError',
      code: 'QUOTA_EXCEEDED',
      message: 'The limit of 3 open subscriptions is used up.',
      retryable: true,
      retryAfterSeconds: 10,
    };
    for (const method of ['GET', 'POST'] as const) {
      for await (const { data } of stage.test.watchSse(refusal, { id }, { method })) {
        expect(data.data?.lipsyncProgress).toEqual(told);
      }
    }
    for await (const { data } of stage.test.watchWs(refusal, { id })) {
      expect(data?.lipsyncProgress).toEqual(told);
    }
    socket.subscribe('more', refusal, { id });
    const answer = await socket.message((message) => message.id === 'more');
    expect(answer.payload?.data?.lipsyncProgress).toEqual(told);
    await get?.return();
    await post?.return();
    socket.socket.close();
  });

  it('all but as many of those that come at once', async () => {
    const socket = await RawWebSocket.open(stage.test.url);
    for (let n = 0; n < 4 * most; n += 1) socket.subscribe(`${n}`, refusal, { id });
    const firsts = await Promise.all(
      Array.from({ length: 4 * most }, (_, n) =>
        socket.message((message) => message.id === `${n}` && message.type === 'next'),
      ),
    );
    const kinds = firsts.map(({ payload }) => JSON.stringify(payload?.data));
    expect(kinds.filter((kind) => kind.includes('"LipsyncProgress"'))).toHaveLength(most);
    expect(kinds.filter((kind) => kind.includes('"QuotaExceededError"'))).toHaveLength(3 * most);
    socket.socket.close();
  });

  it('what is none of its own before it is counted', async () => {
    const socket = await openSocket(most);
    socket.subscribe('none', refusal, { id: 'x' });
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
    const apart = await openStage({ env: { ...env, API_KEYS: keys.join(',') } });
    const { db, services } = apart.test.app;
    const forever = new AbortController();
    const source = async function* () {};
    for (const _ of Array(most))
      await services.quotas.holdStream('key:ann', source(), forever.signal);
    const ask = (name: string) => apart.test.ask(viewer, {}, { authorization: `Bearer ${name}` });
    expect((await ask('ann')).data).toMatchObject({ viewer: { openStreams: { remaining: 0 } } });
    expect((await ask('bob')).data).toMatchObject({ viewer: { openStreams: { remaining: most } } });
    forever.abort();
    await vi.waitFor(
      async () => expect(await db.query('select 1 from open_streams')).toEqual([]),
      patient,
    );
    await apart.stop();
  });

  it('leases that a crash left on the embedded database: there is no other process', async () => {
    const storage = await testStorage();
    const before = await openStage({ env, storage });
    await before.test.app.db.query(
      `insert into open_streams (id, owner, lease_until)
       select gen_random_uuid(), 'anonymous', now() + interval '1 hour' from generate_series(1, 3)`,
    );
    expect(await left(before)).toBe(0);
    await before.stop();
    const after = await openStage({ env, storage });
    expect(await left(after)).toBe(postgresUrl === undefined ? most : 0);
    await after.stop();
    await storage.remove();
  });
});

describe.runIf(postgresUrl)('with several instances on one PostgreSQL', () => {
  it('counts the streams of all, and those of a dead one for 15 seconds', async () => {
    const storage = await testStorage();
    const start = Date.now();
    let aheadMs = 0;
    const one = await openStage({ env, storage, now: () => new Date(start) });
    const two = await openStage({
      ...{ env, storage, upstream: one.test.sandbox },
      now: () => new Date(start + aheadMs),
    });
    const own = id;
    id = await neverEnding(one);
    const socket = await openSocket(most - 1, one);
    expect([await left(one), await left(two)]).toEqual([1, 1]);
    // To the second instance the first one is late by more than a lease: as if it had stopped to renew.
    aheadMs = 15_001;
    expect([await left(one), await left(two)]).toEqual([1, most]);
    aheadMs = 0;
    socket.socket.close();
    await isFree(two);
    id = own;
    await two.stop();
    await one.stop();
    await storage.remove();
  });
});
