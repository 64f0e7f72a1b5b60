import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { openStream } from '../../support/open-stream.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

const secret = 'a secret of at least thirty-two bytes';

/** One owner with other scopes in each token. */
const tokenFor = (scope: string) =>
  new SignJWT({ scope })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ann')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));

const tokens = {
  writer: await tokenFor('lipsync:read lipsync:write videos:read'),
  reader: await tokenFor('lipsync:read'),
};
type Reader = keyof typeof tokens;
const as = (reader: Reader) => ({ authorization: `Bearer ${tokens[reader]}` });

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: {
      POLL_INTERVAL_MS: '600000',
      STREAMS_PER_CALLER: '1000',
      AUTH_JWT_SECRET: secret,
    },
  });
  await app.turn({ callbacks: 'none' });
  [video = ''] = await app.listVideoIds(undefined, as('writer'));
});
afterAll(() => app?.stop());

const open = (reader: Reader = 'writer') => RawWebSocket.open(app.url, as(reader));

/** Each execution reads the log of the lip-sync. */
const subscription = `subscription ($id: ID!, $after: String, $first: Int = 1) {
  lipsyncProgress(id: $id, after: $after) { ... on LipsyncProgress {
    cursor status lipsync { events(first: $first) { nodes { sequence } } } } } }`;

/** A lip-sync with two events, and the cursor of the first. */
async function createRunning() {
  const input = { video: { videoId: video }, text: '[[never]] Shared' };
  const id = idOf(await app.create(input, as('writer')));
  const [first] = await vi.waitFor(async () => {
    const events = await app.readEvents(id, as('writer'));
    expect(events).toHaveLength(2);
    return events;
  }, longWait);
  return { id, after: first?.cursor };
}

/** Cancels the lip-sync, and counts the executions of that event until every socket has received its completions. */
async function countExecutions(id: string, sockets: Map<RawWebSocket, number>): Promise<number> {
  for (const [socket, count] of sockets) {
    const started = () => socket.messages.filter(({ type }) => type === 'next');
    await vi.waitFor(() => expect(started()).toHaveLength(count), longWait);
  }
  const query = vi.spyOn(app.db, 'query');
  await app.cancel(id, as('writer'));
  for (const [socket, count] of sockets) {
    const completed = () => socket.messages.filter(({ type }) => type === 'complete');
    await vi.waitFor(() => expect(completed()).toHaveLength(count), longWait);
  }
  const texts = query.mock.calls.map(([text]) => text);
  query.mockRestore();
  return texts.filter((text) => text.includes('from lipsync_events where lipsync_id')).length;
}

/** The payloads of a stream of Apollo's multipart protocol, read to its end once its first part has arrived. */
async function openMultipart(id: string) {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: {
      ...as('writer'),
      'content-type': 'application/json',
      accept: 'multipart/mixed;subscriptionSpec=1.0',
    },
    body: JSON.stringify({ query: subscription, variables: { id } }),
  });
  expect(response.headers.get('content-type')).toContain('multipart/mixed');
  const chunks = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
  const reader = chunks.getReader();
  let text = '';
  const read = async (isOver: () => boolean) => {
    while (!isOver()) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
    }
  };
  await read(() => text.includes('"lipsyncProgress"'));
  return {
    async readLast(): Promise<unknown> {
      await read(() => false);
      const parts = [...text.matchAll(/^\{.*\}\r?$/gm)].map(([part]) => JSON.parse(part));
      return parts.findLast(({ payload }) => payload?.data)?.payload.data;
    },
  };
}

describe('works', () => {
  it('executes an event once for all subscribers of one operation, from any cursor and over any transport', async () => {
    const { id, after } = await createRunning();
    const [left, right] = [await open(), await open()];
    for (let n = 0; n < 30; n += 1) {
      left.subscribe(`${n}`, subscription, { id });
      right.subscribe(`${n}`, subscription, { id, after });
    }
    const events = app.watchSse(subscription, { id }, { headers: as('writer') });
    await events.next();
    const multipart = await openMultipart(id);
    const sockets = new Map([left, right].map((socket) => [socket, 30]));
    expect(await countExecutions(id, sockets)).toBe(1);
    const last = left.messages.findLast(({ type }) => type === 'next');
    expect(last?.payload?.data).toMatchObject({ lipsyncProgress: { status: 'CANCELLED' } });
    expect(await events.next()).toMatchObject({ value: { data: { data: last?.payload?.data } } });
    expect(await multipart.readLast()).toEqual(last?.payload?.data);
    for (const { socket } of [left, right]) socket.terminate();
    await events.return(undefined);
  });

  it('reports the cost with the first event of each subscriber only', async () => {
    const { id } = await createRunning();
    const events = await app.readEvents(id, as('writer'));
    const socket = await open();
    socket.subscribe('early', subscription, { id });
    socket.subscribe('late', subscription, { id, after: events.at(-1)?.cursor });
    await vi.waitFor(async () => {
      const { data } = await app.ask('{ viewer { openStreams { remaining } } }', {}, as('writer'));
      expect(data).toMatchObject({ viewer: { openStreams: { remaining: 998 } } });
    }, longWait);
    await socket.message(({ id: of, type }) => of === 'early' && type === 'next');
    await app.cancel(id, as('writer'));
    for (const of of ['early', 'late']) {
      await socket.message((message) => message.id === of && message.type === 'complete');
    }
    const costs = (of: string) =>
      socket.messages
        .filter((message) => message.id === of && message.type === 'next')
        .map(({ payload }) => JSON.stringify(payload).includes('"cost":{"requested"'));
    expect([costs('early'), costs('late')]).toEqual([[true, false], [true]]);
    socket.socket.terminate();
  });
});

describe('keeps apart', () => {
  it('the results of other selections, other variables and callers with other scopes', async () => {
    const { id } = await createRunning();
    const [writer, reader] = [await open(), await open('reader')];
    writer.subscribe('same', subscription, { id });
    writer.subscribe('selection', subscription.replace('status', 'sequence'), { id });
    writer.subscribe('variables', subscription, { id, first: 2 });
    reader.subscribe('scopes', subscription, { id });
    const sockets = new Map([
      [writer, 3],
      [reader, 1],
    ]);
    expect(await countExecutions(id, sockets)).toBe(4);
    for (const { socket } of [writer, reader]) socket.terminate();
  });

  it('a subscriber that does not read from the others', async () => {
    const { id } = await createRunning();
    const slow = await open();
    slow.subscribe('slow', subscription, { id });
    await slow.message(({ type }) => type === 'next');
    slow.socket.pause();
    const stream = await openStream('SSE by POST', { url: app.url, token: tokens.writer, id });
    await app.cancel(id, as('writer'));
    await stream.receives('event: complete');
    slow.socket.resume();
    await slow.message(({ type }) => type === 'complete');
    slow.socket.terminate();
  });
});
