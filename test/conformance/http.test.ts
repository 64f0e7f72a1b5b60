import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { sendRequest } from '../support/http.ts';
import { readMarkdown } from '../support/markdown.ts';
import { type Audited, auditHttp, failuresOf, renderTable, summarize } from './audit.ts';
import { createSettings, trustedDocuments } from './settings.ts';

const json = { 'content-type': 'application/json' };
const query = '{ viewer { name } }';
const upload = `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }`;

const folder = await mkdtemp(join(tmpdir(), 'lipsync-conformance-'));
afterAll(() => rm(folder, { recursive: true }));

describe('works', () => {
  const audited: Audited[] = [];

  beforeAll(async () => {
    const documents = join(folder, 'documents.json');
    await writeFile(documents, trustedDocuments);
    const ofEach = await Promise.all(
      createSettings(documents).map(async ({ env, callers }) => {
        await using it = await startTestApp({ env });
        const found: Audited[] = [];
        for (const caller of callers) {
          const verdicts = await auditHttp({ ...caller, url: it.url });
          found.push({ caller: caller.name, verdicts });
        }
        return found;
      }),
    );
    audited.push(...ofEach.flat());
  }, 120_000);

  test('passes every rule of the GraphQL over HTTP audits, for every caller', () => {
    expect(failuresOf(audited)).toEqual([]);
    expect(renderTable(audited)).not.toContain('BROKEN');
  });

  test('docs/conformance.md has the same counts', async () => {
    const { rows } = readMarkdown(await readFile('docs/conformance.md', 'utf8'));
    const [head, ...counts] = rows.slice(0, audited.length + 1);
    expect(head).toEqual(['', 'MUST', 'SHOULD', 'MAY']);
    expect(counts).toEqual(summarize(audited));
  });

  test('a broken rule is found and shown', async () => {
    await using it = await startTestApp();
    const verdicts = await auditHttp({ name: 'any', url: `${it.url}/nothing` });
    const broken = failuresOf([{ caller: 'any', verdicts }]);
    expect(broken).toContain(
      'any: 4655 MUST accept application/json and match the content-type: Response status code is not 200',
    );
    expect(renderTable([{ caller: 'any', verdicts }])).toMatch(/4655 +MUST +BROKEN/);
  });
});

describe('beyond the audits', () => {
  let it: TestApp;
  beforeAll(async () => {
    it = await startTestApp();
  });
  afterAll(() => it?.stop());

  const post = (headers: Record<string, string>, body = JSON.stringify({ query })) =>
    sendRequest(it.url, {
      method: 'POST',
      path: '/graphql',
      headers: { ...json, ...headers },
      body,
    });
  const codeOf = (text: string): unknown => JSON.parse(text).errors[0].extensions.code;
  const countUploads = () =>
    it.app.db
      .query<{ count: number }>('select count(*)::int as count from uploads')
      .then(([row]) => row?.count);

  test.each([
    [
      'application/json;q=0.5, application/graphql-response+json',
      'application/graphql-response+json',
    ],
    [
      'application/json;q=0, application/graphql-response+json',
      'application/graphql-response+json',
    ],
    ['application/graphql-response+json;q=0.9, application/json', 'application/json'],
    [
      'application/graphql-response+json, application/json;q=0.9',
      'application/graphql-response+json',
    ],
    ['application/json; charset="UTF-8"', 'application/json'],
    ['application/*', 'application/json'],
    ['text/html, */*;q=0.8', 'application/json'],
    ['*/*, application/json;q=0', 'application/graphql-response+json'],
    ['application/*;q=0.9, application/json;q=0.1', 'application/graphql-response+json'],
    ['*/*, text/event-stream;q=0', 'application/json'],
    ['multipart/mixed, application/json;q=0.9', 'application/json'],
  ])('Accept: %s is answered as %s', async (accept, type) => {
    const { status, headers } = await post({ accept });
    expect([status, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`]);
  });

  test('an Accept header without a supported type is refused before execution', async () => {
    const before = await countUploads();
    for (const accept of ['application/xml', 'text/html', 'application/json;q=0', '*/*;q=0']) {
      const { status, text } = await post({ accept }, JSON.stringify({ query: upload }));
      expect([accept, status, codeOf(text)]).toEqual([accept, 406, 'NOT_ACCEPTABLE']);
    }
    expect(await countUploads()).toBe(before);
    const taken = await post({ accept: 'application/json' }, JSON.stringify({ query: upload }));
    expect(JSON.parse(taken.text)).toMatchObject({
      data: { createUpload: { __typename: 'CreateUploadSuccess' } },
    });
    expect(await countUploads()).toBe((before ?? 0) + 1);
  });

  test('a query by GET for a page is refused before execution where GraphiQL is off', async () => {
    await using live = await startTestApp({ env: { GRAPHIQL: 'false' } });
    const headers = { accept: 'text/html' };
    const search = new URLSearchParams({ query: '{ videos { __typename } }' });
    const before = (await live.readSandbox<unknown[]>('requests')).length;
    const { status, text } = await sendRequest(live.url, { path: `/graphql?${search}`, headers });
    expect([status, codeOf(text)]).toEqual([406, 'NOT_ACCEPTABLE']);
    expect((await live.readSandbox<unknown[]>('requests')).length).toBe(before);
  });

  test('a stream is not sent to a client that refuses event streams', async () => {
    const subscription = 'subscription { lipsyncProgress(id: "x") { __typename } }';
    const body = JSON.stringify({ query: subscription });
    const taken = await post({ accept: '*/*' }, body);
    expect([taken.status, taken.headers['content-type']]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
    const refused = await post({ accept: '*/*, text/event-stream;q=0' }, body);
    expect([refused.status, codeOf(refused.text)]).toEqual([406, 'NOT_ACCEPTABLE']);
  });

  test('a body in an encoding other than UTF-8 is refused', async () => {
    for (const charset of ['latin1', 'utf-16', '"iso-8859-1"']) {
      const { status, text } = await post({
        'content-type': `application/json; charset=${charset}`,
      });
      expect([status, codeOf(text)]).toEqual([415, 'UNSUPPORTED_CONTENT_TYPE']);
    }
    const quoted = await post({ 'content-type': 'application/json; charset="UTF-8"' });
    expect(quoted.status).toBe(200);
  });

  test('a mutation by GET is refused with 405, or in the requested stream, and has no effect', async () => {
    const before = await countUploads();
    const search = new URLSearchParams({ query: upload });
    const refused = await sendRequest(it.url, { path: `/graphql?${search}` });
    expect([refused.status, refused.headers.allow]).toEqual([405, 'POST']);
    const headers = { accept: 'text/event-stream' };
    const { text } = await sendRequest(it.url, { path: `/graphql?${search}`, headers });
    expect(text).toMatch(
      /^event: next\ndata: {"errors":\[{"message":"Can only perform a mutation/m,
    );
    expect(await countUploads()).toBe(before);
  });

  test.each(['PUT', 'DELETE', 'PATCH', 'HEAD'])(
    '%s is answered 405 with the allowed methods, whatever the client accepts',
    async (method) => {
      for (const accept of ['*/*', 'text/event-stream', 'text/html', 'image/png']) {
        const request = { method, path: '/graphql', headers: { accept } };
        const { status, headers } = await sendRequest(it.url, request);
        expect([status, headers.allow]).toEqual([405, 'GET, POST']);
      }
      const probe = await sendRequest(it.url, { method, path: '/livez' });
      const expected = method === 'HEAD' ? [200, undefined] : [405, 'GET, HEAD'];
      expect([probe.status, probe.headers.allow]).toEqual(expected);
    },
  );

  test('an answer with data is 200, even when a field failed', async () => {
    const accept = 'application/graphql-response+json';
    const body = JSON.stringify({ query: '{ voice(id: "x") { id } video(id: "x") { id } }' });
    const whole = await post({ accept }, body);
    expect([whole.status, JSON.parse(whole.text).data]).toEqual([
      200,
      { voice: null, video: null },
    ]);
    const partial = await post(
      { accept },
      JSON.stringify({ query: '{ lipsyncs(first: 1000) { nodes { id } } }' }),
    );
    expect(partial.status).toBe(200);
    expect(JSON.parse(partial.text)).toMatchObject({
      data: { lipsyncs: null },
      errors: [{ extensions: { code: 'INVALID_INPUT' } }],
    });
  });
});
