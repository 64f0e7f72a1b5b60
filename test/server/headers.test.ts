import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { signToken } from '../../src/callbacks/token.ts';
import { encodeId } from '../../src/graphql/ids.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { wavHeader } from '../support/wav.ts';
import { type Sent, send } from './send.ts';

const query = '{ viewer { name } }';
const json = { 'content-type': 'application/json' };
const html = { accept: 'text/html' };
const asStream = { accept: 'text/event-stream' };
const body = JSON.stringify({ query });
const upload = `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) {
  ... on CreateUploadSuccess { uploadUrl } } }`;

const nothing = '00000000-0000-4000-8000-000000000000';
const secret = 'sixteen bytes or more';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { CALLBACK_SECRET: secret } });
});
afterAll(() => it?.stop());

const watch = `subscription { lipsyncProgress(id: "${encodeId('Lipsync', 'x')}") { __typename } }`;
const watchPath = `/graphql?${new URLSearchParams({ query: watch })}`;

const answers: [string, number, Sent][] = [
  ['the way to GraphiQL', 302, { path: '/' }],
  ['GraphiQL', 200, { path: '/graphql', headers: html }],
  ['a result', 200, { method: 'POST', path: '/graphql', headers: json, body }],
  ['a result by GET', 200, { path: `/graphql?${new URLSearchParams({ query })}` }],
  ['an event stream by GET', 200, { path: watchPath, headers: asStream }],
  [
    'an event stream by POST',
    200,
    {
      method: 'POST',
      path: '/graphql',
      headers: { ...json, ...asStream },
      body: JSON.stringify({ query: watch }),
    },
  ],
  [
    'an event stream of /graphql/stream',
    200,
    { path: watchPath.replace('?', '/stream?'), headers: asStream },
  ],
  ['a reserved stream', 201, { method: 'PUT', path: '/graphql/stream' }],
  ['a body that is none', 400, { method: 'POST', path: '/graphql', headers: json, body: '{' }],
  ['a token in the URL', 400, { path: '/graphql?token=x' }],
  ['a foreign page', 403, { path: '/graphql', headers: { origin: 'https://evil.example' } }],
  ['a form', 415, { method: 'POST', path: '/graphql', body: 'query=x' }],
  [
    'a type in capitals, which was one that nobody knew',
    200,
    {
      method: 'POST',
      path: '/graphql',
      headers: { 'content-type': 'Application/JSON; Charset=UTF-8' },
      body,
    },
  ],
  ['a method that is none', 405, { method: 'DELETE', path: '/graphql' }],
  ['a path under /graphql', 404, { path: '/graphql/nothing' }],
  ['a health check of the framework', 404, { path: '/graphql/health' }],
  ['a path that only ends like a door', 404, { method: 'PUT', path: '/graphql/x/graphql/stream' }],
  ['a path around a door', 404, { path: '/graphql/../metrics' }],
  ['nothing', 404, { path: '/nothing' }],
  ['a preflight', 204, { method: 'OPTIONS', path: '/graphql' }],
  ['the wrong method for a callback', 405, { path: '/callbacks/x' }],
  ['a forged callback', 404, { method: 'POST', path: '/callbacks/x', body: '{}' }],
  ['the wrong method for an upload', 405, { path: '/uploads/x' }],
  ['a forged upload', 404, { method: 'PUT', path: '/uploads/x', body: 'x' }],
  ['/livez', 200, { path: '/livez' }],
  ['/readyz', 200, { path: '/readyz' }],
  ['/metrics', 200, { path: '/metrics' }],
  ['a probe that would change something', 405, { method: 'DELETE', path: '/readyz' }],
  ['another address for it', 405, { method: 'POST', path: '/metrics', body: 'x' }],
  ['what is asked by way of a proxy', 404, { path: 'http://elsewhere.example/graphql' }],
  ['an expectation', 417, { path: '/livez', headers: { expect: 'miracles' } }],
];

const head = (first: string, headers: string) =>
  `${first} HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n`;

function handshake(path: string, more: string): string {
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
  const headers = ['connection: upgrade', 'upgrade: websocket', key, more];
  return head(`GET ${path}`, headers.filter((each) => each !== '').join('\r\n'));
}

/** All that is answered to a text, until the server has closed. */
async function say(text: string): Promise<string> {
  const { port, hostname } = new URL(it.url);
  const socket = connect(Number(port), hostname);
  let told = '';
  socket.on('data', (part: Buffer) => {
    told += part.toString();
  });
  // What it did not read resets the connection behind its answer.
  socket.on('error', () => undefined);
  socket.write(text);
  // Not `once` of node:events, for which an error would be the end.
  await new Promise((resolve) => socket.once('close', resolve));
  return told;
}

const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-site',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': expect.stringMatching(/^no-(store|cache)/),
  'x-request-id': expect.any(String),
};

describe('works', () => {
  test.each(answers)(
    '%s is answered %i with every header that protects, and no banner',
    async (name, status, sent) => {
      const received = await send(it.url, sent);
      expect([received.status, received.text]).toEqual([status, expect.any(String)]);
      const policy = name === 'GraphiQL' ? { 'content-security-policy': expect.any(String) } : {};
      expect(received.headers).toMatchObject({ ...always, ...policy });
      expect(Object.keys(received.headers).join()).not.toMatch(/server|powered|version|yoga/i);
    },
  );

  test.each<[string, number, string]>([
    ['what is no request', 400, 'this is nothing\r\n\r\n'],
    ['a method that nobody knows', 400, 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a URL that is too long', 431, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['headers that are too large', 431, head('GET /livez', `x: ${'x'.repeat(20_000)}`)],
    [
      'two lengths of one body',
      400,
      head('POST /graphql', 'content-length: 1\r\ncontent-length: 2'),
    ],
    [
      'a length beside chunks, by which a proxy is deceived',
      400,
      head('POST /graphql', 'content-length: 5\r\ntransfer-encoding: chunked'),
    ],
    ['a request that names no host', 400, 'GET /livez HTTP/1.1\r\n\r\n'],
    ['an upgrade from a foreign page', 403, handshake('/graphql', 'origin: https://evil.example')],
    ['an upgrade to what is nowhere', 404, handshake('/graphql/stream', '')],
    ['an upgrade with a token in the URL', 400, handshake('/graphql?token=x', '')],
    [
      'a handshake that is none',
      400,
      head('GET /graphql', 'connection: upgrade\r\nupgrade: websocket'),
    ],
  ])('%s is answered %i in the same way, and the connection ends', async (_, status, text) => {
    const told = await say(text);
    const [start = ''] = told.split('\r\n\r\n');
    const [body = ''] = /\{.*\}/s.exec(told) ?? [];
    expect(start).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    for (const [name, value] of Object.entries(always)) {
      if (name === 'x-request-id' || name === 'cache-control') continue;
      expect(start.toLowerCase()).toContain(`\r\n${name}: ${value}`.toLowerCase());
    }
    expect(start).toMatch(/\r\ncache-control: no-store/i);
    expect(JSON.stringify(JSON.parse(body))).toMatch(/"code":"[A-Z_]+"/);
    expect(told).not.toMatch(/\r\n(server|x-powered-by):|node|yoga/i);
  });

  test('an upload and a callback that are taken are answered so too', async () => {
    type Data = { createUpload: { uploadUrl: string } };
    const { data } = await it.ask<Data>(upload);
    const path = new URL(data?.createUpload.uploadUrl ?? '').pathname;
    const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
    const taken = await send(it.url, { method: 'PUT', path, body: sound });
    const token = signToken([secret], { purpose: 'callback', id: nothing });
    const callback = { method: 'POST', path: `/callbacks/${token}`, body: '{}' };
    const heard = await send(it.url, callback);
    expect([taken.status, heard.status]).toEqual([200, 200]);
    for (const { headers } of [taken, heard]) expect(headers).toMatchObject(always);
  });

  test('GraphiQL may run its own script and nothing else', async () => {
    const [one, other] = await Promise.all(
      [1, 2].map(() => send(it.url, { path: '/graphql', headers: html })),
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
    'from the log a name of a request such as %o: it has one of ours',
    async (name) => {
      const { headers } = await send(it.url, { path: '/livez', headers: { 'x-request-id': name } });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.stringify(it.logs)).not.toContain(JSON.stringify(name).slice(1, -1));
    },
  );

  test('GraphiQL in a live service that did not ask for it', async () => {
    const env = { USEAPI_TOKEN: 'user:1-x', ALLOW_ANONYMOUS: 'true' };
    const upstream = { baseUrl: 'http://127.0.0.1:1', token: 'user:1-x' };
    const get = async (app: TestApp, path: string) => {
      const { status, headers, text } = await send(app.url, { path, headers: html });
      return [status, headers['content-type'] === 'text/html' || /<html/i.test(text)];
    };
    await using plain = await startTestApp({ env, upstream });
    expect(await get(plain, '/graphql')).toEqual([expect.any(Number), false]);
    expect(await get(plain, '/')).toEqual([404, false]);
    await using asked = await startTestApp({ env: { ...env, GRAPHIQL: 'true' }, upstream });
    expect(await get(asked, '/graphql')).toEqual([200, true]);
  });
});

/** Names that clients put a token under, which some servers read. */
const names = [
  ...['token', 'access_token', 'accessToken', 'id_token', 'authorization', 'Authorization'],
  ...['auth', 'bearer', 'jwt', 'api_key', 'apiKey', 'api-key', 'connectionParams'],
  ...['connection_init', '%74oken'],
];

describe('refuses', () => {
  test.each(names)(
    'a token in the URL, as ?%s=, on every door, and executes nothing',
    async (name) => {
      const search = `${new URLSearchParams({ query })}&${name}=secret`;
      const doors: Sent[] = [
        { path: `/graphql?${search}` },
        { path: `/graphql?${search}`, headers: asStream },
        { method: 'POST', path: `/graphql?${name}=secret`, headers: json, body },
        { method: 'PUT', path: `/graphql/stream?${name}=secret` },
        { path: `/graphql/stream?${search}`, headers: asStream },
      ];
      for (const sent of doors) {
        const { status, text } = await send(it.url, sent);
        expect([status, JSON.parse(text).errors[0].extensions.code]).toEqual([400, 'TOKEN_IN_URL']);
        expect(text).not.toMatch(/anonymous|secret/);
      }
      const address = `${it.url.replace('http', 'ws')}/graphql?${name}=secret`;
      const socket = new WebSocket(address, 'graphql-transport-ws');
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error.message).toContain('400');
      expect(JSON.stringify(it.logs)).not.toContain('=secret');
    },
  );
});
