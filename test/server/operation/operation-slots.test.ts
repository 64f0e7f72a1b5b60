import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync, longWait, withHeaders } from '../../support/lipsyncs.ts';
import { execute, transports } from '../../support/transports.ts';

const owners = createApiKeys({
  ann: ['lipsync:read', 'lipsync:write', 'videos:read'],
  bob: ['lipsync:read'],
});

/** Half of them are for ann alone: 64 kB each. */
const maxOperations = 512;

let it: TestApp;
let id: string;
beforeAll(async () => {
  it = await startTestApp({ env: owners.env, maxOperations });
  const asAnn = withHeaders(it, owners.headers.ann);
  // Four bytes for two characters.
  id = (await createLipsync(asAnn, { reference: '\u{1f600}'.repeat(1_024) })).id;
});
afterAll(() => it?.stop());

/** The answer has eight megabytes, which is more than the buffers of the system hold. */
const largeAnswer = JSON.stringify({
  query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Lipsync { ${Array.from({ length: 25 }, (_, n) => `a${n}: reference`).join(' ')} } } }`,
  variables: { ids: [] },
});

async function requestUnread(): Promise<Socket> {
  const { port, hostname } = new URL(it.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const body = largeAnswer.replace('[]}', JSON.stringify(Array(80).fill(id)).concat('}'));
  const head = [
    'POST /graphql HTTP/1.1',
    'host: localhost',
    'x-request-id: unread',
    `authorization: ${owners.headers.ann.authorization}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.pause().write(`${head.join('\r\n')}\r\n\r\n${body}`);
  return socket;
}

const answerTo = (owner: 'ann' | 'bob') =>
  it.ask('{ viewer { name } }', {}, owners.headers[owner]) as Promise<{
    data?: unknown;
    errors?: { extensions: object }[];
  }>;

test('answers that are read release their slots: many large ones, one after the other', async () => {
  const { query } = JSON.parse(largeAnswer) as { query: string };
  for (const _ of Array(6)) {
    const { data } = await it.ask<{ nodes: object[] }>(
      query,
      { ids: Array(80).fill(id) },
      owners.headers.ann,
    );
    expect(data?.nodes).toHaveLength(80);
  }
});

test('an owner that does not read its answers: those above its share end their connection, and operations are still answered', async () => {
  const sockets: Socket[] = [];
  // The server logs a request when its connection has ended.
  const countEnded = () =>
    it.logs.filter(({ msg, requestId }) => msg === 'request' && requestId === 'unread').length;
  const openAnother = async () => {
    sockets.push(await requestUnread());
    expect(countEnded()).toBeGreaterThan(0);
  };
  await vi.waitFor(openAnother, { ...longWait, interval: 200 });
  // Ann's half of 512 slots are 16 MB, without what is in the buffers of the system.
  expect(sockets.length).toBeGreaterThan(2);
  expect(await answerTo('bob')).toMatchObject({ data: { viewer: {} } });
  expect(await answerTo('ann')).toMatchObject({ data: { viewer: {} } });
  for (const socket of sockets) socket.destroy();
});

test.each(transports)('a finished operation releases its slot, over %s', async (name) => {
  await using small = await startTestApp({ maxOperations: 1 });
  for (const _ of [1, 2, 3]) {
    const operation = { query: '{ viewer { name } }' };
    await vi.waitFor(async () => {
      const { data } = await execute(name, { url: small.url, operation });
      expect(data).toEqual({ viewer: { name: 'anonymous' } });
    }, longWait);
  }
});
