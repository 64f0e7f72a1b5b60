import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { listCursorsOf } from '../../../src/domains/lipsyncs/progress/cursor.ts';
import { keyOf } from '../../../src/graphql/ids.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { type Message, RawWebSocket } from '../../support/raw-websocket.ts';

type ListUpdate = { sequence: number; lipsync: { id: string } };

/** Measured: 2 to 5 MiB, depending on kernel buffers. Without backpressure it is everything requested below. */
const maxHeldBytes = 8 * 1_048_576;
const reference = 'x'.repeat(1024);

/** An event of almost thirty kilobytes, with the maximum number of aliases. */
const copies = Array.from({ length: 28 }, (_, n) => `r${n}: reference`).join(' ');
const large = `... on LipsyncProgress { cursor sequence status lipsync { id ${copies} } }
  ... on LipsyncError { code }`;
const subscription = `subscription ($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) { ${large} } }`;
const listSubscription = `subscription ($ids: [ID!]!, $after: String) {
  lipsyncsProgress(ids: $ids, after: $after) { ${large} } }`;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

const create = async (text: string) =>
  idOf(await app.create({ video: { videoId: video }, text, reference }));

/** The bytes that the server buffers for clients that do not read. */
async function unreadBytes(): Promise<number> {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  return Number(/^lipsync_websocket_unread_bytes (\d+)$/m.exec(text)?.[1]);
}

/** The same, once it no longer grows. */
async function settledUnreadBytes(): Promise<number> {
  let last: number[] = [];
  await vi.waitFor(async () => {
    last = [await unreadBytes(), ...last].slice(0, 10);
    expect(last).toHaveLength(10);
    expect(new Set(last).size).toBe(1);
    expect(last[0]).toBeGreaterThan(0);
  }, longWait);
  return last[0] ?? 0;
}

const eventsIn = (messages: Message[]) =>
  messages.flatMap(({ id, payload }) => {
    const event = payload?.data?.lipsyncProgress as { sequence: number; cursor: string };
    return event === undefined ? [] : [{ id: id ?? '', ...event }];
  });

describe('a client that does not read', () => {
  it('does not fill memory: its operations wait and are answered in full once it reads', async () => {
    const id = await create('Read me later');
    await app.waitForEnd(id);
    const [first, ...others] = await app.readEvents(id);
    const client = await RawWebSocket.open(app.url);
    client.socket.pause();
    // The first events alone would be fourteen megabytes.
    const asked = 500;
    for (let n = 0; n < asked; n += 1) {
      client.subscribe(`${n}`, subscription, { id, after: first?.cursor });
    }
    expect(await settledUnreadBytes()).toBeLessThan(maxHeldBytes);

    client.socket.resume();
    await vi.waitFor(
      () => expect(client.messages.filter(({ type }) => type === 'complete')).toHaveLength(asked),
      longWait,
    );
    const bySubscription = Map.groupBy(eventsIn(client.messages), (event) => event.id);
    const sequences = others.map(({ sequence }) => sequence);
    for (let n = 0; n < asked; n += 1) {
      expect(bySubscription.get(`${n}`)?.map(({ sequence }) => sequence)).toEqual(sequences);
    }
    expect(await unreadBytes()).toBe(0);
    client.socket.close();
    await client.closed;
  });

  it('does not fill memory with subscriptions to lists', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map((n) => create(`Read us later ${n}`)));
    for (const id of ids) await app.waitForEnd(id);
    const keys = ids.map((id) => keyOf('Lipsync', id) ?? '');
    const after = listCursorsOf(keys).encode(new Map());
    const client = await RawWebSocket.open(app.url);
    client.socket.pause();
    // Each subscription is more than a third of a megabyte.
    const asked = 100;
    for (let n = 0; n < asked; n += 1) client.subscribe(`${n}`, listSubscription, { ids, after });
    expect(await settledUnreadBytes()).toBeLessThan(maxHeldBytes);

    client.socket.resume();
    await vi.waitFor(
      () => expect(client.messages.filter(({ type }) => type === 'complete')).toHaveLength(asked),
      longWait,
    );
    const logs = await Promise.all(ids.map((id) => app.readEvents(id)));
    const all = client.messages.flatMap(({ id, payload }) => {
      const update = payload?.data?.lipsyncsProgress as ListUpdate | undefined;
      return update === undefined ? [] : [{ ...update, subscription: id }];
    });
    const bySubscription = Map.groupBy(all, (each) => each.subscription);
    expect(bySubscription.size).toBe(asked);
    for (const events of bySubscription.values()) {
      for (const [n, id] of ids.entries()) {
        const own = events.filter(({ lipsync }) => lipsync.id === id);
        expect(own.map(({ sequence }) => sequence)).toEqual(
          logs[n]?.map(({ sequence }) => sequence),
        );
      }
    }
    client.socket.close();
    await client.closed;
  });

  it('is disconnected when its events exceed the limit, and resumes without missing an event', async () => {
    const id = await create('[[never]] [[no-callback]] Too many');
    const client = await RawWebSocket.open(app.url);
    // More than the kernel buffers for one connection.
    const watching = 900;
    for (let n = 0; n < watching; n += 1) client.subscribe(`${n}`, subscription, { id });
    await vi.waitFor(() => expect(eventsIn(client.messages)).toHaveLength(watching), longWait);
    client.socket.pause();
    await app.cancel(id);
    await vi.waitFor(() => expect(app.services.lipsyncs.watchedCount()).toBe(0), longWait);
    expect(await unreadBytes()).toBe(0);

    client.socket.resume();
    // 1006, abnormal closure: clients reconnect.
    expect(await client.closed).toMatchObject({ code: 1006 });
    const seen = eventsIn(client.messages).findLast((event) => event.id === '0');
    const again = await RawWebSocket.open(app.url);
    again.subscribe('0', subscription, { id, after: seen?.cursor });
    await again.message(({ type }) => type === 'complete');
    const last = (await app.readEvents(id)).length;
    const rest = eventsIn(again.messages).map(({ sequence }) => sequence);
    expect([seen?.sequence, ...rest].at(-1)).toBe(last);
    again.socket.close();
    await again.closed;
  });
});
