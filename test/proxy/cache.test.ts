import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type HttpResponse, sendRequest } from '../support/http.ts';
import { createUpload } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';
import { startNginx } from './nginx.ts';

const voices = '{ voices { __typename ... on VoiceList { nodes { id name } } } }';
const { env, headers: as } = createApiKeys({ reader: ['lipsync:read'] });

let it: TestApp;
let nginx: Awaited<ReturnType<typeof startNginx>>;
beforeAll(async () => {
  // Voices are always asked for, so that their failure is seen at once.
  it = await startTestApp({ env: { ...env, ALLOW_ANONYMOUS: 'true', READ_FRESH_MS: '0' } });
  nginx = await startNginx(it.url);
});
afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]();
  await it?.stop();
});

const get = (query: string, headers: Record<string, string> = {}): Promise<HttpResponse> =>
  sendRequest(nginx.url, { path: `/graphql?${new URLSearchParams({ query })}`, headers });

const from = ({ headers }: HttpResponse) => headers['x-cache'];

/** The number of requests that reached this server. */
const countAsked = () => it.logs.filter(({ msg }) => msg === 'request').length;

test('the proxy answers the second query for voices from its cache', async () => {
  const first = await get(voices);
  const asked = countAsked();
  const second = await get(voices);
  expect([from(first), from(second)]).toEqual(['MISS', 'HIT']);
  expect(second.text).toBe(first.text);
  expect(JSON.parse(second.text).data.voices.nodes).toHaveLength(14);
  expect(countAsked()).toBe(asked);
  const known = await get(voices, { 'if-none-match': String(first.headers.etag) });
  expect([known.status, known.text, countAsked()]).toEqual([304, '', asked]);
});

test('answers to requests with a token and without one are never mixed', async () => {
  const query = '{ voices { __typename ... on VoiceList { nodes { name } } } }';
  const asked: [string, Record<string, string>][] = [
    ['MISS', as.reader],
    ['MISS', as.reader],
    ['MISS', {}],
    ['HIT', {}],
    ['MISS', as.reader],
    ['MISS', { authorization: 'Bearer wrong' }],
    ['HIT', {}],
  ];
  for (const [expected, headers] of asked) {
    const answer = await get(query, headers);
    expect([from(answer), headers]).toEqual([expected, headers]);
    const { __typename: type } = JSON.parse(answer.text).data.voices;
    expect(type).toBe(
      /wrong/.test(headers.authorization ?? '') ? 'NotAuthenticatedError' : 'VoiceList',
    );
  }
});

test('each media type has its own cache entry', async () => {
  const query = '{ voices { ... on VoiceList { nodes { id } } } }';
  const accept = 'application/graphql-response+json';
  expect([from(await get(query)), from(await get(query, { accept }))]).toEqual(['MISS', 'MISS']);
  const again = await get(query, { accept });
  expect([from(again), again.headers['content-type']]).toEqual(['HIT', `${accept}; charset=utf-8`]);
});

test.each([
  '{ viewer { name } }',
  '{ lipsyncs { nodes { id } } }',
  '{ voices { __typename } viewer { name } }',
  '{ videos(first: 1) { __typename } }',
  '{ nothing }',
])('%s is never cached', async (query) => {
  for (const headers of [{}, {}, as.reader, as.reader]) {
    expect(from(await get(query, headers))).toBe('MISS');
  }
});

test('a failure is never cached', async () => {
  const query = `{ voices { __typename } } # ${randomUUID()}`;
  await it.turn({ failPath: { path: '/videos/voices', status: 402 } });
  expect((await get(query)).text).toContain('SubscriptionExpiredError');
  const healed = await get(query);
  expect([from(healed), healed.text]).toEqual(['MISS', expect.stringContaining('VoiceList')]);
});

test('uploads are passed on, and internal endpoints are not', async () => {
  const path = new URL((await createUpload(it)).url).pathname;
  const body = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
  expect((await sendRequest(nginx.url, { method: 'PUT', path, body })).status).toBe(200);
  for (const inside of ['/metrics', '/livez', '/readyz']) {
    expect((await sendRequest(nginx.url, { path: inside })).status).toBe(404);
  }
});
