import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectAgent } from '../support/agent.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { fakeToken } from '../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import { type Result, readEvents, type Variables } from '../support/graphql-client.ts';
import { type HttpRequest, type HttpResponse, sendRequest } from '../support/http.ts';
import { createLipsync } from '../support/lipsyncs.ts';
import { statusOfUpgrade } from '../support/raw-websocket.ts';
import { transports as allTransports, execute } from '../support/transports.ts';

const email = 'front+desk@transports.example';

let upstream: FakeUpstream;
let app: TestApp;

beforeAll(async () => {
  upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 5 }], callbacks: 'none' });
  upstream.addVideo(email, 'a face');
  // Each failure of the upstream must reach the caller, not a list of the test before.
  const env = { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true', READ_FRESH_MS: '0', MCP: 'true' };
  app = await startTestApp({ upstream, env });
});

afterAll(async () => {
  await app?.stop();
  await upstream?.close();
});

const send = (method: string, path: string, request: Omit<HttpRequest, 'method' | 'path'> = {}) =>
  sendRequest(app.url, { method, path, ...request });

const json = { 'content-type': 'application/json' };
const viewer = '{ viewer { name } }';
const viewerBody = JSON.stringify({ query: viewer });

function get(query: string, variables: Variables = {}): string {
  return `/graphql?${new URLSearchParams({ query, variables: JSON.stringify(variables) })}`;
}

function resultOf({ text }: HttpResponse): Result {
  return JSON.parse(text) as Result;
}

/** A mutation with a visible effect: one more row of uploads. */
const createUpload =
  'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';

async function countUploads(): Promise<number> {
  return (await app.app.db.query('select 1 from uploads')).length;
}

/** Those for every kind of operation; a multipart form is for files. */
const transports = allTransports.filter((transport) => transport !== 'multipart form');

/** A lip-sync that has run to its end. */
async function finishLipsync(): Promise<string> {
  const { id } = await createLipsync(app);
  await (await upstream.nextJob()).become(1);
  for await (const _ of app.watchWs(watchDocument, { id }));
  return id;
}

const watchDocument = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { __typename
  ... on LipsyncProgress { cursor sequence status } ... on LipsyncError { code } } }`;

/** Every frame of a stream, to its end. */
async function readStream(method: 'GET' | 'POST', variables: Variables, headers = {}) {
  const isGet = method === 'GET';
  const response = await fetch(`${app.url}${isGet ? get(watchDocument, variables) : '/graphql'}`, {
    method,
    headers: { accept: 'text/event-stream', ...(isGet ? {} : json), ...headers },
    ...(isGet ? {} : { body: JSON.stringify({ query: watchDocument, variables }) }),
  });
  const frames: { id: string | null; event: string; data: string }[] = [];
  if (response.body === null) throw new Error('There is no stream.');
  for await (const frame of readEvents(response.body)) frames.push(frame);
  return frames;
}

describe('works', () => {
  test('/livez and /readyz answer 200 with JSON', async () => {
    for (const path of ['/livez', '/readyz']) {
      const answer = await send('GET', path);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(JSON.parse(answer.text)).toHaveProperty('status');
    }
  });

  test('an unknown path answers 404 with JSON, whatever the method', async () => {
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['POST', '/nothing'],
      ['GET', '/graphq'],
      ['GET', '/.env'],
      ['PUT', '/uploads/'],
    ] as const) {
      const answer = await send(method, path);
      expect(answer.status, path).toBe(404);
      expect(answer.headers['content-type'], path).toMatch(/^application\/json/);
      expect(JSON.parse(answer.text), path).toHaveProperty('code', 'NOT_FOUND');
    }
  });

  // Apollo's auth link sends an empty header when there is no token.
  test.each(allTransports)('a blank authorization over %s counts as missing', async (transport) => {
    const read = async (authorization: string) => {
      const query =
        transport === 'multipart form'
          ? 'mutation ($file: File!) { uploadAudio(file: $file) { ... on LipsyncError { code } } }'
          : '{ voices { __typename ... on LipsyncError { code } } }';
      const { data } = await execute(transport, {
        url: app.url,
        operation: { query },
        authorization,
      });
      return JSON.stringify(data);
    };
    for (const blank of ['', ' \t ']) expect(await read(blank)).not.toContain('NOT_AUTHENTICATED');
    for (const wrong of ['Bearer ', 'Bearer x']) {
      expect(await read(wrong)).toContain('NOT_AUTHENTICATED');
    }
  });

  test('a blank authorization of an agent counts as missing', async () => {
    const isError = async (authorization: string) => {
      const agent = await connectAgent({ url: app.url, headers: { authorization } });
      try {
        return (await agent.call('list_voices')).isError;
      } finally {
        await agent.client.close();
      }
    };
    expect(await isError('')).toBe(false);
    expect(await isError('Bearer ')).toBe(true);
  });

  test('a query by GET needs no content type and no other header', async () => {
    const answer = await send('GET', get(viewer));
    expect(answer.status).toBe(200);
    expect(resultOf(answer).data).toEqual({ viewer: { name: 'anonymous' } });
  });

  test('pages of our own origin can send GET requests and open WebSockets', async () => {
    const headers = { origin: app.url, 'sec-fetch-site': 'same-origin' };
    expect((await send('GET', get(viewer), { headers })).status).toBe(200);
    expect(await statusOfUpgrade(app.url, { headers: { origin: app.url } })).toBe(101);
  });

  test('a multipart form with a CSRF header uploads a file', async () => {
    const answer = await send('POST', '/graphql', multipart({ 'x-csrf': '1' }));
    // Four bytes of text are not audio: the error comes from the field itself.
    expect(resultOf(answer).data?.uploadAudio).toMatchObject({ __typename: 'InvalidInputError' });
  });

  test.each(['GET', 'POST'] as const)(
    'a stream by %s ends with its terminal event, then complete, then the connection',
    async (method) => {
      const id = await finishLipsync();
      const frames = await readStream(method, { id });
      expect(frames.map(({ event }) => event)).toEqual(['next', 'complete']);
      const last = JSON.parse(frames[0]?.data ?? '') as Result;
      expect(last.data?.lipsyncProgress).toMatchObject({ status: 'COMPLETED' });
      expect(last.data?.lipsyncProgress).toHaveProperty('cursor', frames[0]?.id);
    },
  );

  test('a stream resumed after the last event only completes, and Last-Event-ID overrides after', async () => {
    const id = await finishLipsync();
    const { data } = await app.ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
      'query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { cursor } } } }',
      { id },
    );
    const cursors = data?.lipsync.events.nodes.map(({ cursor }) => cursor) ?? [];
    const [first = '', last = ''] = [cursors[0], cursors.at(-1)];
    const atEnd = await readStream('GET', { id, after: first }, { 'last-event-id': last });
    expect(atEnd.map(({ event }) => event)).toEqual(['complete']);
    const all = await readStream('GET', { id, after: last }, { 'last-event-id': first });
    expect(all.map((frame) => frame.id).slice(0, -1)).toEqual(cursors.slice(1));
  });

  test('an empty Last-Event-ID counts as missing, so after applies', async () => {
    const id = await finishLipsync();
    const [{ id: cursor = '' } = {}] = await readStream('GET', { id });
    for (const method of ['GET', 'POST'] as const) {
      const resumed = await readStream(method, { id, after: cursor }, { 'last-event-id': '' });
      expect(resumed.map(({ event }) => event)).toEqual(['complete']);
    }
    const fromStart = await readStream('GET', { id }, { 'last-event-id': '' });
    expect(fromStart.map(({ event }) => event)).toEqual(['next', 'complete']);
    expect(fromStart[0]?.id).toBe(cursor);
  });

  test('a cursor of another lip-sync is answered with InvalidInputError, and the stream completes', async () => {
    const id = await finishLipsync();
    for (const headers of [{ 'last-event-id': 'rubbish' }, { 'last-event-id': 'MTIzNDU2Nzg5' }]) {
      const frames = await readStream('GET', { id }, headers);
      expect(frames.map(({ event }) => event)).toEqual(['next', 'complete']);
      expect(frames[0]?.data).toContain('INVALID_INPUT');
    }
  });
});

/** The GraphQL multipart request format, with text in place of audio. */
function multipart(headers: Record<string, string>) {
  const boundary = 'between-the-parts';
  const part = (name: string, value: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const query =
    'mutation ($file: File!) { uploadAudio(file: $file) { __typename ... on LipsyncError { code } } }';
  const body = `${part('operations', JSON.stringify({ query, variables: { file: null } }))}${part(
    'map',
    JSON.stringify({ 0: ['variables.file'] }),
  )}--${boundary}\r\ncontent-disposition: form-data; name="0"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\nabcd\r\n--${boundary}--\r\n`;
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, ...headers },
    body,
  };
}

describe('refuses', () => {
  test.each([
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'text/plain; application/json',
    undefined,
  ])('a POST that any page could send: content type %s', async (type) => {
    const before = await countUploads();
    const form = new URLSearchParams({ query: createUpload }).toString();
    for (const body of [JSON.stringify({ query: createUpload }), form, createUpload]) {
      const headers = type === undefined ? {} : { 'content-type': type };
      const answer = await send('POST', '/graphql', { headers, body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(resultOf(answer).errors?.length).toBe(1);
    }
    expect(await countUploads()).toBe(before);
  });

  test('multipart without a CSRF header', async () => {
    const answer = await send('POST', '/graphql', multipart({}));
    expect(answer.status).toBe(415);
    expect(resultOf(answer).data).toBeUndefined();
  });

  test('a mutation by GET, as a query and as a stream, also beside a query', async () => {
    const before = await countUploads();
    const both = `query Harmless ${viewer} mutation Harmful ${createUpload.replace('mutation ', '')}`;
    for (const accept of ['application/json', 'text/event-stream', '*/*']) {
      for (const path of [get(createUpload), `${get(both)}&operationName=Harmful`]) {
        const answer = await send('GET', path, { headers: { accept } });
        expect(answer.text).toContain('errors');
        expect(answer.text).not.toContain('CreateUploadSuccess');
      }
    }
    expect(await countUploads()).toBe(before);
    const harmless = await send('GET', `${get(both)}&operationName=Harmless`);
    expect(resultOf(harmless).data).toEqual({ viewer: { name: 'anonymous' } });
  });

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost.evil.example' },
  ])('a GET from a foreign page: %o', async (headers) => {
    for (const accept of ['application/json', 'text/event-stream']) {
      const answer = await send('GET', get(viewer), { headers: { ...headers, accept } });
      expect(answer.status).toBe(403);
      expect(answer.text).not.toContain('anonymous');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('the preflight of a foreign page: no CORS headers', async () => {
    const answer = await send('OPTIONS', '/graphql', {
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each(['https://evil.example', 'null'])(
    'a WebSocket of a foreign page: %s',
    async (origin) => {
      expect(await statusOfUpgrade(app.url, { headers: { origin } })).toBe(403);
    },
  );

  test('a batch of operations', async () => {
    const before = await countUploads();
    const body = JSON.stringify([{ query: createUpload }, { query: viewer }]);
    const answer = await send('POST', '/graphql', { headers: json, body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toContain('anonymous');
    expect(resultOf(answer).errors?.length).toBe(1);
    expect(await countUploads()).toBe(before);
  });

  test.each([
    ['a syntax error', '{ viewer { name '],
    ['an unknown field', '{ viewer { name shoeSize } }'],
    ['an unknown argument', '{ videos(colour: "red") { __typename } }'],
    ['a subscription to an unknown field', 'subscription { weather { __typename } }'],
    ['an empty document', '# nothing'],
  ])('%s with the same code and message on every transport', async (_, query) => {
    const errorsOfEach = await Promise.all(
      transports.map(async (transport) => {
        const { errors, data } = await execute(transport, { url: app.url, operation: { query } });
        expect(data ?? null, transport).toBeNull();
        return errors?.map(({ message, extensions }) => ({ message, code: extensions?.code }));
      }),
    );
    expect(errorsOfEach).toEqual(transports.map(() => errorsOfEach[0]));
    expect(errorsOfEach[0]?.length).toBe(1);
    expect(errorsOfEach[0]?.[0]?.message).not.toBe('');
    expect(errorsOfEach[0]?.[0]?.code).toMatch(/^[A-Z_]+$/);
  });

  test('a body that is not a GraphQL request, as JSON', async () => {
    for (const body of ['{"query": ', '"{ viewer }"', 'null', '{}', '{"query": 7}']) {
      const answer = await send('POST', '/graphql', { headers: json, body });
      const { data, errors } = resultOf(answer);
      expect({ data, count: errors?.length }, body).toEqual({ data: undefined, count: 1 });
      expect(errors?.[0]?.extensions?.code, body).toBe('BAD_REQUEST');
      expect(answer.text, body).not.toMatch(/node_modules|\/src\/|\\n\s+at /);
    }
  });
});

describe('fields without a union', () => {
  test.each([
    [503, 'UPSTREAM_UNAVAILABLE', true],
    [401, 'UPSTREAM_UNAUTHORIZED', false],
    [429, 'RATE_LIMITED', true],
    [596, 'ACCOUNT_PENDING', false],
  ])(
    'video is null with one typed error where the upstream answers %i',
    async (status, code, retryable) => {
      const { data: listed } = await app.ask<{
        videos: { nodes: { id: string; prompt: string }[] };
      }>('{ videos { ... on VideoConnection { nodes { id prompt } } } }');
      const id = listed?.videos.nodes.find(({ prompt }) => prompt === 'never used')?.id;
      const reply = { status, body: JSON.stringify({ error: `${fakeToken} ${email}` }) };
      upstream.reply('GET /videos', reply);
      upstream.reply('GET /videos/{id}', reply);
      const { data, errors } = await app.ask(
        'query ($id: ID!) { video(id: $id) { id } viewer { name } }',
        { id },
      );
      upstream.reply('GET /videos', null);
      upstream.reply('GET /videos/{id}', null);
      expect(data).toEqual({ video: null, viewer: { name: 'anonymous' } });
      expect(errors?.length).toBe(1);
      expect(errors?.[0]).toMatchObject({ path: ['video'], extensions: { code, retryable } });
      expect(JSON.stringify(errors)).not.toMatch(/transports\.example|qz7Hk/);
    },
  );

  beforeAll(() => {
    upstream.addVideo(email, 'never used');
  });

  test('voice is null with one typed error where the upstream fails', async () => {
    const id = Buffer.from('Voice:77').toString('base64url');
    const fresh = await startTestApp({
      upstream,
      env: { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true' },
    });
    upstream.reply('GET /videos/voices', { status: 402, body: '{}' });
    const { data, errors } = await fresh.ask(`{ voice(id: "${id}") { name } }`);
    upstream.reply('GET /videos/voices', null);
    await fresh.stop();
    expect(data).toEqual({ voice: null });
    expect(errors?.length).toBe(1);
    expect(errors?.[0]).toMatchObject({
      path: ['voice'],
      extensions: { code: 'SUBSCRIPTION_EXPIRED', retryable: false },
    });
  });

  test.each(['first: 101', 'last: 101', 'first: 0', 'first: -1', 'after: "rubbish"'])(
    'lipsyncs(%s) is null with one InvalidInput error, and the other field is complete',
    async (args) => {
      const { data, errors } = await app.ask(
        `{ lipsyncs(${args}) { nodes { id } } viewer { name } }`,
      );
      expect(data).toEqual({ lipsyncs: null, viewer: { name: 'anonymous' } });
      expect(errors?.length).toBe(1);
      expect(errors?.[0]).toMatchObject({
        path: ['lipsyncs'],
        extensions: { code: 'INVALID_INPUT', retryable: false },
      });
    },
  );
});

describe('fields without a union, for an anonymous caller', () => {
  let guarded: TestApp;

  beforeAll(async () => {
    const digest = 'ab'.repeat(32);
    const env = { USEAPI_TOKEN: fakeToken, API_KEYS: `someone:${digest}:lipsync:read` };
    guarded = await startTestApp({ upstream, env });
  });
  afterAll(() => guarded?.stop());

  const id = Buffer.from('Voice:1').toString('base64url');

  test.each(['lipsync', 'voice', 'upload', 'video'])(
    '%s is null with one NOT_AUTHENTICATED error',
    async (field) => {
      const { data, errors } = await guarded.ask(
        `{ ${field}(id: "${id}") { id } viewer { authenticated } }`,
      );
      expect(data).toEqual({ [field]: null, viewer: { authenticated: false } });
      expect(errors?.length).toBe(1);
      expect(errors?.[0]).toMatchObject({
        path: [field],
        extensions: { code: 'NOT_AUTHENTICATED', retryable: false },
      });
    },
  );

  test.each(transports)(
    'lipsyncs is null with one NOT_AUTHENTICATED error over %s',
    async (transport) => {
      const { data, errors } = await execute(transport, {
        url: guarded.url,
        operation: { query: '{ lipsyncs { nodes { id } } viewer { authenticated } }' },
      });
      expect(data).toEqual({ lipsyncs: null, viewer: { authenticated: false } });
      expect(errors?.length).toBe(1);
      expect(errors?.[0]).toMatchObject({
        path: ['lipsyncs'],
        extensions: { code: 'NOT_AUTHENTICATED', retryable: false },
      });
    },
  );
});

describe('malformed and unknown ids', () => {
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  const rubbish = [
    '',
    ' ',
    'x',
    '!!!!',
    '💥',
    '\u0000',
    'null',
    '__proto__',
    'a'.repeat(5_000),
    encode('Video:'),
    encode('Video:../../accounts'),
    encode('Video:AAAAAAAA-12'),
    encode('Video:\u0000'),
    encode('Voice:\u0000'),
    encode('Voice:constructor'),
    encode('Lipsync:'),
    encode('Lipsync:not-a-uuid'),
    encode('Lipsync:00000000-0000-4000-8000-000000000000'),
    encode('Upload:\u0000'),
    encode('Upload:00000000-0000-4000-8000-000000000000'),
    encode('Account:AAAAAAAAAAAA'),
    encode('Planet:3'),
    encode('Query:1'),
    `${encode('Lipsync:1')}==`,
    "' or 1=1 --",
  ];

  test.each(['node', 'video', 'voice', 'lipsync', 'upload'])('are null in %s', async (field) => {
    const query = `query ($id: ID!) { ${field}(id: $id) { __typename id } }`;
    const wrong = [];
    for (const id of rubbish) {
      const { status, data, errors } = await app.ask(query, { id });
      const isNull = status === 200 && data?.[field] === null && errors === undefined;
      if (!isNull) wrong.push({ id: id.slice(0, 60), status, data, errors });
    }
    expect(wrong).toEqual([]);
  });

  test('are null in nodes, beside an existing one', async () => {
    const { data: listed } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
      '{ videos { ... on VideoConnection { nodes { id } } } }',
    );
    const id = listed?.videos.nodes[0]?.id ?? '';
    const { data, errors } = await app.ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }',
      { ids: [...rubbish, `${id}==`, ` ${id}`, id] },
    );
    expect(errors).toBeUndefined();
    const nothing = [...rubbish, `${id}==`, ` ${id}`].map(() => null);
    expect(data).toEqual({ nodes: [...nothing, { __typename: 'Video', id }] });
  });

  test.each(['Lipsync', 'Video', 'Voice'])('are null in _entities of %s', async (__typename) => {
    const representations = rubbish.map((id) => ({ __typename, id }));
    const { data, errors } = await app.ask(
      'query ($representations: [_Any!]!) { _entities(representations: $representations) { __typename } }',
      { representations },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ _entities: rubbish.map(() => null) });
  });

  test('never reach the upstream as a path', () => {
    for (const { url } of upstream.requests) {
      expect(url).toMatch(
        /^\/v2\/pixverse\/(videos\/?|videos\/voices\/|accounts|scheduler\/|features\/?|videos\/lipsync|videos\/user:[^/]+)(\?.*)?$/,
      );
    }
  });
});

describe('the request id', () => {
  test('is the one of the request when that is valid', async () => {
    for (const id of ['order-17.a_b', 'a'.repeat(64)]) {
      const headers = { ...json, 'x-request-id': id };
      const answer = await send('POST', '/graphql', { headers, body: viewerBody });
      expect(answer.headers['x-request-id']).toBe(id);
    }
  });

  test('is generated when the request has none, or an invalid one', async () => {
    const ids = new Set<unknown>();
    for (const id of [undefined, '', 'a'.repeat(65), '<script>', 'a b']) {
      const headers = { ...json, ...(id === undefined ? {} : { 'x-request-id': id }) };
      const answer = await send('POST', '/graphql', { headers, body: viewerBody });
      expect(answer.headers['x-request-id']).toMatch(/^[\w.-]{8,64}$/);
      expect(answer.headers['x-request-id']).not.toBe(id);
      ids.add(answer.headers['x-request-id']);
    }
    expect(ids.size).toBe(5);
  });

  test('is in the log line of the request', async () => {
    await send('GET', '/livez', { headers: { 'x-request-id': 'find-me' } });
    expect(app.logs.filter(({ requestId }) => requestId === 'find-me')).toMatchObject([
      { msg: 'request', path: '/livez', status: 200 },
    ]);
  });
});

describe('masks unexpected errors', () => {
  let broken: TestApp;
  const leak = /does not exist|secret_|source_video|select |\/src\/|\.ts\b|stack|node_modules/i;
  const query = '{ lipsyncs { nodes { id } } }';

  beforeAll(async () => {
    const env = { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true' };
    broken = await startTestApp({ upstream, env });
    await broken.app.db.query(
      'alter table lipsyncs rename column source_video_id to secret_column',
    );
  });
  afterAll(() => broken?.stop());

  test('in the answer, which shows the request id instead', async () => {
    const { errors, headers } = await broken.ask(query, {}, { 'x-request-id': 'trace-this-one' });
    expect(headers.get('x-request-id')).toBe('trace-this-one');
    expect(errors?.length).toBe(1);
    expect(errors?.[0]?.extensions?.code).toBe('INTERNAL_SERVER_ERROR');
    const text = JSON.stringify(errors);
    expect(text).not.toMatch(leak);
    expect(text).toContain('trace-this-one');
  });

  test('but not in the log, which has the whole error with the request id', async () => {
    await broken.ask(query, {}, { 'x-request-id': 'trace-another' });
    const line = broken.logs.find(
      ({ level, requestId }) => level === 'error' && requestId === 'trace-another',
    );
    expect(JSON.stringify(line)).toContain('source_video_id');
  });

  test('over WebSocket and in event streams too', async () => {
    for await (const { errors } of broken.watchWs(query)) {
      const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(JSON.stringify(errors))?.[0];
      expect(errors?.[0]?.extensions?.code).toBe('INTERNAL_SERVER_ERROR');
      expect(
        broken.logs.some(({ level, requestId }) => level === 'error' && requestId === id),
      ).toBe(true);
    }
    for await (const { data } of broken.watchSse(query)) {
      expect(data.errors?.[0]?.extensions?.code).toBe('INTERNAL_SERVER_ERROR');
      expect(JSON.stringify(data)).not.toMatch(leak);
    }
  });
});
