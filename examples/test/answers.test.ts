import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApolloClient, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { HttpLink } from '@apollo/client/link/http';
import { Client, cacheExchange, fetchExchange, type OperationResult } from '@urql/core';
import { print } from 'graphql';
import { possibleTypes } from 'lipsync-graphql-client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../test/support/app.ts';
import * as cached from '../cached.ts';
import * as parts from '../parts.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const input = { video: { id: data?.videos.nodes[0]?.id }, speech: { text: { text: 'Hello' } } };
  const create =
    'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename } }';
  await app.ask(create, { input });
});
afterAll(() => app?.stop());
afterEach(() => vi.unstubAllGlobals());

type Page = { lipsyncs: { nodes: unknown[] }; voices?: { nodes: unknown[] } };

const isWhole = ({ lipsyncs, voices }: Page) =>
  lipsyncs.nodes.length === 1 && voices?.nodes.length === 14;

describe('an answer in parts', () => {
  test('is shown by Apollo Client as it comes', async () => {
    const shown: Page[] = [];
    await parts.showPage(parts.connect(`${app.url}/graphql`), (page) => shown.push(page as Page));
    expect(shown).toHaveLength(2);
    expect(shown[0]).not.toHaveProperty('voices');
    expect(shown.map(isWhole)).toEqual([false, true]);
  });

  test.each([Defer20220824Handler, GraphQL17Alpha9Handler])(
    'is put together by Apollo Client in the form of %o',
    async (Handler) => {
      const client = new ApolloClient({
        cache: new InMemoryCache({ possibleTypes }),
        incrementalHandler: new Handler() as Defer20220824Handler,
        link: new HttpLink({ uri: `${app.url}/graphql` }),
      });
      const shown: Page[] = [];
      await parts.showPage(client, (page) => shown.push(page as Page));
      expect(shown.map(isWhole)).toEqual([false, true]);
    },
  );

  test('is put together by urql', async () => {
    const client = new Client({
      url: `${app.url}/graphql`,
      preferGetMethod: false,
      exchanges: [cacheExchange, fetchExchange],
    });
    const shown: Page[] = [];
    await new Promise<void>((resolve, reject) => {
      client.query(parts.openPage, {}).subscribe(({ data, error, hasNext }: OperationResult) => {
        if (error !== undefined) return reject(error);
        shown.push(data as Page);
        if (!hasNext) resolve();
      });
    });
    expect(shown.map(isWhole)).toEqual([false, true]);
  });
});

describe('an answer that may be kept', () => {
  test('is asked for by its id and by GET, so that a cache can answer', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-trusted-'));
    const path = join(folder, 'documents.json');
    await writeFile(path, JSON.stringify({ Voices: print(cached.listVoices) }));
    await using trusting = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    await rm(folder, { recursive: true });
    const asked: { method: string; url: string; cache: string | null }[] = [];
    const fetchReal = fetch;
    vi.stubGlobal('fetch', async (url: string, request: RequestInit) => {
      const response = await fetchReal(url, request);
      const { headers } = response;
      asked.push({ method: request.method ?? 'GET', url, cache: headers.get('cache-control') });
      return response;
    });
    const client = cached.connect(`${trusting.url}/graphql`);
    const { data } = await client.query<Page>({ query: cached.listVoices });
    expect(data?.voices?.nodes).toHaveLength(14);
    expect(asked).toMatchObject([{ method: 'GET', cache: 'public, max-age=300' }]);
    expect(asked[0]?.url).not.toContain('query=');
  });
});
