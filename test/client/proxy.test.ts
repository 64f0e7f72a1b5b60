import { createHash } from 'node:crypto';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import {
  createLipsync,
  getLipsync,
  makeLipsync,
  serverSentEvents,
  viewer,
  watchLipsync,
} from 'lipsync-graphql-client';
import { createProxy, signUserToken, type UserTokenClaims } from 'lipsync-graphql-client/server';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';

/** The proxy, for pages. */
const endpoint = 'https://app.example/api/graphql';
const key = 'a-key-that-no-page-may-see';
const hash = createHash('sha256').update(key).digest('hex');
const secret = 'a-secret-that-both-servers-know-0123456789';
const keyScopes = 'lipsync:read lipsync:write videos:read';

let app: LipsyncApp;
beforeAll(async () => {
  const env = {
    API_KEYS: `web:${hash}:${keyScopes}`,
    AUTH_JWT_SECRET: `an-older-${secret},${secret}`,
    STREAMS_PER_CALLER: '100',
  };
  app = await startLipsyncApp({ env });
});
afterAll(() => app.stop());

/** A request with a session cookie is signed in. */
const authenticate = ({ headers }: Request) =>
  headers.get('cookie') === 'session=anna' ? { token: key } : null;

const proxy = (options = {}) =>
  createProxy({ url: `${app.url}/graphql`, authenticate, ...options });

/** The same, with a token of each user. */
const authenticateUser = async ({ headers }: Request) => {
  const [, subject] = /^session=(\w+)$/.exec(headers.get('cookie') ?? '') ?? [];
  if (subject === undefined) return null;
  const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;
  return { token: await signUserToken({ subject, scopes }, secret) };
};

/** A page of a user, whose requests are handled without a network between the page and the proxy. */
function pageOf(user: string, options = {}) {
  const handler = proxy({ authenticate: authenticateUser, ...options });
  return {
    url: endpoint,
    headers: { cookie: `session=${user}` },
    transport: serverSentEvents(),
    fetch: (url: RequestInfo | URL, init?: RequestInit) => handler(new Request(url, init)),
  };
}

const inputOf = async (text: string) => {
  const [videoId = ''] = await app.listVideoIds();
  return { video: { videoId }, speech: { script: { text } } };
};

const query = JSON.stringify({ query: '{ viewer { name } }' });
const ask = (headers: Record<string, string> = {}, init: RequestInit = {}) =>
  new Request(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie: 'session=anna', ...headers },
    body: query,
    ...init,
  });

describe('works', () => {
  test('the client makes a video through it, with the key of the proxy', async () => {
    const handler = proxy();
    const api = new Hono().post('/api/graphql', ({ req }) => handler(req.raw));
    const [server, port] = await new Promise<[ReturnType<typeof serve>, number]>((resolve) => {
      const listening = serve({ fetch: api.fetch, port: 0 }, (address) =>
        resolve([listening, address.port]),
      );
    });
    const target = {
      url: `http://127.0.0.1:${port}/api/graphql`,
      headers: { cookie: 'session=anna' },
      transport: serverSentEvents(),
    };
    expect(await viewer(target)).toMatchObject({ name: 'web', authenticated: true });
    const [videoId = ''] = await app.listVideoIds();
    const input = { video: { videoId }, speech: { script: { text: 'Hello.' } } };
    const end = await makeLipsync(target, input);
    expect(end.outcome).toBe('COMPLETED');
    await new Promise((resolve) => server.close(resolve));
  });

  test('each user is an owner of its own, with its own lip-syncs and streams', async () => {
    const [anna, ben] = [pageOf('anna'), pageOf('ben')];
    expect(await viewer(anna)).toMatchObject({
      name: 'anna',
      scopes: ['LIPSYNC_READ', 'LIPSYNC_WRITE', 'VIDEOS_READ'],
    });
    const end = await makeLipsync(anna, await inputOf('Hello from Anna.'));
    expect(end).toMatchObject({ outcome: 'COMPLETED' });
    const id = 'lipsync' in end ? (end.lipsync?.id ?? '') : '';
    expect(await getLipsync(anna, id)).toMatchObject({ text: 'Hello from Anna.' });
    expect(await getLipsync(ben, id)).toMatchObject({ __typename: 'NotFoundError' });
    const { value } = await watchLipsync(ben, id).next();
    expect(value).toMatchObject({ __typename: 'NotFoundError' });
  });

  test("a multipart subscription passes it part by part, and the page's abort ends it at the server", async () => {
    const page = pageOf('carla');
    const answer = await createLipsync(page, await inputOf('[[never]] Hello.'));
    const id = 'lipsync' in answer ? answer.lipsync.id : '';
    const abort = new AbortController();
    const response = await page.fetch(page.url, {
      method: 'POST',
      headers: {
        ...page.headers,
        'content-type': 'application/json',
        accept: 'multipart/mixed;subscriptionSpec=1.0,application/json',
      },
      body: JSON.stringify({
        query:
          'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { sequence } } }',
        variables: { id },
      }),
      signal: abort.signal,
    });
    expect(response.headers.get('content-type')).toContain('multipart/mixed');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const first = await reader?.read();
    expect(first?.value).toContain('"payload"');
    const openStreams = async () => {
      const { openStreams: allowance } = (await viewer(page)) as { openStreams: { used: number } };
      return allowance.used;
    };
    expect(await openStreams()).toBe(1);
    abort.abort();
    await vi.waitFor(async () => expect(await openStreams()).toBe(0), { timeout: 60_000 });
  });

  test('passes what GraphQL needs in both directions, and no credentials and hop-by-hop headers', async () => {
    const private_ = {
      cookie: 'session=anna',
      'proxy-authorization': 'Basic YQ==',
      'x-api-key': 'a key of the application',
      'x-forwarded-for': '10.0.0.1',
      connection: 'keep-alive',
      te: 'trailers',
      baggage: 'user=anna',
      origin: 'https://app.example',
    };
    const traced = { traceparent: '00-1-2-01', tracestate: 'a=b', 'x-request-id': 'r1' };
    const upstream = vi.fn(
      async (..._given: Parameters<typeof fetch>) =>
        new Response('{}', {
          headers: {
            'content-type': 'application/json',
            'retry-after': '5',
            'x-request-id': 'r1',
            'set-cookie': 'a=b',
            'www-authenticate': 'Bearer',
            'access-control-allow-origin': '*',
            'transfer-encoding': 'chunked',
            'keep-alive': 'timeout=5',
            server: 'a name and version',
          },
        }),
    );
    const request = ask({ ...private_, ...traced, authorization: 'Bearer forged' });
    const response = await proxy({ fetch: upstream })(request);
    const sent = new Headers(upstream.mock.calls[0]?.[1]?.headers);
    expect(Object.fromEntries(sent)).toEqual({
      ...traced,
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
    });
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'application/json',
      'retry-after': '5',
      'x-request-id': 'r1',
      'x-accel-buffering': 'no',
    });
  });
});

describe('refuses', () => {
  test.each([
    ['a caller without a session', () => ask({ cookie: '' }), 401],
    ['a form of another site', () => ask({ 'content-type': 'text/plain' }), 415],
    ['a page of another site', () => ask({ 'sec-fetch-site': 'cross-site' }), 403],
    ['a GET request', () => new Request(`${endpoint}?query={viewer{name}}`), 405],
    ['a body that declares more than 1 MB', () => ask({ 'content-length': '1000001' }), 413],
    ['a body of more than 1 MB', () => ask({}, { body: ' '.repeat(1_000_001) }), 413],
  ])('%s, without asking the server', async (_, request, status) => {
    const upstream = vi.fn<typeof fetch>();
    const response = await proxy({ fetch: upstream })(request());
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: expect.stringMatching(/^[A-Z_]+$/) } }],
    });
    expect(upstream).not.toHaveBeenCalled();
  });

  // It was once taken for a lost connection, and retried for minutes.
  test('a user who is not signed in: each function returns the failure at once, as for an invalid token', async () => {
    const retried = vi.fn();
    const page = { ...pageOf('nobody', { authenticate: () => null }), hooks: { onRetry: retried } };
    const failure = { __typename: 'NotAuthenticatedError', code: 'NOT_AUTHENTICATED' };
    expect(await viewer(page)).toMatchObject(failure);
    expect(await makeLipsync(page, await inputOf('Hello.'))).toMatchObject({
      outcome: 'REFUSED',
      failure,
    });
    expect(await watchLipsync(page, 'a lip-sync').next()).toMatchObject({ value: failure });
    expect(retried).not.toHaveBeenCalled();
  });

  test('answers 502 without details when the server cannot be reached', async () => {
    const upstream = vi.fn<typeof fetch>().mockRejectedValue(new TypeError('10.0.0.1 refused'));
    const response = await proxy({ fetch: upstream })(ask());
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('10.0.0.1');
  });

  test.each<[string, Partial<UserTokenClaims>, string]>([
    ['an empty subject', { subject: '' }, secret],
    ['a subject of 256 characters', { subject: 'a'.repeat(256) }, secret],
    ['a subject with a line break', { subject: 'a\nb' }, secret],
    ['a lifetime of none', { expiresInSeconds: 0 }, secret],
    ['a lifetime of a part of a second', { expiresInSeconds: 0.5 }, secret],
    ['a short secret', {}, 'x'.repeat(31)],
    ['a list of secrets', {}, `${secret},${secret}`],
  ])('to sign a token for %s', async (_, claims, given) => {
    await expect(signUserToken({ subject: 'anna', ...claims }, given)).rejects.toThrow(TypeError);
  });

  test('a token of another secret, and one that has expired', async () => {
    const other = await signUserToken({ subject: 'anna' }, 'x'.repeat(32));
    const foreign = pageOf('anna', { authenticate: () => ({ token: other }) });
    expect(await viewer(foreign)).not.toMatchObject({ name: 'anna' });
    vi.useFakeTimers({ now: Date.now() - 60_000, toFake: ['Date'] });
    const old = await signUserToken({ subject: 'anna', expiresInSeconds: 30 }, secret);
    vi.useRealTimers();
    const late = pageOf('anna', { authenticate: () => ({ token: old }) });
    expect(await viewer(late)).not.toMatchObject({ name: 'anna' });
  });
});
