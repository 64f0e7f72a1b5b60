import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApolloClient, gql as apolloGql, HttpLink } from '@apollo/client';
import { codegen as generate } from '@graphql-codegen/core';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { gql } from '@urql/core';
import { buildSchema, isScalarType, isSpecifiedScalarType, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../test/support/app.ts';
import { openLine } from '../../test/support/line.ts';
import codegenConfig from '../codegen.ts';
import { createCache, listLipsyncs } from '../paged.ts';
import { connectApollo, connectUrql } from '../signed-in.ts';
import { connect as connectSse } from '../urql-sse.ts';

const key = 'the-key-of-this-test';
const sha256 = createHash('sha256').update(key).digest('hex');
const scopes = 'lipsync:read lipsync:write videos:read';

let app: TestApp;
let videoId: string;
beforeAll(async () => {
  app = await startTestApp({
    env: { API_KEYS: `page:${sha256}:${scopes}` },
    sandbox: {
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
      queuedMs: 500,
      generatingMs: 1_500,
    },
  });
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  videoId = data?.videos.nodes[0]?.id ?? '';
});
afterAll(() => app.stop());

const create = `mutation Create($input: CreateLipsyncInput!) {
  createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } ... on LipsyncError { code } }
}`;
const watch = `subscription Watch($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) {
    __typename
    ... on LipsyncProgress { cursor sequence status lipsync { id } }
    ... on LipsyncError { code }
  }
}`;

type Created = { createLipsync: { lipsync: { id: string } } };
type Update = { lipsyncProgress: { sequence: number; status: string } };

const input = () => ({ video: { videoId }, speech: { script: { text: 'Hello' } } });

const hasEnded = ({ lipsyncProgress }: Update) => lipsyncProgress.status === 'COMPLETED';

describe('a signed-in caller', () => {
  const getToken = async () => key;

  test('creates over HTTP and watches over WebSocket with Apollo Client', async () => {
    const { client, close } = connectApollo(`${app.url}/graphql`, getToken);
    const { data } = await client.mutate<Created>({
      mutation: apolloGql(create),
      variables: { input: input() },
    });
    const id = data?.createLipsync.lipsync.id;
    const updates = client.subscribe<Update>({ query: apolloGql(watch), variables: { id } });
    await new Promise<void>((resolve, reject) => {
      updates.subscribe({
        next: (result) => {
          if (result.data === undefined || result.data === null) reject(result.error);
          else if (hasEnded(result.data)) resolve();
        },
        error: reject,
      });
    });
    await close();
  });

  test('creates over HTTP and watches over WebSocket with urql', async () => {
    const { client, close } = connectUrql(`${app.url}/graphql`, getToken);
    const created = await client.mutation<Created>(gql(create), { input: input() });
    const id = created.data?.createLipsync.lipsync.id;
    await new Promise<void>((resolve, reject) => {
      client.subscription<Update>(gql(watch), { id }).subscribe(({ data, error }) => {
        if (data === undefined) reject(error);
        else if (hasEnded(data)) resolve();
      });
    });
    await close();
  });
});

describe('urql over server-sent events', () => {
  test('receives every event over a connection that is cut once', {
    timeout: 30_000,
  }, async () => {
    await using line = await openLine(app.url);
    const { client, close } = connectSse(`${line.url}/graphql`);
    const { data: created } = await app.ask<Created>(create, { input: input() });
    const id = created?.createLipsync.lipsync.id;
    const sequences: number[] = [];
    await new Promise<void>((resolve, reject) => {
      client.subscription<Update>(gql(watch), { id }).subscribe(({ data, error }) => {
        if (data === undefined) return reject(error);
        if (sequences.push(data.lipsyncProgress.sequence) === 1) line.cut();
        if (hasEnded(data)) resolve();
      });
    });
    close();
    expect(line.count).toBeGreaterThan(1);
    expect(sequences.length).toBeGreaterThan(1);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
  });
});

describe("paging in Apollo's cache", () => {
  test('joins the pages of a list', async () => {
    for (const _ of Array(3)) await app.ask(create, { input: input() });
    const client = new ApolloClient({
      cache: createCache(),
      link: new HttpLink({ uri: `${app.url}/graphql` }),
    });
    const query = apolloGql`query ($after: String) {
      lipsyncs(first: 2, after: $after) {
        edges { cursor node { id status } }
        pageInfo { hasNextPage endCursor }
      }
    }`;
    type Page = { lipsyncs: { edges: unknown[]; pageInfo: { endCursor: string } } };
    const pages = client.watchQuery<Page>({ query });
    const seen = vi.fn();
    const subscription = pages.subscribe(seen);
    const { data } = await pages.refetch();
    await pages.fetchMore({ variables: { after: data?.lipsyncs.pageInfo.endCursor } });
    await vi.waitFor(() => {
      const { data: joined } = pages.getCurrentResult();
      expect((joined as Page).lipsyncs.edges.length).toBeGreaterThan(2);
    });
    subscription.unsubscribe();
    const refetched = await client.query<Page>({
      query: listLipsyncs,
      fetchPolicy: 'network-only',
    });
    expect(refetched.data?.lipsyncs.edges.length).toBeGreaterThan(2);
  });
});

describe('generated types', () => {
  test('have a type for every scalar', async () => {
    const [{ config }] = Object.values(codegenConfig.generates);
    const source = await readFile(join(import.meta.dirname, '../../client.graphql'), 'utf8');
    const customScalars = Object.values(buildSchema(source).getTypeMap())
      .filter((type) => isScalarType(type) && !isSpecifiedScalarType(type))
      .map(({ name }) => name);
    expect(customScalars.toSorted()).toEqual(Object.keys(config.scalars));
    const text = await generate({
      filename: 'operations.ts',
      schema: parse(source),
      documents: [
        {
          document: parse(
            'query Upload($id: ID!) { upload(id: $id) { createdAt size } } mutation Send($file: File!) { uploadAudio(file: $file) { __typename } }',
          ),
        },
      ],
      config,
      plugins: [{ operations: {} }],
      pluginMap: { operations: typescriptOperations },
    });
    expect(text).toContain('createdAt: string');
    expect(text).toContain('size: number | null');
    expect(text).toContain('file: File | Blob');
  });
});
