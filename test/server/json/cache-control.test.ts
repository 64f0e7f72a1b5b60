import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '../../../src/graphql/ids.ts';
import { schema } from '../../../src/schema.ts';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type HttpResponse, sendRequest } from '../../support/http.ts';

const voices =
  '{ voices { __typename ... on VoiceList { nodes { id name } } ... on LipsyncError { code } } }';
const voiceId = encodeId('Voice', '1');
const friend = 'https://app.example.com';
const { env: keys, headers: as } = createApiKeys({
  reader: ['lipsync:read'],
  writer: ['lipsync:write'],
});

let it: TestApp;
/** How long the list of voices is cached. */
const voicesFreshMs = 60_000;

/** How far the clock of `it` is ahead. */
let aheadMs = 0;
let guarded: TestApp;
beforeAll(async () => {
  const now = () => new Date(Date.now() + aheadMs);
  it = await startTestApp({ env: { CORS_ORIGINS: friend }, now });
  guarded = await startTestApp({ env: keys });
});
afterAll(() => Promise.all([it?.stop(), guarded?.stop()]));

type Headers = Record<string, string>;

const get = (query: string, headers: Headers = {}, at = it): Promise<HttpResponse> =>
  sendRequest(at.url, { path: `/graphql?${new URLSearchParams({ query })}`, headers });

const cacheOf = ({ headers }: HttpResponse) => headers['cache-control'];
const tagOf = ({ headers }: HttpResponse) => String(headers.etag);

describe('works', () => {
  test('voices are cacheable for everyone, with a strong ETag and without cost', async () => {
    const answer = await get(voices);
    expect(answer.headers).toMatchObject({
      'cache-control': 'public, max-age=300',
      etag: expect.stringMatching(/^"[\w-]{43}"$/),
      vary: 'Origin, Authorization, Accept',
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    const { data, ...others } = JSON.parse(answer.text);
    expect(data.voices.nodes).toHaveLength(14);
    expect(others).toEqual({});
  });

  test.each([
    `{ voice(id: "${voiceId}") { name } }`,
    `{ __typename a: voices { __typename } b: voice(id: "${voiceId}") { id } }`,
    `query { ...F } fragment F on Query { voices { __typename } }`,
    '{ voice(id: "nothing") { name } }',
  ])('%s is cacheable too', async (query) => {
    expect(cacheOf(await get(query))).toBe('public, max-age=300');
  });

  test.each([
    ['the tag', (tag: string) => tag],
    ['one of several', (tag: string) => `"other", ${tag}`],
    ['the weak tag of a proxy that compresses', (tag: string) => `W/${tag}`],
    ['any', () => '*'],
  ])('a conditional request gets 304: %s', async (_, name) => {
    const first = await get(voices);
    const again = await get(voices, { 'if-none-match': name(tagOf(first)) });
    expect([again.status, again.text]).toEqual([304, '']);
    const { etag, vary, 'cache-control': cache } = first.headers;
    expect(again.headers).toMatchObject({ etag, vary, 'cache-control': cache });
  });

  test('a conditional request with other tags gets the whole response', async () => {
    const answer = await get(voices, { 'if-none-match': '"other", W/"another"' });
    expect([answer.status, answer.text.length > 0]).toEqual([200, true]);
  });

  test('the tag depends on the text and its content type, and on nothing else', async () => {
    const [one, same, typed, other] = await Promise.all([
      get(voices),
      get(voices),
      get(voices, { accept: 'application/graphql-response+json' }),
      get('{ voices { ... on VoiceList { nodes { id } } } }'),
    ]);
    expect(tagOf(same)).toBe(tagOf(one));
    expect(new Set([one, typed, other].map(tagOf)).size).toBe(3);
    const text = JSON.parse(one.text).data.voices.nodes[0].name;
    const body = { tts_list: [{ speaker_id: '1', display_name: `Not ${text}` }] };
    await it.turn({ failPath: { path: '/videos/voices', status: 200, body } });
    aheadMs += voicesFreshMs;
    const changed = await get(voices, { 'if-none-match': tagOf(one) });
    expect(changed.status).toBe(200);
    expect(tagOf(changed)).not.toBe(tagOf(one));
  });

  test('a response to a request with a token is private', async () => {
    const answer = await get(voices, as.reader, guarded);
    expect(JSON.parse(answer.text).data.voices.nodes).toHaveLength(14);
    expect(answer.headers).toMatchObject({
      'cache-control': 'private, max-age=300',
      vary: 'Origin, Authorization, Accept',
    });
    const again = await get(voices, { ...as.reader, 'if-none-match': tagOf(answer) }, guarded);
    expect(again.status).toBe(304);
    // Also where anonymous callers are allowed: a shared cache must not store responses to tokens.
    const needless = await get(voices, { authorization: 'Bearer wrong' });
    expect(cacheOf(needless)).not.toContain('public');
  });

  test('a response to a page of an allowed origin is cacheable too', async () => {
    const answer = await get(voices, { origin: friend });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': friend,
      'cache-control': 'public, max-age=300',
      vary: 'Origin, Authorization, Accept',
    });
  });

  test('a trusted document is cacheable by its documentId and by the hash of persisted queries', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-trusted-'));
    const path = join(folder, 'documents.json');
    const hash = createHash('sha256').update(voices).digest('hex');
    const named = 'query ($id: ID!) { voice(id: $id) { name } }';
    await writeFile(
      path,
      JSON.stringify({ voices, voice: named, [hash]: voices, mine: '{ viewer { name } }' }),
    );
    await using trusting = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    await rm(folder, { recursive: true });
    const ask = (params: Record<string, string>, headers: Headers = {}) =>
      sendRequest(trusting.url, { path: `/graphql?${new URLSearchParams(params)}`, headers });
    const first = await ask({ documentId: 'voices' });
    const persistedQuery = { version: 1, sha256Hash: hash };
    const apollo = await ask({ extensions: JSON.stringify({ persistedQuery }) });
    const one = await ask({ documentId: 'voice', variables: JSON.stringify({ id: voiceId }) });
    for (const answer of [first, apollo, one]) {
      expect([answer.status, cacheOf(answer)]).toEqual([200, 'public, max-age=300']);
    }
    expect(tagOf(apollo)).toBe(tagOf(first));
    const again = await ask({ documentId: 'voices' }, { 'if-none-match': tagOf(first) });
    expect(again.status).toBe(304);
    for (const documentId of ['mine', 'unknown']) {
      const answer = await ask({ documentId });
      expect([cacheOf(answer), answer.headers.etag]).toEqual(['no-store', undefined]);
    }
  });
});

/** The smallest query of a field: with its required arguments and `__typename`. */
function ask({ name, args, type }: GraphQLField<unknown, unknown>): string {
  const given = args
    .filter((arg) => isNonNullType(arg.type) && arg.defaultValue === undefined)
    .map((arg) => `${arg.name}: ${/\[/.test(String(arg.type)) ? '[]' : '"x"'}`);
  const call = given.length === 0 ? name : `${name}(${given.join(', ')})`;
  return isLeafType(getNamedType(type)) ? `{ ${call} }` : `{ ${call} { __typename } }`;
}

/** All types that are reachable from this one. */
function reachable(type: GraphQLNamedType, found = new Set<string>()): Set<string> {
  if (found.has(type.name) || isLeafType(type)) return found;
  found.add(type.name);
  if (isAbstractType(type)) {
    for (const each of schema.getPossibleTypes(type)) reachable(each, found);
  }
  if (isObjectType(type)) {
    for (const field of Object.values(type.getFields())) reachable(getNamedType(field.type), found);
  }
  return found;
}

describe('keeps out', () => {
  const fields = Object.values(schema.getQueryType()?.getFields() ?? {});

  test('every query field but the voices from caches', async () => {
    const answers = await Promise.all(
      fields.map(async (field) => [field.name, cacheOf(await get(ask(field)))] as const),
    );
    expect(answers.length).toBeGreaterThan(10);
    const kept = answers.filter(([, cache]) => cache !== 'no-store');
    expect(kept).toEqual([
      ['voice', 'public, max-age=300'],
      ['voices', 'public, max-age=300'],
    ]);
  });

  test('data of one caller: no cacheable type leads to it', () => {
    const shared = fields.filter(({ name }) => name === 'voice' || name === 'voices');
    const types = shared.flatMap(({ type }) => [...reachable(getNamedType(type))]);
    const others = [...new Set(types)].filter((name) => !/Error$|^InputIssue$/.test(name));
    expect(others.toSorted()).toEqual(['Voice', 'VoiceList', 'VoicesResult']);
  });

  test.each([
    '{ voices { __typename } viewer { name } }',
    '{ viewer { name } voices { __typename } }',
    `{ voices { __typename } node(id: "${voiceId}") { id } }`,
    '{ voices { __typename } lipsyncs { nodes { id } } }',
    '{ voices { __typename } __schema { queryType { name } } }',
    '{ voices { __typename } lipsyncs(first: 1000) { nodes { id } } }',
  ])('other fields beside cacheable ones: %s', async (query) => {
    const answer = await get(query, { 'if-none-match': '*' });
    expect([answer.status, cacheOf(answer), answer.headers.etag]).toEqual([
      200,
      'no-store',
      undefined,
    ]);
  });

  test('failures, as data and as errors', async () => {
    const failing = (query: string) =>
      it
        .turn({ failPath: { path: '/videos/voices', status: 401, times: 1 } })
        .then(() => get(query));
    aheadMs += voicesFreshMs;
    const inUnion = await failing(voices);
    expect(JSON.parse(inUnion.text).data.voices.__typename).toBe('UpstreamUnauthorizedError');
    // Otherwise the cached list would answer that the voice does not exist.
    aheadMs += 3_600_000;
    const inErrors = await failing(`{ voice(id: "${encodeId('Voice', 'new')}") { name } }`);
    expect(JSON.parse(inErrors.text).errors).toHaveLength(1);
    // Requests of the same moment would share that failure.
    aheadMs += 1_000;
    const nothing = { path: '/videos/voices', status: 200, body: { tts_list: [] } };
    await it.turn({ failPath: nothing });
    const empty = await get(voices);
    expect(JSON.parse(empty.text).data.voices.nodes).toEqual([]);
    for (const answer of [inUnion, inErrors, empty]) expect(cacheOf(answer)).toBe('no-store');
    expect(cacheOf(await get(voices))).toContain('public');
  });

  test('the failure of a caller without the scope', async () => {
    for (const headers of [{}, as.writer, { authorization: 'Bearer wrong' }] as Headers[]) {
      const answer = await get(voices, headers, guarded);
      expect(JSON.parse(answer.text).data.voices.__typename).toMatch(/^NotAuth/);
      expect([cacheOf(answer), answer.headers.etag]).toEqual(['no-store', undefined]);
    }
  });

  test('responses to POST, event streams and pages', async () => {
    const body = JSON.stringify({ query: voices });
    const headers = { 'content-type': 'application/json' };
    const post = await sendRequest(it.url, { method: 'POST', path: '/graphql', headers, body });
    const stream = await get(voices, { accept: 'text/event-stream' });
    const page = await get(voices, { accept: 'text/html' });
    expect([post, stream, page].map(cacheOf)).toEqual([
      'no-store',
      expect.stringMatching(/^no-cache/),
      'no-store',
    ]);
  });
});
