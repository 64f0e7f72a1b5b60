import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeId } from '../../../src/graphql/ids.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { apiKeys } from '../../support/lipsync-app.ts';
import { createLipsync } from '../../support/lipsyncs.ts';

const trusted = {
  name: '{ viewer { name } }',
  watch: 'subscription { lipsyncProgress(id: "x") { __typename } }',
};
const jwtSecret = 'a secret of at least thirty-two bytes';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

describe('works', () => {
  let it: TestApp;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lipsync-trusted-'));
    await writeFile(join(folder, 'documents.json'), JSON.stringify(trusted));
    it = await startTestApp({ env: { TRUSTED_DOCUMENTS: join(folder, 'documents.json') } });
  });
  afterAll(async () => {
    await it.stop();
    await rm(folder, { recursive: true });
  });

  const post = (body: object) =>
    fetch(`${it.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).then((response) => response.json());

  test('executes a trusted document by documentId or by the hash of persisted queries, over POST and GET', async () => {
    const answer = { data: { viewer: { name: 'anonymous' } } };
    expect(await post({ documentId: 'name' })).toMatchObject(answer);
    expect(
      await post({ extensions: { persistedQuery: { version: 1, sha256Hash: 'name' } } }),
    ).toMatchObject(answer);
    const get = await fetch(`${it.url}/graphql?documentId=name`);
    expect(await get.json()).toMatchObject(answer);
  });

  test('executes a trusted document by its hash over a WebSocket', async () => {
    const client = createClient({
      url: `${it.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
    });
    const events = client.iterate({
      query: '',
      extensions: { persistedQuery: { sha256Hash: 'watch' } },
    });
    expect(await events.next()).toMatchObject({
      value: { data: { lipsyncProgress: { __typename: 'NotFoundError' } } },
    });
    await client.dispose();
  });

  const payloadsWithUnknownId = (query: string) => [
    { documentId: 'unknown', query },
    { extensions: { persistedQuery: { version: 1, sha256Hash: 'unknown' } }, query },
  ];

  /** Relay's compiler and Apollo's link can send the text beside an id that this server does not have. */
  test('decides by the text beside an unknown id, over POST, GET and WebSocket', async () => {
    const foreign = '{ viewer { scopes } }';
    const answer = { data: { viewer: { name: 'anonymous' } } };
    const refusal = [{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }];
    // Twice: an id of a refused request is not learned for the text of another.
    for (const { query, ...name } of [
      ...payloadsWithUnknownId(foreign),
      ...payloadsWithUnknownId(trusted.name),
      ...payloadsWithUnknownId(foreign),
    ]) {
      const isTrusted = query === trusted.name;
      expect(await post({ ...name, query })).toMatchObject(
        isTrusted ? answer : { errors: refusal },
      );
      expect(await post(name)).toMatchObject({ errors: refusal });
    }
    const search = new URLSearchParams({ documentId: 'unknown', query: trusted.name });
    const get = await fetch(`${it.url}/graphql?${search}`);
    expect(await get.json()).toMatchObject(answer);

    const client = createClient({
      url: `${it.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
    });
    const first = (payload: { query: string }) => client.iterate(payload).next();
    for (const payload of payloadsWithUnknownId(trusted.name)) {
      expect(await first(payload)).toMatchObject({ value: answer });
    }
    for (const payload of payloadsWithUnknownId(foreign)) {
      await expect(first(payload)).rejects.toMatchObject(refusal);
    }
    await client.dispose();
  });

  test('executes the document of a known id, whatever text is beside it', async () => {
    const answer = { data: { viewer: { name: 'anonymous' } } };
    for (const query of ['{ viewer { scopes } }', trusted.watch]) {
      expect(await post({ documentId: 'name', query })).toMatchObject(answer);
    }
  });

  test('rejects every other document, on every transport', async () => {
    const refusal = { message: 'This document is not in the list of trusted documents.' };
    const code = { extensions: { code: 'DOCUMENT_NOT_TRUSTED' } };
    const foreign = '{ viewer { scopes } }';
    expect(await post({ query: foreign })).toMatchObject({ errors: [{ ...refusal, ...code }] });
    expect(await post({ documentId: 'unknown' })).toMatchObject({ errors: [refusal] });
    const get = await fetch(`${it.url}/graphql?query=${encodeURIComponent(foreign)}`);
    expect(await get.json()).toMatchObject({ errors: [{ ...refusal, ...code }] });
    const socket = it.watchWs('subscription { lipsyncProgress(id: "y") { __typename } }');
    await expect(socket[Symbol.asyncIterator]().next()).rejects.toMatchObject([
      { ...refusal, ...code },
    ]);
  });
});

describe('refuses', () => {
  test('the schema to callers without a token, if INTROSPECTION=authenticated', async () => {
    await using it = await startTestApp({
      env: { INTROSPECTION: 'authenticated', AUTH_JWT_SECRET: jwtSecret },
    });
    const token = await new SignJWT({ scope: '' })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('ada')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret));
    for (const query of ['{ __schema { queryType { name } } }', '{ _service { sdl } }']) {
      const refused = await it.ask(query);
      expect(refused.errors?.[0]?.extensions?.code).toBe('INTROSPECTION_REFUSED');
      const allowed = await it.ask(query, {}, { authorization: `Bearer ${token}` });
      expect(allowed.errors).toBeUndefined();
    }
    expect((await it.ask('{ __typename }')).data).toEqual({ __typename: 'Query' });
  });

  test('an invalid token with NotAuthenticatedError from each field', async () => {
    const key = createHash('sha256').update('right').digest('hex');
    await using it = await startTestApp({ env: { API_KEYS: `studio:${key}:lipsync:read` } });
    const query = '{ viewer { authenticated name } voices { __typename } }';
    expect((await it.ask(query, {}, { authorization: 'Bearer wrong' })).data).toEqual({
      viewer: { authenticated: false, name: 'nobody' },
      voices: { __typename: 'NotAuthenticatedError' },
    });
    expect((await it.ask(query, {}, { authorization: 'Bearer right' })).data).toEqual({
      viewer: { authenticated: true, name: 'studio' },
      voices: { __typename: 'VoiceList' },
    });
  });
});

describe('keeps out', () => {
  test('reads for a client that has disconnected, whose upstream call is aborted', async () => {
    const asked = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using upstream = await startFakeUpstream();
    upstream.handle('GET /videos/voices', (_, response) => {
      asked.resolve();
      response.once('close', ended.resolve);
    });
    await using it = await startTestApp({ upstream });
    const disconnecting = new AbortController();
    const query = encodeURIComponent('{ voices { __typename } }');
    const response = fetch(`${it.url}/graphql?query=${query}`, { signal: disconnecting.signal });
    const isAborted = expect(response).rejects.toThrow();
    await asked.promise;
    disconnecting.abort();
    await isAborted;
    await ended.promise;
  });

  test('secrets and account names from /metrics', async () => {
    await using it = await startTestApp();
    await it.ask('{ viewer { name } }');
    const text = await (await fetch(`${it.url}/metrics`)).text();
    expect(text).toMatch(
      /lipsync_http_request_duration_seconds_count\{method="POST",endpoint="\/graphql",status="200"\} 1/,
    );
    expect(text).not.toContain('@sandbox.example');
    expect(text).not.toContain(it.sandbox.token);
  });
});

describe('a field without a union', () => {
  const viewer = 'viewer { name }';
  test.each([
    ['lipsyncs', 'lipsyncs(first: 1000) { nodes { id } }', 'INVALID_INPUT'],
    ['lipsyncs', 'lipsyncs(after: "rubbish") { nodes { id } }', 'INVALID_INPUT'],
    ['list', 'list: lipsyncs(first: 1, last: 1) { nodes { id } }', 'INVALID_INPUT'],
  ])(
    'is null with one error that has the code of the failure, and the other fields are complete: %s, %s',
    async (key, field, code) => {
      const { data, errors } = await it.ask(`{ ${field} ${viewer} lipsync(id: "none") { id } }`);
      expect(data).toEqual({ [key]: null, viewer: { name: 'anonymous' }, lipsync: null });
      expect(errors).toHaveLength(1);
      expect(errors?.[0]).toMatchObject({ path: [key], extensions: { code, retryable: false } });
    },
  );

  test.each(['lipsyncs', 'uploads', 'videos'])('of viewer does the same: %s', async (list) => {
    const { data, errors } = await it.ask(
      `{ viewer { name ${list}(first: 0) { nodes { id } } good: ${list}(first: 1) { nodes { id } } } }`,
    );
    expect(data).toMatchObject({
      viewer: { name: 'anonymous', [list]: null, good: { nodes: expect.any(Array) } },
    });
    expect(errors).toMatchObject([
      { path: ['viewer', list], extensions: { code: 'INVALID_INPUT', retryable: false } },
    ]);
    expect(errors).toHaveLength(1);
  });

  test('within a lip-sync is null, and the rest of the lip-sync is complete', async () => {
    const { id } = await createLipsync(it);
    const { data, errors } = await it.ask(
      `query ($id: ID!) { lipsync(id: $id) { id events(first: 101) { nodes { sequence } } webhookDeliveries { id } } }`,
      { id },
    );
    expect(data).toEqual({ lipsync: { id, events: null, webhookDeliveries: [] } });
    expect(errors).toMatchObject([
      { path: ['lipsync', 'events'], extensions: { code: 'INVALID_INPUT', retryable: false } },
    ]);
  });

  test('that is refused does not hide what the caller may see: nodes and the lists of viewer', async () => {
    await using it = await startTestApp({
      env: { ALLOW_ANONYMOUS: 'false', API_KEYS: apiKeys('a') },
    });
    const ids = [encodeId('Lipsync', 'none'), 'rubbish'];
    const { data, errors } = await it.ask(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { id }
         viewer { name lipsyncs { nodes { id } } uploads { nodes { id } } videos { nodes { id } } webhookKeys { hint } } }`,
      { ids },
    );
    const nothing = { lipsyncs: null, uploads: null, videos: null, webhookKeys: null };
    expect(data).toEqual({ nodes: [null, null], viewer: { name: expect.any(String), ...nothing } });
    const refused = [['nodes', 0], ...Object.keys(nothing).map((name) => ['viewer', name])];
    expect(errors?.map(({ path }) => path)).toEqual(expect.arrayContaining(refused));
    expect(errors?.map(({ extensions }) => extensions?.code)).toEqual(
      refused.map(() => 'NOT_AUTHENTICATED'),
    );
  });
});

describe('keeps out', () => {
  const nested = (levels: number): string =>
    levels === 0
      ? 'id'
      : `failure { ... on OutcomeUnknownError { lipsync { ${nested(levels - 1)} } } }`;
  const cancel = (selection: string) =>
    `mutation { cancelLipsync(input: { id: "x" }) { ${selection} } }`;

  test.each([
    [
      'an inline fragment',
      (inner: string) => cancel(`... on CancelOutcome { lipsync { ${inner} } }`),
    ],
    [
      'a fragment',
      (inner: string) =>
        `${cancel('...Outcome')} fragment Outcome on CancelOutcome { lipsync { ${inner} } }`,
    ],
  ])('depth below an interface, in %s', async (_, document) => {
    const { errors } = await it.ask(document(nested(3)));
    expect(errors).toMatchObject([{ extensions: { code: 'DOCUMENT_TOO_DEEP' } }]);
    expect((await it.ask(document(nested(1)))).errors).toBeUndefined();
  });
});
