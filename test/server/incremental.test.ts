import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeId } from '../../src/graphql/ids.ts';
import { Assembly, type Part } from '../../src/server/parts.ts';
import { patient } from '../domains/lipsyncs/stage.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { readEvents } from '../support/graphql-client.ts';
import { readParts } from '../support/multipart.ts';
import { RawWebSocket } from '../support/raw-websocket.ts';
import { openWaitingUpstream } from '../support/waiting-upstream.ts';

const forms = [
  'multipart/mixed',
  'multipart/mixed;deferSpec=20220824',
  'multipart/mixed;incrementalSpec=v0.2',
];
const [first = ''] = forms;

const { env: keys, headers: as } = createApiKeys({ reader: ['lipsync:read'] });

let it: TestApp;
/** Of its clock. */
let aheadMs = 0;
beforeAll(async () => {
  const now = () => new Date(Date.now() + aheadMs);
  it = await startTestApp({ env: { POLL_INTERVAL_MS: '600000', COST_PER_MINUTE: '12000' }, now });
  await it.turn({ callbacks: 'none' });
  const { data } = await it.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
  );
  const create = `mutation ($video: ID!) { createLipsync(input: { video: { id: $video }
    speech: { text: { text: "[[never]] Quiet", voiceId: "${encodeId('Voice', '1')}" } } }) { __typename } }`;
  for (let n = 0; n < 3; n += 1) await it.ask(create, { video: data?.videos.nodes[0]?.id });
});
afterAll(() => it?.stop());

type Asked = {
  accept?: string;
  variables?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

function post(
  query: string,
  { accept = first, variables = {}, headers = {}, signal }: Asked = {},
  at = it,
) {
  return fetch(`${at.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
    body: JSON.stringify({ query, variables }),
    ...(signal === undefined ? {} : { signal }),
  });
}

const inParts = async (query: string, asked: Asked = {}, at = it) =>
  Array.fromAsync(readParts(await post(query, asked, at)));

const codes = (part: Part | undefined) =>
  [part, ...(part?.incremental ?? []), ...(part?.completed ?? [])].flatMap((each) =>
    (each?.errors ?? []).map(({ extensions }) => extensions.code),
  );

const costOf = (part: Part | undefined) =>
  part?.extensions?.cost as { requested: number; actual: number };

/** A lip-sync in the failure of a lip-sync, so many times. */
const within = (times: number): string =>
  times === 0
    ? 'id'
    : `failure { ... on OutcomeUnknownError { lipsync { ${within(times - 1)} } } }`;

/** Put together as a client does it. */
function together(parts: Part[]): unknown {
  const assembly = new Assembly();
  for (const part of parts) assembly.add(part);
  return assembly.data;
}

const lipsyncs = 'lipsyncs(first: 3)';

describe('works', () => {
  test('what is deferred is told in a part of its own, with its path and label', async () => {
    const [initial, last, ...others] = await inParts(
      '{ viewer { name } ... @defer(label: "later") { voices { __typename } } }',
    );
    expect(others).toEqual([]);
    expect(initial).toEqual({ data: { viewer: { name: 'anonymous' } }, hasNext: true });
    expect(last).toMatchObject({
      incremental: [{ data: { voices: { __typename: 'VoiceList' } }, path: [], label: 'later' }],
      hasNext: false,
    });
  });

  test('the items of a list are told as they are ready, behind the first ones', async () => {
    const parts = await inParts(
      `{ ${lipsyncs} { nodes @stream(initialCount: 1, label: "more") { id } } }`,
    );
    expect(parts[0]).toMatchObject({ data: { lipsyncs: { nodes: [{ id: expect.any(String) }] } } });
    const pieces = parts.flatMap(({ incremental = [] }) => incremental);
    expect(pieces).toMatchObject([
      { items: [{ id: expect.any(String) }], path: ['lipsyncs', 'nodes', 1], label: 'more' },
      { items: [{ id: expect.any(String) }], path: ['lipsyncs', 'nodes', 2], label: 'more' },
    ]);
    expect(parts.map(({ hasNext }) => hasNext).filter((each) => !each)).toHaveLength(1);
  });

  test('in the form of graphql-js 17 where that is asked for', async () => {
    const query = '{ viewer { name } ... @defer(label: "later") { voices { __typename } } }';
    const [initial, last] = await inParts(query, { accept: forms[2] ?? '' });
    expect(initial).toEqual({
      data: { viewer: { name: 'anonymous' } },
      pending: [{ id: '0', path: [], label: 'later' }],
      hasNext: true,
    });
    expect(last).toMatchObject({
      incremental: [{ id: '0', data: { voices: { __typename: 'VoiceList' } } }],
      completed: [{ id: '0' }],
      hasNext: false,
    });
  });

  const documents = [
    '{ viewer { name } ... @defer { voices { ... on VoiceList { nodes { id name } } } } }',
    '{ voices { ... on VoiceList { nodes @stream(initialCount: 2) { id ... @defer { name } } } } }',
    `{ ${lipsyncs} { nodes @stream { id ...L @defer } pageInfo { hasNextPage } } }
     fragment L on Lipsync { status voice { name ... @defer { previewUrl } } events(first: 5) { nodes @stream { sequence } } }`,
    `{ ${lipsyncs} { nodes { id ... @defer { id status ... @defer { text } } ... @defer { status reference } } } }`,
    '{ a: voice(id: "nothing") { ... @defer { name } } ... @defer { b: video(id: "nothing") { id } } }',
    '{ ... @defer { videos(first: 1000) { ... on InvalidInputError { code issues { path message } } } } }',
    '{ ... @defer { ... @defer { ... @defer { viewer { name scopes } } } } }',
  ];

  test.each(forms.flatMap((accept) => documents.map((query) => [accept, query] as const)))(
    '%s: the parts are together what is answered at once to others, and cost the same: %s',
    async (accept, query) => {
      const whole = (await (await post(query, { accept: 'application/json' })).json()) as Part;
      const parts = await inParts(query, { accept });
      expect(parts.length).toBeGreaterThan(1);
      expect(whole.errors).toBeUndefined();
      expect(together(parts)).toEqual(whole.data);
      const { requested, actual } = costOf(whole);
      expect(parts.at(-1)?.extensions?.cost).toMatchObject({ requested, actual });
      expect(parts.slice(0, -1).filter(({ extensions }) => extensions)).toEqual([]);
    },
  );

  test('what a mutation made is deferred, and the mutation runs once', async () => {
    const upload = `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) {
      __typename ... on CreateUploadSuccess { uploadUrl ... @defer { upload { state } } } } }`;
    const count = async () =>
      (await it.app.db.query<{ count: number }>('select count(*)::int as count from uploads'))[0]
        ?.count ?? 0;
    const before = await count();
    const [initial, last] = await inParts(upload);
    expect(initial).toMatchObject({
      data: { createUpload: { __typename: 'CreateUploadSuccess' } },
    });
    expect(last?.incremental).toMatchObject([{ data: { upload: { state: expect.any(String) } } }]);
    expect(await count()).toBe(before + 1);
  });

  test('GET is answered in parts too', async () => {
    const query = '{ viewer { name } ... @defer { voices { __typename } } }';
    const search = new URLSearchParams({ query });
    const response = await fetch(`${it.url}/graphql?${search}`, { headers: { accept: first } });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await Array.fromAsync(readParts(response))).toHaveLength(2);
  });

  test.each([
    ['multipart/mixed, application/json', 'multipart/mixed'],
    ['application/json, multipart/mixed', 'multipart/mixed'],
    [
      'application/graphql-response+json, application/json, text/event-stream, multipart/mixed',
      'multipart/mixed',
    ],
    ['multipart/mixed;deferSpec="20220824", application/json', 'multipart/mixed'],
    ['multipart/mixed;deferSpec=20200101, application/json', 'application/json'],
    ['multipart/mixed;incrementalSpec=v9, application/json', 'application/json'],
    ['multipart/mixed;q=0, application/json', 'application/json'],
    ['text/event-stream, multipart/mixed', 'text/event-stream'],
    ['*/*', 'application/json'],
  ])('Accept: %s is answered as %s', async (accept, type) => {
    const response = await post('{ viewer { name } ... @defer { voices { __typename } } }', {
      accept,
    });
    expect(response.headers.get('content-type')).toContain(type);
    const text = await response.text();
    expect([text.includes('hasNext'), text.includes('VoiceList')]).toEqual([
      type.startsWith('multipart'),
      true,
    ]);
  });

  test.each([
    ['{ voices { ... on VoiceList { nodes @stream(if: false) { id } } } }', {}],
    [
      'query ($later: Boolean!) { ... @defer(if: $later) { voices { __typename } } }',
      { later: false },
    ],
    ['{ viewer { name } ... @defer @skip(if: true) { voices { __typename } } }', {}],
  ])('what is not deferred comes at once: %s', async (query, variables) => {
    const response = await post(query, { accept: `${first}, application/json`, variables });
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({ data: {} });
  });

  test('over a WebSocket and in event streams all comes at once, as the specification allows', async () => {
    const query = '{ viewer { name } ... @defer { voices { __typename } } }';
    const whole = { viewer: { name: 'anonymous' }, voices: { __typename: 'VoiceList' } };
    const socket = await RawWebSocket.open(it.url);
    socket.subscribe('1', query);
    await socket.message(({ type }) => type === 'complete');
    expect(socket.messages.filter(({ id }) => id === '1')).toMatchObject([
      { type: 'next', payload: { data: whole } },
      { type: 'complete' },
    ]);
    socket.socket.close();
    for (const path of ['/graphql', '/graphql/stream']) {
      const response = await fetch(`${it.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query }),
      });
      const events = await Array.fromAsync(readEvents(response.body as ReadableStream<Uint8Array>));
      expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
      expect(JSON.parse(events[0]?.data ?? '')).toMatchObject({ data: whole });
    }
  });

  test('the schema shows the directives to clients, and not to a registry', async () => {
    const { data } = await it.ask<{ __schema: { directives: { name: string }[] } }>(
      '{ __schema { directives { name } } }',
    );
    expect(data?.__schema.directives.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['defer', 'stream', 'skip', 'include', 'oneOf']),
    );
    const { data: subgraph } = await it.ask<{ _service: { sdl: string } }>('{ _service { sdl } }');
    expect(subgraph?._service.sdl).not.toMatch(/@(defer|stream)\b/);
  });
});

const slow = '{ viewer { name } ... @defer { voices { ... on VoiceList { nodes { name } } } } }';

describe('does not wait', () => {
  test('for what is deferred: the rest is there before the upstream has answered', async () => {
    using waiting = await openWaitingUpstream();
    await using behind = await startTestApp({ upstream: waiting.upstream });
    const parts = readParts(await post(slow, {}, behind));
    expect((await parts.next()).value).toMatchObject({ data: { viewer: {} }, hasNext: true });
    (await waiting.asked).end('[{"speaker_id": "1", "display_name": "Emily"}]');
    expect((await parts.next()).value).toMatchObject({
      incremental: [{ data: { voices: { nodes: [{ name: 'Emily' }] } } }],
      hasNext: false,
    });
    expect((await parts.next()).done).toBe(true);
  });

  test('for anything where its client has left: what it read is given up', async () => {
    using waiting = await openWaitingUpstream();
    await using behind = await startTestApp({ upstream: waiting.upstream });
    const leaving = new AbortController();
    const parts = readParts(await post(slow, { signal: leaving.signal }, behind));
    await parts.next();
    await waiting.asked;
    leaving.abort();
    await expect(parts.next()).rejects.toThrow();
    await waiting.left;
    expect((await behind.ask('{ viewer { name } }')).data).toMatchObject({ viewer: {} });
    expect(behind.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('holds in each part what it holds in the whole', () => {
  test.each(forms)(
    '%s: a meant failure keeps its code where a field has no union',
    async (accept) => {
      const fail = { path: '/videos/*', status: 402, times: 10 };
      const id = encodeId('Voice', 'unheard-of');
      // Else the list that was read before would say that there is no such voice.
      aheadMs += 3_600_000;
      await it.turn({ failPath: fail });
      const query = `{ viewer { name } ... @defer { voice(id: "${id}") { name } } ... @defer { lipsyncs(first: 1000) { nodes { id } } } }`;
      const parts = await inParts(query, { accept });
      await it.turn({ failPath: null });
      expect(parts[0]).toMatchObject({ data: { viewer: {} } });
      expect(parts.flatMap(codes).toSorted()).toEqual(['INVALID_INPUT', 'SUBSCRIPTION_EXPIRED']);
      const [told] = parts.flatMap(({ incremental = [] }) =>
        incremental.flatMap(({ errors = [] }) => errors),
      );
      expect(told?.extensions).toHaveProperty('retryable', false);
    },
  );

  test('a failure of one item of a list is its own', async () => {
    const ids = [encodeId('Lipsync', 'x'), encodeId('Voice', '1')];
    const [initial, ...others] = await inParts(
      'query ($ids: [ID!]!) { nodes(ids: $ids) @stream { id } }',
      { variables: { ids } },
    );
    expect(initial).toMatchObject({ data: { nodes: [] } });
    expect(together([initial as Part, ...others])).toEqual({ nodes: [null, { id: ids[1] }] });
  });

  test.each(forms)(
    '%s: an unmeant error is masked, and found in the log by its request id',
    async (accept) => {
      await it.app.db.query('alter table lipsync_events rename to elsewhere');
      const query = `{ ${lipsyncs} { nodes { id ... @defer { events(first: 100) { nodes { cursor } } } } } }`;
      const requestId = `masked-${forms.indexOf(accept)}`;
      const parts = await inParts(query, { accept, headers: { 'x-request-id': requestId } });
      await it.app.db.query('alter table elsewhere rename to lipsync_events');
      expect(JSON.stringify(parts)).not.toMatch(/elsewhere|lipsync_events|relation/);
      expect(parts.flatMap(codes)).toEqual(
        Array.from({ length: 3 }, () => 'INTERNAL_SERVER_ERROR'),
      );
      expect(JSON.stringify(parts)).toContain(requestId);
      expect(
        it.logs.filter((line) => line.level === 'error' && line.requestId === requestId),
      ).toHaveLength(3);
      // What failed can't be measured, so nothing of it is given back.
      const { requested, actual } = costOf(parts.at(-1));
      expect([requested > 300, actual]).toEqual([true, requested]);
    },
  );

  test('scopes, as members of a union and as errors', async () => {
    await using guarded = await startTestApp({ env: keys });
    const query =
      '{ viewer { name } ... @defer { voices { __typename } accounts { __typename } node(id: "x") { id } } }';
    const signedIn = await inParts(query, { headers: as.reader }, guarded);
    expect(together(signedIn)).toMatchObject({
      voices: { __typename: 'VoiceList' },
      accounts: { __typename: 'NotAuthorizedError' },
    });
    const nobody = await inParts(query, {}, guarded);
    expect(together(nobody)).toMatchObject({ voices: { __typename: 'NotAuthenticatedError' } });
    expect(nobody.flatMap(codes)).toEqual(['NOT_AUTHENTICATED']);
  });

  test.each([
    ['{ viewer { name } ... @defer { __schema { description } } }', 'INTROSPECTION_REFUSED'],
    ['{ viewer { name } ... @defer { _service { sdl } } }', 'INTROSPECTION_REFUSED'],
    [
      '{ ... @defer { a: lipsyncs(first: 100) { nodes { ...E } } b: lipsyncs(first: 100) { nodes { ...E } } } } fragment E on Lipsync { events(first: 100) { nodes { cursor } } }',
      'COST_TOO_HIGH',
    ],
    [`{ ... @defer { lipsyncs { nodes { ${within(4)} } } } }`, 'DOCUMENT_TOO_DEEP'],
  ])('the refusal of the whole: %s', async (query, code) => {
    await using closed = await startTestApp({ env: { INTROSPECTION: 'false' } });
    const parts = await inParts(query, {}, closed);
    expect(parts).toHaveLength(1);
    expect(codes(parts[0])).toEqual([code]);
  });

  test('what an owner may spend: the part that comes last gives back what was not needed', async () => {
    const remaining = async () =>
      (
        await it.ask<{ viewer: { cost: { remaining: number } } }>(
          '{ viewer { cost { remaining } } }',
        )
      ).data?.viewer.cost.remaining ?? 0;
    const before = await remaining();
    const parts = await inParts(
      `{ ${lipsyncs} { nodes { id ... @defer { events(first: 100) { nodes { cursor } } } } } }`,
    );
    const { requested, actual } = costOf(parts.at(-1));
    expect([requested > 300, actual < 30]).toEqual([true, true]);
    await vi.waitFor(async () => expect(await remaining()).toBeGreaterThan(before - 100), patient);
  });
});

describe('refuses', () => {
  test.each([
    ['{ viewer @stream { name } }', '@stream is for lists, and "viewer" is none.'],
    [
      'mutation { ... @defer { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } } }',
      '@defer can not stand at a mutation itself.',
    ],
    [
      'subscription { lipsyncProgress(id: "x") { ... @defer { __typename } } }',
      'A subscription can not have @defer.',
    ],
    [
      'subscription { lipsyncProgress(id: "x") { ...F } } fragment F on LipsyncProgress { lipsync { events(first: 1) { nodes @stream { cursor } } } }',
      'A subscription can not have @stream.',
    ],
    [
      '{ ... @defer(label: "a") { viewer { name } } ... @defer(label: "a") { voices { __typename } } }',
      'The label of @defer is a text that no other has.',
    ],
    [
      'query ($label: String) { ... @defer(label: $label) { viewer { name } } }',
      'The label of @defer is a text that no other has.',
    ],
    [
      '{ voices { ... on VoiceList { nodes @stream(initialCount: null) { id } } } }',
      'Expected value of type "Int!", found null.',
    ],
    ['{ viewer @defer { name } }', 'Directive "@defer" may not be used on FIELD.'],
    [
      `{ viewer { ${'... @defer { name } '.repeat(11)} } }`,
      'A document has at most 10 @defer and @stream.',
    ],
  ])('%s', async (query, message) => {
    for (const accept of [first, 'application/json']) {
      const response = await post(query, { accept });
      const text = await response.text();
      expect(text).toContain(JSON.stringify(message).slice(1, -1));
      expect(text).toMatch(/GRAPHQL_VALIDATION_FAILED|TOO_MANY_DIRECTIVES/);
    }
  });

  test('fewer than no items to begin with', async () => {
    const query =
      'query ($n: Int! = -1) { voices { ... on VoiceList { nodes @stream(initialCount: $n) { id } } } }';
    const [refused] = await inParts(query);
    expect(codes(refused)).toEqual(['BAD_USER_INPUT']);
  });

  test('a subscription in parts', async () => {
    const response = await post('subscription { lipsyncProgress(id: "x") { __typename } }', {
      accept: first,
    });
    expect([response.status, (await response.json()) as object]).toMatchObject([
      406,
      { errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }] },
    ]);
  });
});
