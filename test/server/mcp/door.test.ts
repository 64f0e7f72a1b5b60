import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listVoices } from '../../../src/server/mcp/documents.ts';
import { TemporarilyUnavailableError } from '../../../src/unavailable.ts';
import { connectAgent, revisions } from '../../support/agent.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type HttpRequest, type HttpResponse, sendRequest } from '../../support/http.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.stop());

const headers = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

const twoTokens = Object.fromEntries([
  ...Object.entries(headers),
  ['authorization', ['Bearer a', 'Bearer b']],
]);

/** A call of a tool as clients of the older revisions send it. */
const message = (name: string, input: object) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: input },
});

const body = JSON.stringify(message('list_voices', {}));

const send = (request: HttpRequest): Promise<HttpResponse> =>
  sendRequest(app.url, { method: 'POST', path: '/mcp', headers, body, ...request });

const codeOf = ({ text }: HttpResponse) =>
  (JSON.parse(text) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code;

const nested = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
const withInput = (input: object) => JSON.stringify(message('create_lipsync', input));

describe('refuses, as /graphql does', () => {
  type Verdict = { status: number; code: string };
  const rows: [string, HttpRequest, Verdict][] = [
    [
      'a foreign origin',
      { headers: { ...headers, origin: 'https://evil.example' } },
      { status: 403, code: 'FOREIGN_ORIGIN' },
    ],
    [
      'a page of another site',
      { headers: { ...headers, 'sec-fetch-site': 'cross-site' } },
      { status: 403, code: 'FOREIGN_ORIGIN' },
    ],
    [
      'another name of this server',
      { headers: { ...headers, host: 'evil.example' } },
      { status: 421, code: 'UNKNOWN_HOST' },
    ],
    [
      'a malformed Host',
      { headers: { ...headers, host: 'a b' } },
      { status: 400, code: 'BAD_REQUEST' },
    ],
    ['two tokens', { headers: twoTokens }, { status: 400, code: 'BAD_REQUEST' }],
    ['a token in the URL', { path: '/mcp?access_token=x' }, { status: 400, code: 'TOKEN_IN_URL' }],
    [
      'no content type',
      { headers: { accept: headers.accept } },
      { status: 415, code: 'UNSUPPORTED_CONTENT_TYPE' },
    ],
    [
      'a form',
      { headers: { ...headers, 'content-type': 'text/plain' } },
      { status: 415, code: 'UNSUPPORTED_CONTENT_TYPE' },
    ],
    [
      'another charset',
      { headers: { ...headers, 'content-type': 'application/json; charset=latin1' } },
      { status: 415, code: 'UNSUPPORTED_CONTENT_TYPE' },
    ],
    [
      'a large body',
      { body: withInput({ text: 'x'.repeat(1_000_001) }) },
      { status: 413, code: 'REQUEST_TOO_LARGE' },
    ],
    [
      'a large body in chunks',
      {
        body: withInput({ text: 'x'.repeat(1_000_001) }),
        headers: { ...headers, 'transfer-encoding': 'chunked' },
      },
      { status: 413, code: 'REQUEST_TOO_LARGE' },
    ],
    ['deep values', { body: withInput(nested(30)) }, { status: 400, code: 'VALUES_TOO_DEEP' }],
    [
      'many values',
      { body: withInput({ a: Array.from({ length: 2_001 }, () => 1) }) },
      { status: 400, code: 'VALUES_TOO_LARGE' },
    ],
    ['a batch', { body: `[${body},${body}]` }, { status: 400, code: 'BATCHING_REFUSED' }],
    [
      'bytes that are not UTF-8',
      { body: Buffer.from(withInput({ text: 'ä' }), 'latin1') },
      { status: 400, code: 'BAD_REQUEST' },
    ],
    ['no JSON', { body: '{' }, { status: 400, code: 'BAD_REQUEST' }],
    ['no message', { body: '1' }, { status: 400, code: 'BAD_REQUEST' }],
  ];
  test.each(rows)('%s', async (_, request, verdict) => {
    const response = await send(request);
    expect({ status: response.status, code: codeOf(response) }).toEqual(verdict);
  });

  test.each(['GET', 'DELETE', 'PUT'])('%s, because there are no sessions', async (method) => {
    const response = await send({ method, body: '' });
    expect(response).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  test('streams of changes, because the tools never change and such streams need no token', async () => {
    await using agent = await connectAgent({ url: app.url });
    expect(agent.client.getServerCapabilities()).toEqual({ tools: { listChanged: false } });
    const { 'content-type': contentType } = headers;
    const envelope = {
      'io.modelcontextprotocol/protocolVersion': revisions.current,
      'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const method = 'subscriptions/listen';
    const { text } = await send({
      headers: {
        ...headers,
        'content-type': contentType,
        'mcp-protocol-version': revisions.current,
        'mcp-method': method,
      },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method },
        params: { notifications: { toolsListChanged: true }, _meta: envelope },
      }),
    });
    expect(JSON.parse(text)).toMatchObject({
      id: 1,
      error: { message: 'Subscription limit reached' },
    });
  });

  test('everything with MCP=false, which is the default with an upstream', async () => {
    await using off = await startTestApp({ env: { MCP: 'false' } });
    const { status, text } = await sendRequest(off.url, {
      method: 'POST',
      path: '/mcp',
      headers,
      body,
    });
    expect({ status, code: JSON.parse(text).code }).toEqual({ status: 404, code: 'NOT_FOUND' });
    const token = 'user:1-x';
    await using live = await startTestApp({
      env: { USEAPI_TOKEN: token, ALLOW_ANONYMOUS: 'true' },
      upstream: { baseUrl: 'http://127.0.0.1:1', token },
    });
    expect(
      (await sendRequest(live.url, { method: 'POST', path: '/mcp', headers, body })).status,
    ).toBe(404);
  });
});

describe('works', () => {
  test('without a handshake, with the headers of every response and the id of the request', async () => {
    const response = await send({ headers: { ...headers, 'x-request-id': 'from-the-agent' } });
    expect(response.status).toBe(200);
    expect(response.text).toContain('"voices"');
    expect(response.headers).toMatchObject({
      'x-request-id': 'from-the-agent',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });

  test('for pages of allowed origins, which may send the headers of the protocol', async () => {
    const origin = 'http://localhost:5173';
    const response = await send({ method: 'OPTIONS', headers: { origin }, body: '' });
    expect(response.status).toBe(204);
    const allowed = response.headers['access-control-allow-headers'];
    for (const name of ['authorization', 'mcp-protocol-version', 'mcp-method', 'mcp-name']) {
      expect(allowed).toContain(name);
    }
  });

  test('in logs and metrics under its own path', async () => {
    await send({});
    expect(app.logs).toContainEqual(expect.objectContaining({ msg: 'request', path: '/mcp' }));
    expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(
      /endpoint="\/mcp",status="200"/,
    );
  });

  test('with TRUSTED_DOCUMENTS: the documents of the tools are trusted at /mcp alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-mcp-'));
    const path = join(folder, 'documents.json');
    await writeFile(path, JSON.stringify({ one: '{ viewer { name } }' }));
    await using own = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    await rm(folder, { recursive: true });
    await using agent = await connectAgent({ url: own.url });
    expect(await agent.call('list_voices')).toMatchObject({ isError: false });
    const { errors } = await own.ask(listVoices);
    expect(errors?.[0]?.extensions?.code).toBe('DOCUMENT_NOT_TRUSTED');
  });

  test('when the database is unavailable: the answer says when to call again', async () => {
    let isAway = false;
    await using own = await startTestApp({
      wrapDatabase: (db) =>
        new Proxy(db, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name, target);
            if (typeof value !== 'function') return value;
            if (!isAway || name === 'close') return value.bind(target);
            return () => Promise.reject(new TemporarilyUnavailableError(new Error('away')));
          },
        }),
    });
    await using agent = await connectAgent({ url: own.url });
    isAway = true;
    const answer = await agent.call('list_lipsyncs');
    isAway = false;
    expect(answer).toMatchObject({
      isError: true,
      content: {
        code: 'TEMPORARILY_UNAVAILABLE',
        retryable: true,
        retryAfterSeconds: expect.any(Number),
      },
    });
  });
});
