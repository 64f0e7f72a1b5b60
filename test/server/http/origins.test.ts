import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type HttpRequest, sendRequest } from '../../support/http.ts';
import { statusOfUpgrade } from '../../support/raw-websocket.ts';

const configured = 'https://app.example.com';

/** The rules of live mode. In the sandbox the origins of this machine are allowed too. */
let live: TestApp;
let sandbox: TestApp;
beforeAll(async () => {
  const token = 'user:1-x';
  live = await startTestApp({
    env: { USEAPI_TOKEN: token, ALLOW_ANONYMOUS: 'true', CORS_ORIGINS: configured },
    upstream: { baseUrl: 'http://127.0.0.1:1', token },
  });
  sandbox = await startTestApp();
});
afterAll(() => Promise.all([live?.stop(), sandbox?.stop()]));

const query = '{ viewer { name } }';
const search = new URLSearchParams({ query });
const asStream = { accept: 'text/event-stream' };
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ query });

/** The headers of a page's request as browsers send them. */
type Page = { headers: OutgoingHttpHeaders; isAllowed: boolean };

const developmentServers = ['http://127.0.0.1:1', 'http://localhost:5173', 'https://[::1]:8443'];

function pagesOf({ url: own }: TestApp): Page[] {
  const { port } = new URL(own);
  const isSandbox = own === sandbox.url;
  const allowed: OutgoingHttpHeaders[] = [
    {},
    { origin: own },
    { origin: own, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ];
  const foreign: OutgoingHttpHeaders[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: '' },
    { origin: `${configured}:8443` },
    { origin: configured.replace('https', 'http') },
    { origin: `${configured}.evil.example` },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    { origin: 'http://localhost.evil.example' },
    { origin: 'http://127.0.0.1:1.evil.example' },
    { origin: 'http://evil.example/http://localhost' },
    { 'sec-fetch-site': 'cross-site' },
    // DNS rebinding: a foreign name that resolves to this machine.
    { origin: `http://evil.example:${port}`, host: `evil.example:${port}` },
  ];
  const local: OutgoingHttpHeaders[] = [
    { origin: own.replace('http', 'https') },
    ...developmentServers.map((origin) => ({ origin, 'sec-fetch-site': 'cross-site' })),
  ];
  const listed: OutgoingHttpHeaders[] = [
    { origin: configured },
    { origin: configured, 'sec-fetch-site': 'cross-site' },
  ];
  return [
    ...allowed.map((headers) => ({ headers, isAllowed: true })),
    ...foreign.map((headers) => ({ headers, isAllowed: false })),
    ...local.map((headers) => ({ headers, isAllowed: isSandbox })),
    ...listed.map((headers) => ({ headers, isAllowed: !isSandbox })),
  ];
}

const upgrade = (url: string, headers: OutgoingHttpHeaders) =>
  statusOfUpgrade(url, { headers: headers as Record<string, string> });

const statusOf = async (url: string, sent: HttpRequest) => (await sendRequest(url, sent)).status;

/** Every way to reach the server: it checks where each request comes from. */
const requests: [string, (url: string, headers: OutgoingHttpHeaders) => Promise<number>][] = [
  ['GET', (url, headers) => statusOf(url, { path: `/graphql?${search}`, headers })],
  [
    'HEAD',
    (url, headers) => statusOf(url, { method: 'HEAD', path: `/graphql?${search}`, headers }),
  ],
  [
    'SSE by GET',
    (url, headers) =>
      statusOf(url, { path: `/graphql?${search}`, headers: { ...asStream, ...headers } }),
  ],
  ['WebSocket', upgrade],
  [
    'POST',
    (url, headers) =>
      statusOf(url, { method: 'POST', path: '/graphql', headers: { ...json, ...headers }, body }),
  ],
  ['DELETE', (url, headers) => statusOf(url, { method: 'DELETE', path: '/graphql', headers })],
  ['preflight', (url, headers) => statusOf(url, { method: 'OPTIONS', path: '/graphql', headers })],
  [
    'PUT to an upload address',
    (url, headers) => statusOf(url, { method: 'PUT', path: '/uploads/x', headers, body: 'x' }),
  ],
  [
    'POST to a callback address',
    (url, headers) => statusOf(url, { method: 'POST', path: '/callbacks/x', headers, body: 'x' }),
  ],
  ['GET of /metrics', (url, headers) => statusOf(url, { path: '/metrics', headers })],
  ['GET of /livez', (url, headers) => statusOf(url, { path: '/livez', headers })],
  ['GET of an unknown path', (url, headers) => statusOf(url, { path: '/nothing', headers })],
];

/** The CORS headers for each page with an origin, and those that it should get. */
async function corsHeaders(app: TestApp, sent: HttpRequest) {
  const pages = pagesOf(app).filter(({ headers }) => typeof headers.origin === 'string');
  const granted = pages.map(async ({ headers }) => {
    const response = await sendRequest(app.url, {
      ...sent,
      headers: { ...sent.headers, ...headers },
    });
    expect(response.headers['access-control-allow-credentials']).toBeUndefined();
    expect(response.headers.vary).toContain('origin');
    const origin = response.headers['access-control-allow-origin'];
    const exposed = origin && 'x-request-id, retry-after';
    expect(response.headers['access-control-expose-headers']).toBe(exposed);
    return origin;
  });
  const expected = pages.map(({ headers, isAllowed }) => (isAllowed ? headers.origin : undefined));
  return { granted: await Promise.all(granted), expected };
}

const modes: [string, () => TestApp][] = [
  ['live', () => live],
  ['the sandbox', () => sandbox],
];

describe('keeps out', () => {
  describe.each(modes)('in %s mode', (_, appOf) => {
    test.each(requests)('foreign pages by %s, and admits allowed ones', async (_, request) => {
      const app = appOf();
      for (const { headers, isAllowed } of pagesOf(app)) {
        const status = await request(app.url, headers);
        expect([headers, status === 403], `${status}`).toEqual([headers, !isAllowed]);
      }
    });

    test.each(['/graphql', '/uploads/x'])(
      'foreign pages by a preflight to %s, and grants it to allowed ones',
      async (path) => {
        const headers = { 'access-control-request-method': 'POST' };
        const { granted, expected } = await corsHeaders(appOf(), {
          method: 'OPTIONS',
          path,
          headers,
        });
        expect(granted).toEqual(expected);
      },
    );

    test('foreign pages from reading the response to a POST', async () => {
      const sent = { method: 'POST', path: '/graphql', headers: { ...json, ...asStream }, body };
      const { granted, expected } = await corsHeaders(appOf(), sent);
      expect(granted).toEqual(expected);
    });
  });
});

describe('works', () => {
  test('a page of a development server on this machine uses the sandbox without CORS_ORIGINS', async () => {
    for (const origin of developmentServers) {
      const headers = { ...json, origin, 'sec-fetch-site': 'cross-site' };
      const post = { method: 'POST', path: '/graphql', headers, body };
      const { headers: received, text } = await sendRequest(sandbox.url, post);
      expect(received['access-control-allow-origin']).toBe(origin);
      expect(JSON.parse(text).data).toEqual({ viewer: { name: 'anonymous' } });
      expect(
        (await sendRequest(live.url, post)).headers['access-control-allow-origin'],
      ).toBeUndefined();
    }
  });

  test.each([
    ...['content-type', 'authorization', 'last-event-id', 'x-request-id', 'x-csrf'],
    ...['traceparent', 'tracestate', 'accept', 'cache-control'],
    ...['apollographql-client-name', 'apollographql-client-version'],
    ...['apollo-require-preflight', 'graphql-require-preflight'],
    ...['graphql-preflight', 'x-apollo-operation-name'],
  ])('a preflight allows the request header %s', async (name) => {
    const { headers } = await sendRequest(live.url, {
      method: 'OPTIONS',
      path: '/graphql',
      headers: {
        origin: configured,
        'access-control-request-method': 'POST',
        'access-control-request-headers': name,
      },
    });
    const allowed = String(headers['access-control-allow-headers']).split(', ');
    expect(allowed).toContain(name);
  });
});

const boundary = 'xx';
const multipart = `--${boundary}\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${body}\r\n--${boundary}\r\ncontent-disposition: form-data; name="map"\r\n\r\n{}\r\n--${boundary}--\r\n`;
const multipartType = `multipart/form-data; boundary=${boundary}`;

describe('refuses', () => {
  const cases: [type: string | undefined, OutgoingHttpHeaders, isAccepted: boolean][] = [
    ['application/json', {}, true],
    ['application/json; charset=utf-8', {}, true],
    ['application/graphql+json', {}, true],
    ['application/graphql-response+json', {}, false],
    [multipartType, { 'x-csrf': '1' }, true],
    [multipartType, { 'apollo-require-preflight': 'true' }, true],
    [multipartType, { 'x-apollo-operation-name': 'Viewer' }, true],
    [multipartType, { 'graphql-preflight': '1' }, true],
    [multipartType, { 'graphql-require-preflight': '1' }, true],
    [multipartType, { 'x-requested-with': 'fetch' }, true],
    [multipartType, {}, false],
    [multipartType, { 'x-other': '1' }, false],
    ['text/plain', { 'x-csrf': '1' }, false],
    ['text/plain', { 'graphql-preflight': '1' }, false],
    ['application/x-www-form-urlencoded', { 'x-csrf': '1' }, false],
    ['application/graphql', {}, false],
    ['text/plain; application/json', {}, false],
    ['application/jsonp', {}, false],
    [undefined, {}, false],
  ];

  async function isExecuted(type: string | undefined, headers: OutgoingHttpHeaders) {
    const { status, text } = await sendRequest(live.url, {
      method: 'POST',
      path: '/graphql',
      headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
      body: type === multipartType ? multipart : body,
    });
    expect([200, 415]).toContain(status);
    return text.includes('"anonymous"');
  }

  test.each(cases)(
    'a POST that a form could send: content type %s with %o is executed: %s',
    async (type, headers, isAccepted) => {
      expect(await isExecuted(type, headers)).toBe(isAccepted);
      expect(await isExecuted(type, { ...headers, ...asStream })).toBe(isAccepted);
    },
  );
});
