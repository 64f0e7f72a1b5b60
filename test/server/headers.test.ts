import { once } from 'node:events';
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
  ['a method that is none', 405, { method: 'DELETE', path: '/graphql' }],
  ['a path under /graphql', 404, { path: '/graphql/nothing' }],
  ['a health check of the framework', 404, { path: '/graphql/health' }],
  ['nothing', 404, { path: '/nothing' }],
  ['a preflight', 204, { method: 'OPTIONS', path: '/graphql' }],
  ['the wrong method for a callback', 405, { path: '/callbacks/x' }],
  ['a forged callback', 404, { method: 'POST', path: '/callbacks/x', body: '{}' }],
  ['the wrong method for an upload', 405, { path: '/uploads/x' }],
  ['a forged upload', 404, { method: 'PUT', path: '/uploads/x', body: 'x' }],
  ['/livez', 200, { path: '/livez' }],
  ['/readyz', 200, { path: '/readyz' }],
  ['/metrics', 200, { path: '/metrics' }],
];

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
