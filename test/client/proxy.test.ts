import { createHash } from 'node:crypto';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { makeLipsync, serverSentEvents, viewer } from 'lipsync-graphql-client';
import { createProxy } from 'lipsync-graphql-client/server';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';

const key = 'a-key-that-no-page-may-see';
const hash = createHash('sha256').update(key).digest('hex');
const scopes = 'lipsync:read lipsync:write videos:read';

let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { API_KEYS: `web:${hash}:${scopes}` } });
});
afterAll(() => app.stop());

/** Signed in is who has a session cookie. */
const authenticate = ({ headers }: Request) =>
  headers.get('cookie') === 'session=anna' ? { token: key } : null;

const proxy = (options = {}) =>
  createProxy({ url: `${app.url}/graphql`, authenticate, ...options });

const query = JSON.stringify({ query: '{ viewer { name } }' });
const ask = (headers: Record<string, string> = {}, init: RequestInit = {}) =>
  new Request('https://app.example/api/graphql', {
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

  test('replaces the token of the page, and passes neither its cookies nor those of the server', async () => {
    const upstream = vi.fn(
      async (..._given: Parameters<typeof fetch>) =>
        new Response('{}', {
          headers: { 'set-cookie': 'a=b', 'content-type': 'application/json' },
        }),
    );
    const response = await proxy({ fetch: upstream })(ask({ authorization: 'Bearer forged' }));
    const sent = new Headers(upstream.mock.calls[0]?.[1]?.headers);
    expect(sent.get('authorization')).toBe(`Bearer ${key}`);
    expect(sent.has('cookie')).toBe(false);
    expect(response.headers.has('set-cookie')).toBe(false);
  });
});

describe('refuses', () => {
  test.each([
    ['a caller without a session', () => ask({ cookie: '' }), 401],
    ['a form of another site', () => ask({ 'content-type': 'text/plain' }), 415],
    ['a page of another site', () => ask({ 'sec-fetch-site': 'cross-site' }), 403],
    [
      'a GET request',
      () => new Request('https://app.example/api/graphql?query={viewer{name}}'),
      405,
    ],
  ])('%s, without asking the server', async (_, request, status) => {
    const upstream = vi.fn<typeof fetch>();
    const response = await proxy({ fetch: upstream })(request());
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: expect.stringMatching(/^[A-Z_]+$/) } }],
    });
    expect(upstream).not.toHaveBeenCalled();
  });

  test('answers 502 without details when the server cannot be reached', async () => {
    const upstream = vi.fn<typeof fetch>().mockRejectedValue(new TypeError('10.0.0.1 refused'));
    const response = await proxy({ fetch: upstream })(ask());
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('10.0.0.1');
  });
});
