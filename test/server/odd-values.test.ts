import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { send } from './send.ts';

const keys = createApiKeys({ videos: ['videos:read'], reader: ['lipsync:read'] });

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { ...keys.env, ALLOW_ANONYMOUS: 'true' } });
});
afterAll(() => it?.stop());

describe('an instant outside of the years that the database has', () => {
  const instants = [
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59-23:59',
    '0001-01-01T00:00:00+00:01',
  ];
  const places = [
    '{ lipsyncs(filter: { createdAfter: $at }) { nodes { id } } }',
    '{ videos(filter: { createdBefore: $at }) { __typename } }',
    'mutation { createLipsync(input: { video: { id: "x" }, speech: { text: { text: "x" } }, expiresAt: $at }) { __typename } }',
  ];

  test.each(instants)('%s was an error of ours', async (at) => {
    for (const place of places) {
      const written = await it.ask(place.replace('$at', JSON.stringify(at)));
      const [kind, rest] = place.startsWith('{') ? ['query', place] : ['mutation', place.slice(8)];
      const sent = await it.ask(`${kind} ($at: DateTime) ${rest}`, { at });
      for (const { data, errors } of [written, sent]) {
        expect(data ?? null).toBeNull();
        expect(errors?.[0]?.extensions?.code).toMatch(/BAD_USER_INPUT|VALIDATION_FAILED/);
        expect(errors?.[0]?.message).toContain('years 1 to 9999');
      }
    }
  });

  test.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])('%s is one', async (at) => {
    const query =
      'query ($at: DateTime) { lipsyncs(filter: { createdAfter: $at }) { nodes { id } } }';
    expect(await it.ask(query, { at })).toMatchObject({ data: { lipsyncs: { nodes: [] } } });
  });
});

describe('a null that only a variable brings', () => {
  const secret = 'a password in the document';
  test.each<[string, string]>([
    ['an id that is needed', 'query ($a: ID = "x") { lipsync(id: $a) { id } }'],
    [
      'one of an input',
      'mutation ($a: ID) { createLipsync(input: { video: { id: $a }, speech: { text: { text: "x" } } }) { __typename } }',
    ],
    [
      'one beside a secret',
      `mutation ($a: ID = "x") { reconnectAccount(input: { accountId: $a, password: "${secret}" }) { __typename } }`,
    ],
  ])('%s is refused with a code, and without what was written', async (_, query) => {
    const { errors } = await it.ask(query, { a: null });
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    expect(JSON.stringify([errors, it.logs])).not.toContain(secret);
  });

  test('also where it is watched', async () => {
    const query = 'subscription ($a: ID = "x") { lipsyncProgress(id: $a) { __typename } }';
    const events = await Array.fromAsync(it.watchSse(query, { a: null }));
    expect(events.map(({ data }) => data.errors?.[0]?.extensions?.code)).toEqual([
      'BAD_USER_INPUT',
    ]);
  });
});

describe('an id of a type that the caller may not ask for', () => {
  const voice = Buffer.from('Voice:1').toString('base64url');

  test('is told apart from a missing one', async () => {
    const query = `{ node(id: "${voice}") { id } nodes(ids: ["${voice}", "rubbish"]) { id } }`;
    const { data, errors } = await it.ask(query, {}, keys.headers.videos);
    expect(data).toEqual({ node: null, nodes: [null, null] });
    expect(errors?.map(({ path, extensions }) => [path, extensions?.code])).toEqual([
      [['node'], 'NOT_AUTHORIZED'],
      [['nodes', 0], 'NOT_AUTHORIZED'],
    ]);
    const allowed = await it.ask(query, {}, keys.headers.reader);
    expect(allowed).toMatchObject({ data: { node: { id: voice }, nodes: [{ id: voice }, null] } });
    expect(allowed.errors).toBeUndefined();
  });
});

describe('a request of an answer’s type', () => {
  test('is refused in words', async () => {
    const { status, text } = await send(it.url, {
      method: 'POST',
      path: '/graphql',
      headers: { 'content-type': 'application/graphql-response+json' },
      body: '{"query":"{ viewer { name } }"}',
    });
    expect(status).toBe(415);
    expect(JSON.parse(text).errors[0].extensions.code).toBe('UNSUPPORTED_CONTENT_TYPE');
  });
});

describe('a link from another site', () => {
  const link = {
    accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
  const follow = (headers: Record<string, string>, url = it.url) =>
    send(url, { method: 'GET', path: '/graphql', headers });

  test('leads to GraphiQL, and no frame, picture or program does', async () => {
    const page = await follow(link);
    expect([page.status, page.headers['content-type']]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
    expect((await follow({ ...link, 'sec-fetch-dest': 'iframe' })).status).toBe(403);
    expect((await follow({ ...link, 'sec-fetch-mode': 'no-cors' })).status).toBe(403);
    expect((await follow({ ...link, accept: 'application/json' })).status).toBe(403);
  });

  test('leads nowhere where there is no GraphiQL', async () => {
    await using other = await startTestApp({ env: { GRAPHIQL: 'false' } });
    expect((await follow(link, other.url)).status).toBe(403);
  });
});
