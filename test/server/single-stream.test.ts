import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { readEvents } from '../support/graphql-client.ts';

let it: TestApp;
let id: string;
beforeAll(async () => {
  it = await startTestApp({
    env: { STREAMS_PER_CALLER: '1000' },
    sandbox: { generatingMs: 3_600_000 },
  });
  type Made = { createLipsync: { lipsync: { id: string } } };
  const { data } = await it.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
  );
  const input = { video: { id: data?.videos.nodes[0]?.id }, speech: { text: { text: 'Wait.' } } };
  const made = await it.ask<Made>(
    'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } } }',
    { input },
  );
  id = made.data?.createLipsync.lipsync.id ?? '';
});
afterAll(() => it?.stop());

const endpoint = () => `${it.url}/graphql/stream`;
const reserve = async () => (await fetch(endpoint(), { method: 'PUT' })).text();
const under = (token: string) => ({ 'x-graphql-event-stream-token': token });

/** Brings an operation to a reserved stream. */
async function bring(token: string, operationId: unknown, query = '{ viewer { name } }') {
  const response = await fetch(endpoint(), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...under(token) },
    body: JSON.stringify({ query, variables: { id }, extensions: { operationId } }),
  });
  return { status: response.status, text: await response.text() };
}

const watch = 'subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }';

/** A stream that is open, and that nobody reads until `resume`. */
function openUnread(token: string): Promise<IncomingMessage> {
  const headers = { ...under(token), accept: 'text/event-stream' };
  return new Promise((resolve) => {
    get(endpoint(), { headers, agent: false }, (response) => resolve(response.pause()));
  });
}

/** The ids of the operations that were answered, until `isEnough`. */
async function readIds(
  body: ReadableStream<Uint8Array> | IncomingMessage,
  isEnough: (ids: string[]) => boolean,
): Promise<string[]> {
  const ids: string[] = [];
  if (isEnough(ids)) return ids;
  for await (const { event, data } of readEvents(body as ReadableStream<Uint8Array>)) {
    if (event === 'next') ids.push((JSON.parse(data) as { id: string }).id);
    if (isEnough(ids)) break;
  }
  return ids;
}

async function countSubscriptions(): Promise<number> {
  type Data = { viewer: { openStreams: { limit: number; remaining: number } } };
  const { data } = await it.ask<Data>('{ viewer { openStreams { limit remaining } } }');
  const { limit = 0, remaining = 0 } = data?.viewer.openStreams ?? {};
  return limit - remaining;
}

describe('works', () => {
  test('what is asked before its stream is open is answered once it is', async () => {
    const token = await reserve();
    expect((await bring(token, 'early')).status).toBe(202);
    expect((await bring(token, 7)).status).toBe(202);
    const { body } = await fetch(endpoint(), {
      headers: { ...under(token), accept: 'text/event-stream' },
    });
    const ids = await readIds(body as ReadableStream<Uint8Array>, ({ length }) => length === 2);
    expect(ids).toEqual(['early', '7']);
  });

  test('an operation may come by GET, as long as it changes nothing', async () => {
    const token = await reserve();
    const search = (query: string, operationId: string) =>
      new URLSearchParams({ query, extensions: JSON.stringify({ operationId }) });
    const ask = (query: string, operationId: string) =>
      fetch(`${endpoint()}?${search(query, operationId)}`, { headers: under(token) });
    expect((await ask('{ viewer { name } }', 'read')).status).toBe(202);
    const query =
      'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';
    const refused = await ask(query, 'write');
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await refused.json()).toMatchObject({
      errors: [{ extensions: { code: 'BAD_REQUEST' } }],
    });
    const { body } = await fetch(endpoint(), {
      headers: { ...under(token), accept: 'text/event-stream' },
    });
    const ids = await readIds(body as ReadableStream<Uint8Array>, ({ length }) => length === 1);
    expect(ids).toEqual(['read']);
    expect(await it.app.db.query('select id from uploads')).toEqual([]);
  });
});

describe('refuses', () => {
  test.each([undefined, null, '', 'x'.repeat(257), {}, ['1'], true])(
    'an operation whose id is %o',
    async (operationId) => {
      const { status, text } = await bring(await reserve(), operationId);
      expect([status, JSON.parse(text).errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
    },
  );
});

describe('keeps out', () => {
  test('streams that were never opened: what was watched in them was watched for ever', async () => {
    for (let n = 0; n < 30; n += 1) {
      expect((await bring(await reserve(), 'one', watch)).status).toBe(202);
    }
    expect(await countSubscriptions()).toBe(10);
  });

  test('a client that asks and never opens its stream: its answers lay there without end', async () => {
    const token = await reserve();
    let taken = 0;
    let last = await bring(token, '0');
    while (last.status === 202 && taken < 100) {
      taken += 1;
      last = await bring(token, `${taken}`);
    }
    expect([last.status, JSON.parse(last.text).errors[0].extensions.code]).toEqual([
      429,
      'TOO_MANY_OPERATIONS',
    ]);
    const { body } = await fetch(endpoint(), {
      headers: { ...under(token), accept: 'text/event-stream' },
    });
    const ids = await readIds(body as ReadableStream<Uint8Array>, ({ length }) => length === taken);
    expect(ids).toEqual(Array.from({ length: taken }, (_, n) => `${n}`));
  });

  test('a client that asks and does not read: it is answered whole when it does', async () => {
    const token = await reserve();
    const stream = await openUnread(token);
    // Two hundred kilobytes: a few of them are more than a kernel keeps for one connection.
    const query =
      '{ a: _service { sdl } b: _service { sdl } c: _service { sdl } d: _service { sdl } }';
    const taken: string[] = [];
    let isFull = false;
    while (!isFull && taken.length < 1_000) {
      const ids = Array.from({ length: 20 }, (_, n) => `${taken.length}-${n}`);
      const brought = await Promise.all(ids.map((each) => bring(token, each, query)));
      taken.push(...ids.filter((_, n) => brought[n]?.status === 202));
      isFull = brought.some(({ status }) => status === 429);
    }
    expect(isFull).toBe(true);
    const answered = await readIds(stream, ({ length }) => length === taken.length);
    expect(answered.toSorted()).toEqual(taken.toSorted());
    stream.destroy();
  });
});
