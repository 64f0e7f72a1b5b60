import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApolloClient, gql as apolloGql, HttpLink } from '@apollo/client';
import { codegen as generate } from '@graphql-codegen/core';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { getRequestListener } from '@hono/node-server';
import { gql } from '@urql/core';
import { buildSchema, isScalarType, isSpecifiedScalarType, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../test/support/app.ts';
import { openLine } from '../../test/support/line.ts';
import { readVideoIds } from '../../test/support/lipsyncs.ts';
import codegenConfig from '../codegen.ts';
import * as next from '../next/app/actions.ts';
import * as graphqlRoute from '../next/app/api/graphql/route.ts';
import * as webhookRoute from '../next/app/api/lipsyncs/route.ts';
import { findVideo } from '../next/finished-videos.ts';
import { findWebhookSecret, prepareWebhooks, userIdBySession } from '../next/lipsync-server.ts';
import { createCache, listLipsyncs } from '../paged.ts';
import { connectApollo, connectUrql } from '../signed-in.ts';
import { connect as connectSse } from '../urql-sse.ts';
import { openSite } from './site.ts';

const key = 'the-key-of-this-test';
const sha256 = createHash('sha256').update(key).digest('hex');
const scopes = 'lipsync:read lipsync:write videos:read';
const jwtSecret = 'the-secret-that-both-servers-know-0123456789';

/** The cookies of the request that Next.js handles. */
let requestCookies = '';
vi.mock('next/headers', () => ({ cookies: async () => requestCookies }));

let app: TestApp;
let videoId: string;
beforeAll(async () => {
  app = await startTestApp({
    env: { API_KEYS: `page:${sha256}:${scopes}`, AUTH_JWT_SECRET: jwtSecret },
    sandbox: {
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
      queuedMs: 500,
      generatingMs: 5_000,
    },
  });
  [videoId = ''] = await readVideoIds(app);
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
  test('receives every event over a connection that is cut once', async () => {
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
    await vi.waitFor(
      () => {
        const { data: joined } = pages.getCurrentResult();
        expect((joined as Page).lipsyncs.edges.length).toBeGreaterThan(2);
      },
      { timeout: 60_000 },
    );
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

describe('Next.js', () => {
  beforeAll(async () => {
    userIdBySession.set('session-of-anna', 'anna').set('session-of-ben', 'ben');
    const site = await openSite(getRequestListener(webhookRoute.POST));
    vi.stubEnv('APP_URL', site.origin);
    vi.stubEnv('LIPSYNC_URL', `${app.url}/graphql`);
    vi.stubEnv('LIPSYNC_JWT_SECRET', jwtSecret);
    return () => {
      site.close();
      vi.unstubAllEnvs();
    };
  });

  const formOf = (key: string) => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ videoId, text: 'Hello from Next.js.', key })) {
      form.set(name, value);
    }
    return form;
  };

  const ask = async (session: string, query: string, variables: object) => {
    const response = await graphqlRoute.POST(
      new Request('https://app.example/api/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie: `session=${session}` },
        body: JSON.stringify({ query, variables }),
      }),
    );
    return [response.status, await response.json()] as const;
  };

  test('the action creates a lip-sync of the user, and the webhook route receives its video', async () => {
    requestCookies = 'session=session-of-anna';
    const answer = await next.makeLipsync(null, formOf('form-1'));
    const id = 'id' in answer ? answer.id : '';
    expect(answer).toEqual({ id: expect.stringMatching(/./) });
    // A form that is submitted twice.
    expect(await next.makeLipsync(null, formOf('form-1'))).toEqual({ id });
    await vi.waitFor(() => expect(findVideo(id)).toMatch(/^http.*\.mp4$/), { timeout: 60_000 });
    const read = 'query ($id: ID!) { lipsync(id: $id) { id } }';
    expect(await ask('session-of-anna', read, { id })).toMatchObject([
      200,
      { data: { lipsync: { id } } },
    ]);
    expect(await ask('session-of-ben', read, { id })).toMatchObject([
      200,
      { data: { lipsync: null } },
    ]);
  });

  test('requests at the same time share one rotation of the secret, and an error is not remembered', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValueOnce(new Error('Offline.'));
    await expect(prepareWebhooks('carla')).rejects.toThrow('Offline.');
    await Promise.all([prepareWebhooks('carla'), prepareWebhooks('carla')]);
    await prepareWebhooks('carla');
    expect(fetched).toHaveBeenCalledTimes(2);
    fetched.mockRestore();
    expect(findWebhookSecret('carla')).toMatch(/^whsec_/);
  });

  test('a visitor without a session gets nothing', async () => {
    requestCookies = '';
    expect(await next.makeLipsync(null, formOf('form-2'))).toEqual({ message: 'Sign in first.' });
    expect(await ask('none', '{ viewer { name } }', {})).toMatchObject([401, {}]);
  });

  test.each(['', '?user=anna', '?user=nobody'])(
    'a forged webhook to /api/lipsyncs%s is answered with 401',
    async (search) => {
      const url = `https://app.example/api/lipsyncs${search}`;
      const response = await webhookRoute.POST(new Request(url, { method: 'POST', body: '{}' }));
      expect(response.status).toBe(401);
    },
  );
});

describe('React Native', () => {
  test('makes a video where AbortSignal.any, AbortSignal.timeout and crypto are missing', async () => {
    const program = `
      import { randomFillSync } from 'node:crypto';
      delete AbortSignal.any;
      delete AbortSignal.timeout;
      delete AbortSignal.prototype.throwIfAborted;
      Object.defineProperty(globalThis, 'crypto', { value: undefined, writable: true });
      const { installPolyfills } = await import('./react-native/polyfills.ts');
      const { createServer } = await import('./react-native/server.ts');
      const { makeLipsync } = await import('lipsync-graphql-client');
      installPolyfills((values) => randomFillSync(values));
      const { url, token, videoId } = process.env;
      const server = createServer(url, async () => token);
      const input = { video: { videoId }, speech: { script: { text: 'Hello.' } } };
      const end = await makeLipsync(server, input, { deadlineMs: 60_000 });
      const late = await makeLipsync(server, input, { deadlineMs: 1 });
      console.log(end.outcome, late.outcome);
      process.exit();
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', program],
      {
        cwd: join(import.meta.dirname, '..'),
        env: { url: `${app.url}/graphql`, token: key, videoId },
      },
    );
    expect(stdout).toBe('COMPLETED STILL_RUNNING\n');
  });
});
