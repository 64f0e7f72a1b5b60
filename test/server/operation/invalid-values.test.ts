import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';

const keys = createApiKeys({ videos: ['videos:read'], reader: ['lipsync:read'] });

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { ...keys.env, ALLOW_ANONYMOUS: 'true' } });
});
afterAll(() => it?.stop());

describe('an instant outside the years that the database can store', () => {
  const instants = [
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59-23:59',
    '0001-01-01T00:00:00+00:01',
  ];
  const operations = [
    '{ lipsyncs(filter: { createdAfter: $at }) { nodes { id } } }',
    '{ videos(filter: { createdBefore: $at }) { __typename } }',
    'mutation { createLipsync(input: { video: { videoId: "x" }, speech: { script: { text: "x" } }, expiresAt: $at }) { __typename } }',
  ];

  test.each(instants)(
    '%s is rejected with the allowed years, as a literal and as a variable',
    async (at) => {
      for (const operation of operations) {
        const written = await it.ask(operation.replace('$at', JSON.stringify(at)));
        const [kind, rest] = operation.startsWith('{')
          ? ['query', operation]
          : ['mutation', operation.slice(8)];
        const sent = await it.ask(`${kind} ($at: DateTime) ${rest}`, { at });
        for (const { data, errors } of [written, sent]) {
          expect(data ?? null).toBeNull();
          expect(errors?.[0]?.extensions?.code).toMatch(/BAD_USER_INPUT|VALIDATION_FAILED/);
          expect(errors?.[0]?.message).toContain('years 1 to 9999');
        }
      }
    },
  );

  test.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])('%s is accepted', async (at) => {
    const query =
      'query ($at: DateTime) { lipsyncs(filter: { createdAfter: $at }) { nodes { id } } }';
    expect(await it.ask(query, { at })).toMatchObject({ data: { lipsyncs: { nodes: [] } } });
  });
});

describe('a null from a variable', () => {
  const secret = 'a password in the document';
  test.each<[string, string]>([
    ['for a required id', 'query ($a: ID = "x") { lipsync(id: $a) { id } }'],
    [
      'in an input object',
      'mutation ($a: ID) { createLipsync(input: { video: { videoId: $a }, speech: { script: { text: "x" } } }) { __typename } }',
    ],
    [
      'beside a secret',
      `mutation ($a: ID = "x") { reconnectAccount(input: { accountId: $a, password: "${secret}" }) { __typename } }`,
    ],
  ])(
    '%s is rejected with a code, and the message does not quote the argument',
    async (_, query) => {
      const { errors } = await it.ask(query, { a: null });
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
      expect(JSON.stringify([errors, it.logs])).not.toContain(secret);
    },
  );

  test('is rejected in a subscription too', async () => {
    const query = 'subscription ($a: ID = "x") { lipsyncProgress(id: $a) { __typename } }';
    const events = await Array.fromAsync(it.watchSse(query, { a: null }));
    expect(events.map(({ data }) => data.errors?.[0]?.extensions?.code)).toEqual([
      'BAD_USER_INPUT',
    ]);
  });
});

describe('an id of a type that the caller has no scope for', () => {
  const voice = Buffer.from('Voice:1').toString('base64url');

  test('is NOT_AUTHORIZED, and a missing one is null', async () => {
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

describe('a request with the content type of a response', () => {
  test('is rejected with UNSUPPORTED_CONTENT_TYPE', async () => {
    const { status, text } = await sendRequest(it.url, {
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
    sendRequest(url, { method: 'GET', path: '/graphql', headers });

  test('opens GraphiQL; frames, images and scripts of another site do not', async () => {
    const page = await follow(link);
    expect([page.status, page.headers['content-type']]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
    expect((await follow({ ...link, 'sec-fetch-dest': 'iframe' })).status).toBe(403);
    expect((await follow({ ...link, 'sec-fetch-mode': 'no-cors' })).status).toBe(403);
    expect((await follow({ ...link, accept: 'application/json' })).status).toBe(403);
  });

  test('is rejected if GraphiQL is off', async () => {
    await using other = await startTestApp({ env: { GRAPHIQL: 'false' } });
    expect((await follow(link, other.url)).status).toBe(403);
  });
});
