import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LogWatcher } from '../../../../src/domains/lipsyncs/progress/log-watcher.ts';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { silentLog } from '../../../support/database.ts';
import {
  idOf,
  type LipsyncApp,
  listSubscription,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  await app.turn({ callbacks: 'none' });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

const create = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

const subscription = `subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress {
  sequence status queuePosition
  lipsync { id status text progress { percent queuePosition }
    voice { id name } sourceVideo { id status url } result { id url } failure { code } } } } }`;

type Received = {
  status: string;
  queuePosition: number | null;
  lipsync: { status: string; progress: { percent: number; queuePosition: number | null } };
};
type Data = { lipsyncProgress: Received };

/** Subscribes over each transport, and collects the events of each. */
async function subscribeOverEachTransport(id: string) {
  const received: Received[][] = [[], []];
  const keep = (at: number) => (data: Data | null | undefined) => {
    if (data) received[at]?.push(data.lipsyncProgress);
  };
  const [socket, stream] = [keep(0), keep(1)];
  const ends = [
    (async () => {
      for await (const { data } of app.watchWs<Data>(subscription, { id })) socket(data);
    })(),
    (async () => {
      const results = app.watchSse<Data>(subscription, { id });
      for await (const { data } of results) stream(data.data);
    })(),
  ];
  await vi.waitFor(() => expect(received.map(({ length }) => length)).toEqual([1, 1]), longWait);
  return { received, ended: Promise.all(ends) };
}

describe('works', () => {
  it('reads the log and the row once per event for two hundred subscribers', async () => {
    const id = await create('[[never]] Crowded');
    const [left, right] = await Promise.all([
      RawWebSocket.open(app.url),
      RawWebSocket.open(app.url),
    ]);
    for (let n = 0; n < 100; n += 1) {
      left.subscribe(`${n}`, subscription, { id });
      right.subscribe(`${n}`, subscription, { id });
    }
    const countOf = (type: string) =>
      [left, right].flatMap(({ messages }) => messages).filter((each) => each.type === type).length;
    await vi.waitFor(() => expect(countOf('next')).toBe(200), longWait);

    const query = vi.spyOn(app.db, 'query');
    await app.cancel(id);
    await vi.waitFor(() => expect(countOf('complete')).toBe(200), longWait);
    const texts = query.mock.calls.map(([text]) => text);
    query.mockRestore();
    expect(countOf('next')).toBe(400);
    expect(texts.filter((text) => text.includes('from lipsync_events'))).toHaveLength(1);
    expect(texts.filter((text) => text.includes('from lipsyncs where id = any($1'))).toHaveLength(
      1,
    );
    for (const { socket, closed } of [left, right]) {
      socket.close();
      await closed;
    }
  });

  it('reads the logs of a list once at the start, and one log per event, for two hundred subscribers', async () => {
    // No more than there are slots: the end of one causes no event of the others.
    const ids = await Promise.all([1, 2, 3].map((n) => create(`[[never]] Listed ${n}`)));
    const client = await RawWebSocket.open(app.url);
    const query = vi.spyOn(app.db, 'query');
    const reads = () => {
      const texts = query.mock.calls.map(([text]) => text);
      query.mockClear();
      return [
        texts.filter((text) => text.includes('from lipsync_events')).length,
        texts.filter((text) => text.includes('from lipsyncs where id = any($1')).length,
      ];
    };
    client.subscribe('first', listSubscription, { ids });
    await client.message(({ id, type }) => id === 'first' && type === 'next');
    expect(reads()).toEqual([1, 1]);
    for (let n = 0; n < 199; n += 1) client.subscribe(`${n}`, listSubscription, { ids });
    const countOf = (type: string) => client.messages.filter((each) => each.type === type).length;
    await vi.waitFor(() => expect(countOf('next')).toBe(600), longWait);
    expect(reads()).toEqual([0, 0]);
    for (const [n, id] of ids.entries()) {
      await app.cancel(id);
      await vi.waitFor(() => expect(countOf('next')).toBe(600 + 200 * (n + 1)), longWait);
      expect(reads()).toEqual([1, 1]);
    }
    await vi.waitFor(() => expect(countOf('complete')).toBe(200), longWait);
    query.mockRestore();
    client.socket.close();
    await client.closed;
  });

  it('reads the logs that change at the same moment in one statement', async () => {
    const ids = await Promise.all([1, 2, 3].map((n) => create(`[[never]] Together ${n}`)));
    const keys = ids.map((id) => keyOf('Lipsync', id) ?? '');
    const watch = new LogWatcher(app.db, silentLog);
    await watch.open();
    const streams = keys.map((key) => watch.subscribe(key, null));
    for (const stream of streams) await stream.next();
    const waiting = streams.map((stream) => stream.next());
    const query = vi.spyOn(app.db, 'query');
    const reads = () =>
      query.mock.calls.filter(([text]) => text.includes('from lipsync_events')).length;
    const notify = (changed: string[]) =>
      app.db.query(
        "select pg_notify('lipsync_changed', id) from unnest($1::text[]) as changed (id)",
        [changed],
      );
    await notify(keys);
    await vi.waitFor(() => expect(reads()).toBeGreaterThan(0), longWait);
    await notify(keys.slice(0, 1));
    await vi.waitFor(() => expect(reads()).toBeGreaterThan(1), longWait);
    expect(reads()).toBe(2);
    query.mockRestore();
    for (const stream of streams) await stream.return();
    await Promise.all(waiting);
    await watch.close();
    for (const id of ids) await app.cancel(id);
  });

  // With one context for the whole subscription, loaders returned the first position again and again.
  it('loads fields anew for each event', async () => {
    const blocking = await Promise.all([1, 2, 3].map((n) => create(`[[never]] ${n}`)));
    const [first, second, third] = [
      await create('one'),
      await create('two'),
      await create('three'),
    ];
    const { received, ended } = await subscribeOverEachTransport(third);
    for (const [at, id] of [first, second, third].entries()) {
      await app.cancel(id);
      await vi.waitFor(
        () => expect(received.map(({ length }) => length)).toEqual(Array(2).fill(at + 2)),
        longWait,
      );
    }
    await ended;
    for (const events of received) {
      expect(events.map(({ queuePosition }) => queuePosition)).toEqual([3, 2, 1, null]);
      for (const { status, queuePosition, lipsync } of events) {
        expect(lipsync.progress.queuePosition).toBe(queuePosition);
        expect(lipsync.status).toBe(status);
      }
    }
    for (const id of blocking) await app.cancel(id);
  });

  it('ends a subscription that is closed while the log is being read, without waiting for an event', async () => {
    const key = keyOf('Lipsync', await create('[[never]] Slow database')) ?? '';
    const { db } = app.app;
    const reading = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    let isSlow = false;
    const watch = new LogWatcher(
      {
        kind: db.kind,
        query: async (text, params) => {
          if (isSlow) reading.resolve();
          if (isSlow) await released.promise;
          return db.query(text, params);
        },
        transaction: (work) => db.transaction(work),
        listen: (channel, listener) => db.listen(channel, listener),
        ping: () => db.ping(),
        countConnections: () => db.countConnections(),
        close: () => db.close(),
      },
      silentLog,
    );
    await watch.open();
    const follower = watch.subscribe(key, null);
    await follower.next();
    const quiet = follower.next();
    isSlow = true;
    await db.query("select pg_notify('lipsync_changed', $1)", [key]);
    await reading.promise;
    const left = follower.return?.();
    released.resolve();
    expect(await Promise.all([quiet, left])).toMatchObject([{ done: true }, { done: true }]);
    expect(watch.watchedCount).toBe(0);
    await watch.close();
  });
});

describe('sends the terminal event', () => {
  it('to a slow subscriber also if the lip-sync was erased meanwhile', async () => {
    const id = await create('[[never]] Erased');
    const key = keyOf('Lipsync', id) ?? '';
    const watch = new LogWatcher(app.db, silentLog);
    await watch.open();
    const [fast, slow] = [watch.subscribe(key, null), watch.subscribe(key, null)];
    for (const follower of [fast, slow]) await follower.next();
    await app.cancel(id);
    expect(await fast.next()).toMatchObject({ value: { event: { status: 'CANCELLED' } } });
    expect(await fast.next()).toMatchObject({ done: true });
    await app.delete(id);
    // A new subscriber gets no events as soon as the erasure was notified and the log read again.
    await vi.waitFor(
      async () => {
        const late = watch.subscribe(key, null);
        const first = await late.next();
        await late.return();
        expect(first).toMatchObject({ done: true });
      },
      { timeout: 60_000 },
    );
    expect(await slow.next()).toMatchObject({ value: { event: { status: 'CANCELLED' } } });
    expect(await slow.next()).toMatchObject({ done: true });
    expect(watch.watchedCount).toBe(0);
    await watch.close();
  });
});

describe('keeps no memory', () => {
  /** Opens and closes thousands of subscriptions beside one that stays open, without events. @returns the growth of the heap */
  async function openAndClose(ids: string[], times: number): Promise<number> {
    const keys = ids.map((id) => keyOf('Lipsync', id) ?? '');
    const watch = new LogWatcher(app.db, silentLog);
    await watch.open();
    const follow = () => watch.subscribeToMany(new Map(keys.map((key) => [key, null])), () => '');
    const begin = async () => {
      const follower = follow();
      for (const _ of keys) await follower.next();
      return follower;
    };
    const stays = await begin();
    const quiet = stays.next();
    const round = async (times: number) => {
      for (let n = 0; n < times; n += 1) {
        const subscriptions = await Promise.all(Array.from({ length: 500 }, begin));
        const ends = subscriptions.map((follower) => follower.next());
        // All of them wait for the next event now.
        await nextTurn();
        await Promise.all(subscriptions.map((follower) => follower.return?.()));
        await Promise.all(ends);
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await round(10);
    const after = await round(times);
    await stays.return?.();
    expect(await quiet).toMatchObject({ done: true });
    expect(watch.watchedCount).toBe(0);
    await watch.close();
    return after - before;
  }

  // A shared promise once kept 300 bytes per closed subscription.
  it('of fifty thousand closed subscriptions beside an open one', async () => {
    const ids = [await create('[[never]] Quiet')];
    expect(await openAndClose(ids, 100)).toBeLessThan(2_000_000);
  });

  it('of ten thousand closed subscriptions to a list beside an open one', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map((n) => create(`[[never]] Quiet ${n}`)));
    expect(await openAndClose(ids, 20)).toBeLessThan(2_000_000);
  });
});
