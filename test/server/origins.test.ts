import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type Sent, send } from './send.ts';

const friend = 'https://app.example.com';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { CORS_ORIGINS: friend } });
});
afterAll(() => it?.stop());

const query = '{ viewer { name } }';
const search = new URLSearchParams({ query });
const asStream = { accept: 'text/event-stream' };
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ query });

type Case = { headers: OutgoingHttpHeaders; isLetIn: boolean };

/** Where a page is asked for from, as browsers say it. `own` and `port` are ours. */
function pages(): Case[] {
  const own = it.url;
  const { port } = new URL(own);
  const letIn: OutgoingHttpHeaders[] = [
    {},
    { origin: own },
    { origin: own, 'sec-fetch-site': 'same-origin' },
    { origin: friend },
    { origin: friend, 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ];
  const keptOut: OutgoingHttpHeaders[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: '' },
    { origin: `${friend}:8443` },
    { origin: friend.replace('https', 'http') },
    { origin: `${friend}.evil.example` },
    { origin: own.replace('http', 'https') },
    { origin: 'http://127.0.0.1:1' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'cross-site' },
    // A name of theirs that they made lead here.
    { origin: `http://evil.example:${port}`, host: `evil.example:${port}` },
  ];
  return [
    ...letIn.map((headers) => ({ headers, isLetIn: true })),
    ...keptOut.map((headers) => ({ headers, isLetIn: false })),
  ];
}

/** @returns the status of an upgrade that was refused, 101 where it was not */
async function upgrade(headers: OutgoingHttpHeaders): Promise<number> {
  const { origin, ...others } = headers;
  const socket = new WebSocket(`${it.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers: { ...others, ...(origin === undefined ? {} : { origin }) } as Record<string, string>,
  });
  const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode);
  const status: number = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  socket.on('error', () => undefined);
  socket.terminate();
  return status;
}

type Door = [string, (headers: OutgoingHttpHeaders) => Promise<number>];

const statusOf = async (sent: Parameters<typeof send>[1]) => (await send(it.url, sent)).status;

/** What needs no preflight: here the server itself has to look where a request comes from. */
const unguarded: Door[] = [
  ['GET', (headers) => statusOf({ path: `/graphql?${search}`, headers })],
  ['HEAD', (headers) => statusOf({ method: 'HEAD', path: `/graphql?${search}`, headers })],
  [
    'SSE by GET',
    (headers) => statusOf({ path: `/graphql?${search}`, headers: { ...asStream, ...headers } }),
  ],
  [
    '/graphql/stream by GET',
    (headers) =>
      statusOf({ path: `/graphql/stream?${search}`, headers: { ...asStream, ...headers } }),
  ],
  ['WebSocket', upgrade],
];

describe('pages', () => {
  test.each(unguarded)(
    'over %s: our own and our friends’ are let in, and no others',
    async (_, door) => {
      for (const { headers, isLetIn } of pages()) {
        const status = await door(headers);
        expect([headers, status === 403], `${status}`).toEqual([headers, !isLetIn]);
      }
    },
  );

  /** To which of them `access-control-allow-origin` is said, and who should have it. */
  async function leavesGiven(sent: Sent) {
    const named = pages().filter(({ headers }) => typeof headers.origin === 'string');
    const given = named.map(async ({ headers }) => {
      const answer = await send(it.url, { ...sent, headers: { ...sent.headers, ...headers } });
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
      expect(answer.headers.vary).toContain('origin');
      const leave = answer.headers['access-control-allow-origin'];
      const readable = leave && 'x-request-id, retry-after';
      expect(answer.headers['access-control-expose-headers']).toBe(readable);
      return leave;
    });
    const due = named.map(({ headers, isLetIn }) => (isLetIn ? headers.origin : undefined));
    return { given: await Promise.all(given), due };
  }

  test.each(['/graphql', '/graphql/stream', '/uploads/x'])(
    'a request to %s that needs leave: our own and our friends’ get it',
    async (path) => {
      const headers = { 'access-control-request-method': 'POST' };
      const { given, due } = await leavesGiven({ method: 'OPTIONS', path, headers });
      expect(given).toEqual(due);
    },
  );

  test.each(['/graphql', '/graphql/stream'])(
    'the answer to a POST at %s is for no foreign page to read',
    async (path) => {
      const sent = { method: 'POST', path, headers: { ...json, ...asStream }, body };
      const { given, due } = await leavesGiven(sent);
      expect(given).toEqual(due);
    },
  );
});

const boundary = 'xx';
const multipart = `--${boundary}\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${body}\r\n--${boundary}\r\ncontent-disposition: form-data; name="map"\r\n\r\n{}\r\n--${boundary}--\r\n`;
const multipartType = `multipart/form-data; boundary=${boundary}`;

describe('content types of a POST', () => {
  const cases: [string | undefined, OutgoingHttpHeaders, boolean][] = [
    ['application/json', {}, true],
    ['application/json; charset=utf-8', {}, true],
    ['application/graphql+json', {}, true],
    ['application/graphql-response+json', {}, false],
    [multipartType, { 'x-csrf': '1' }, true],
    [multipartType, { 'apollo-require-preflight': 'true' }, true],
    [multipartType, { 'graphql-require-preflight': '1' }, true],
    [multipartType, { 'x-requested-with': 'fetch' }, true],
    [multipartType, {}, false],
    [multipartType, { 'x-other': '1' }, false],
    ['text/plain', { 'x-csrf': '1' }, false],
    ['application/x-www-form-urlencoded', { 'x-csrf': '1' }, false],
    ['application/graphql', {}, false],
    ['text/plain; application/json', {}, false],
    ['application/jsonp', {}, false],
    [undefined, {}, false],
  ];

  /** Whether the query was run. */
  async function isRun(path: string, type: string | undefined, headers: OutgoingHttpHeaders) {
    const { text } = await send(it.url, {
      method: 'POST',
      path,
      headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
      body: type === multipartType ? multipart : body,
    });
    return text.includes('"anonymous"');
  }

  test.each(cases)('%s with %o: %s', async (type, headers, isTaken) => {
    expect(await isRun('/graphql', type, headers)).toBe(isTaken);
    expect(await isRun('/graphql', type, { ...headers, ...asStream })).toBe(isTaken);
    expect(await isRun('/graphql/stream', type, { ...headers, ...asStream })).toBe(isTaken);
    // There a result needs a stream to come through.
    expect(await isRun('/graphql/stream', type, headers)).toBe(false);
  });
});
