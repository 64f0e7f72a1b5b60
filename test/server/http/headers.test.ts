import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { encodeId } from '../../../src/graphql/ids.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type HttpRequest, sendRequest } from '../../support/http.ts';
import { statusOfUpgrade } from '../../support/raw-websocket.ts';
import { createUpload } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

const query = '{ viewer { name } }';
const json = { 'content-type': 'application/json' };
const html = { accept: 'text/html' };
const asStream = { accept: 'text/event-stream' };
const body = JSON.stringify({ query });

const unknownId = '00000000-0000-4000-8000-000000000000';
const secret = 'sixteen bytes or more';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { CALLBACK_SECRET: secret } });
});
afterAll(() => it?.stop());

const progress = `subscription { lipsyncProgress(id: "${encodeId('Lipsync', 'x')}") { __typename } }`;
const progressPath = `/graphql?${new URLSearchParams({ query: progress })}`;

const responses: [string, number, HttpRequest][] = [
  ['the redirect to GraphiQL', 302, { path: '/' }],
  ['GraphiQL', 200, { path: '/graphql', headers: html }],
  ['a result', 200, { method: 'POST', path: '/graphql', headers: json, body }],
  ['a result by GET', 200, { path: `/graphql?${new URLSearchParams({ query })}` }],
  ['an event stream by GET', 200, { path: progressPath, headers: asStream }],
  [
    'an event stream by POST',
    200,
    {
      method: 'POST',
      path: '/graphql',
      headers: { ...json, ...asStream },
      body: JSON.stringify({ query: progress }),
    },
  ],
  ['an invalid body', 400, { method: 'POST', path: '/graphql', headers: json, body: '{' }],
  ['a token in the URL', 400, { path: '/graphql?token=x' }],
  ['a foreign page', 403, { path: '/graphql', headers: { origin: 'https://evil.example' } }],
  ['a form', 415, { method: 'POST', path: '/graphql', body: 'query=x' }],
  [
    'a content type in capitals',
    200,
    {
      method: 'POST',
      path: '/graphql',
      headers: { 'content-type': 'Application/JSON; Charset=UTF-8' },
      body,
    },
  ],
  ['a method that GraphQL does not use', 405, { method: 'DELETE', path: '/graphql' }],
  ['a path under /graphql', 404, { path: '/graphql/nothing' }],
  ['a health check of the framework', 404, { path: '/graphql/health' }],
  ['the removed single connection mode', 404, { method: 'PUT', path: '/graphql/stream' }],
  ['a path that ends like an endpoint', 404, { path: '/x/graphql' }],
  ['a path with dots', 404, { path: '/graphql/../metrics' }],
  ['an unknown path', 404, { path: '/nothing' }],
  ['a preflight', 204, { method: 'OPTIONS', path: '/graphql' }],
  ['the wrong method for a callback', 405, { path: '/callbacks/x' }],
  ['a forged callback', 404, { method: 'POST', path: '/callbacks/x', body: '{}' }],
  ['the wrong method for an upload', 405, { path: '/uploads/x' }],
  ['a forged upload', 404, { method: 'PUT', path: '/uploads/x', body: 'x' }],
  ['/livez', 200, { path: '/livez' }],
  ['/readyz', 200, { path: '/readyz' }],
  ['/metrics', 200, { path: '/metrics' }],
  ['a probe with a writing method', 405, { method: 'DELETE', path: '/readyz' }],
  ['another probe with a writing method', 405, { method: 'POST', path: '/metrics', body: 'x' }],
  ['an absolute target', 200, { path: 'http://127.0.0.1/livez' }],
  ['an absolute target without a path', 302, { path: 'http://localhost' }],
  ['an absolute target of another host', 421, { path: 'http://elsewhere.example/graphql' }],
  ['an absolute target with an invalid host', 400, { path: 'http://a@localhost/graphql' }],
  ['another host', 421, { path: '/livez', headers: { host: 'elsewhere.example' } }],
  ['an unknown expectation', 417, { path: '/livez', headers: { expect: 'miracles' } }],
];

const head = (first: string, headers: string) =>
  `${first} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n\r\n`;

function handshake(path: string, more: string): string {
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
  const headers = ['connection: upgrade', 'upgrade: websocket', key, more];
  return head(`GET ${path}`, headers.filter((each) => each !== '').join('\r\n'));
}

/** Sends a text. @returns everything that the server sends until it closes the connection */
async function exchange(text: string): Promise<string> {
  const { port, hostname } = new URL(it.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (part: Buffer) => {
    received += part.toString();
  });
  // Bytes that the server did not read reset the connection after its response.
  socket.on('error', () => undefined);
  socket.write(text);
  // Not `once` of node:events, which rejects on an error.
  await new Promise((resolve) => socket.once('close', resolve));
  return received;
}

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-site',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': expect.stringMatching(/^no-(store|cache)/),
  'x-request-id': expect.any(String),
};

describe('works', () => {
  test.each(responses)(
    '%s gets %i with every security header and no banner',
    async (name, status, sent) => {
      const received = await sendRequest(it.url, sent);
      expect([received.status, received.text]).toEqual([status, expect.any(String)]);
      const policy = name === 'GraphiQL' ? { 'content-security-policy': expect.any(String) } : {};
      expect(received.headers).toMatchObject({ ...securityHeaders, ...policy });
      expect(Object.keys(received.headers).join()).not.toMatch(/server|powered|version|yoga/i);
    },
  );

  test.each<[string, number, string]>([
    ['a text that is not HTTP', 400, 'this is nothing\r\n\r\n'],
    ['an unknown method', 400, 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a URL that is too long', 431, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['headers that are too large', 431, head('GET /livez', `x: ${'x'.repeat(20_000)}`)],
    [
      'two lengths of one body',
      400,
      head('POST /graphql', 'content-length: 1\r\ncontent-length: 2'),
    ],
    [
      'a length and chunks, as in request smuggling',
      400,
      head('POST /graphql', 'content-length: 5\r\ntransfer-encoding: chunked'),
    ],
    ['a request without Host', 400, 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n'],
    ['two Host headers', 400, head('GET /livez', 'host: localhost\r\nconnection: close')],
    ['an upgrade with two Host headers', 400, handshake('/graphql', 'host: localhost')],
    [
      'an upgrade for another host',
      421,
      handshake('/graphql', '').replace('host: localhost', 'host: elsewhere.example'),
    ],
    ['an upgrade from a foreign page', 403, handshake('/graphql', 'origin: https://evil.example')],
    ['an upgrade of an unknown path', 404, handshake('/graphql/stream', '')],
    ['an upgrade with a token in the URL', 400, handshake('/graphql?token=x', '')],
    [
      'an invalid handshake',
      400,
      head('GET /graphql', 'connection: upgrade\r\nupgrade: websocket'),
    ],
  ])('%s gets %i with the same headers, and the connection closes', async (_, status, text) => {
    const received = await exchange(text);
    const [start = ''] = received.split('\r\n\r\n');
    const [body = ''] = /\{.*\}/s.exec(received) ?? [];
    expect(start).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (name === 'x-request-id' || name === 'cache-control') continue;
      expect(start.toLowerCase()).toContain(`\r\n${name}: ${value}`.toLowerCase());
    }
    expect(start).toMatch(/\r\ncache-control: no-store/i);
    expect(JSON.stringify(JSON.parse(body))).toMatch(/"code":"[A-Z_]+"/);
    expect(received).not.toMatch(/\r\n(server|x-powered-by):|node|yoga/i);
  });

  test('a successful upload and a valid callback get the same headers', async () => {
    const path = new URL((await createUpload(it)).url).pathname;
    const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
    const uploaded = await sendRequest(it.url, { method: 'PUT', path, body: sound });
    const token = signToken([secret], { purpose: 'callback', id: unknownId });
    const callback = { method: 'POST', path: `/callbacks/${token}`, body: '{}' };
    const handled = await sendRequest(it.url, callback);
    expect([uploaded.status, handled.status]).toEqual([200, 200]);
    for (const { headers } of [uploaded, handled]) expect(headers).toMatchObject(securityHeaders);
  });

  test('GraphiQL can run its own script and no other', async () => {
    const [one, other] = await Promise.all(
      [1, 2].map(() => sendRequest(it.url, { path: '/graphql', headers: html })),
    );
    const policy = String(one?.headers['content-security-policy']);
    const [, nonce = ''] = /script-src 'nonce-([\w+/=]{20,})'(?:;|$)/.exec(policy) ?? [];
    expect(one?.text).toContain(`<script nonce="${nonce}">`);
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline|\*/);
    expect(other?.headers['content-security-policy']).not.toBe(policy);
    expect(other?.text).not.toContain(nonce);
  });
});

describe('keeps out', () => {
  test.each(['a b', 'a","level":"fatal', 'x'.repeat(65), '\t', '\u00e9'])(
    'the request id %o from the log: the server uses a new one',
    async (name) => {
      const { headers } = await sendRequest(it.url, {
        path: '/livez',
        headers: { 'x-request-id': name },
      });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.stringify(it.logs)).not.toContain(JSON.stringify(name).slice(1, -1));
    },
  );

  test('visitors from GraphiQL in live mode, unless it is configured', async () => {
    const env = { USEAPI_TOKEN: 'user:1-x', ALLOW_ANONYMOUS: 'true' };
    const upstream = { baseUrl: 'http://127.0.0.1:1', token: 'user:1-x' };
    const get = async (app: TestApp, path: string) => {
      const { status, headers, text } = await sendRequest(app.url, { path, headers: html });
      return [status, headers['content-type'] === 'text/html' || /<html/i.test(text)];
    };
    await using plain = await startTestApp({ env, upstream });
    expect(await get(plain, '/graphql')).toEqual([expect.any(Number), false]);
    expect(await get(plain, '/')).toEqual([404, false]);
    await using asked = await startTestApp({ env: { ...env, GRAPHIQL: 'true' }, upstream });
    expect(await get(asked, '/graphql')).toEqual([200, true]);
  });
});

/** Query parameters in which some servers accept a token. */
const names = [
  ...['token', 'access_token', 'accessToken', 'id_token', 'authorization', 'Authorization'],
  ...['auth', 'bearer', 'jwt', 'api_key', 'apiKey', 'api-key', 'connectionParams'],
  ...['connection_init', '%74oken'],
];

describe('refuses', () => {
  test.each(names)(
    'a token in the URL, as ?%s=, on every transport, and executes nothing',
    async (name) => {
      const search = `${new URLSearchParams({ query })}&${name}=secret`;
      const requests: HttpRequest[] = [
        { path: `/graphql?${search}` },
        { path: `/graphql?${search}`, headers: asStream },
        { method: 'POST', path: `/graphql?${name}=secret`, headers: json, body },
      ];
      for (const sent of requests) {
        const { status, text } = await sendRequest(it.url, sent);
        expect([status, JSON.parse(text).errors[0].extensions.code]).toEqual([400, 'TOKEN_IN_URL']);
        expect(text).not.toMatch(/anonymous|secret/);
      }
      expect(await statusOfUpgrade(it.url, { path: `/graphql?${name}=secret` })).toBe(400);
      expect(JSON.stringify(it.logs)).not.toContain('=secret');
    },
  );
});
