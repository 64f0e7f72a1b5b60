import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGraphQLClient } from '../support/graphql-client.ts';
import { withHeaders } from '../support/lipsyncs.ts';
import { uploadFile } from '../support/uploads.ts';
import { callers, findSource, type Graph, startGraph } from './graph.ts';

let graph: Graph;
let source: string;
beforeAll(async () => {
  graph = await startGraph({ app: { sandbox: { queuedMs: 20, generatingMs: 100 } } });
  source = await findSource(graph);
});
afterAll(() => graph.stop());

type Project = { id: string; name: string; videos: Video[]; lipsync: Lipsync | null };
type Video = { id: string; status: string; projects: { name: string }[] };
type Lipsync = { id: string; status: string; result: Video | null };
type Made = {
  __typename: string;
  code?: string;
  message?: string;
  replayed?: boolean;
  lipsync?: Lipsync;
};

const createMutation = `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
  __typename
  ... on CreateLipsyncSuccess { replayed lipsync { id status sourceVideo { projects { name } } } }
  ... on InvalidInputError { issues { path } }
  ... on LipsyncError { code message } } }`;

const projectMutation = `mutation ($input: CreateProjectInput!) { createProject(input: $input) {
  __typename
  ... on CreateProjectSuccess { project { id name videos { id status } lipsync { id status } } }
  ... on ProjectNameTaken { name } } }`;

async function create(text: string, more: object = {}, headers = callers.first): Promise<Made> {
  const input = { video: { videoId: source }, speech: { script: { text } }, ...more };
  const { data, errors } = await graph.ask<{ createLipsync: Made }>(
    createMutation,
    { input },
    headers,
  );
  expect(errors).toBeUndefined();
  return data?.createLipsync as Made;
}

async function createProject(input: object, headers = callers.first) {
  type Data = { createProject: { __typename: string; project: Project } };
  const { data, errors } = await graph.ask<Data>(projectMutation, { input }, headers);
  expect(errors).toBeUndefined();
  return data?.createProject as Data['createProject'];
}

/** Counts the gateway's requests to our program during the work. */
async function countRequests(work: () => Promise<unknown>): Promise<number> {
  const { logs } = graph.app;
  const isRequest = ({ msg, path }: (typeof logs)[number]) =>
    msg === 'request' && path === '/graphql';
  const before = logs.filter(isRequest).length;
  await work();
  return logs.filter(isRequest).length - before;
}

describe('works', () => {
  test('objects of the other subgraph link to ours, and ours to theirs', async () => {
    const made = await create('There and back.');
    await vi.waitFor(
      async () => {
        const query = 'query ($id: ID!) { lipsync(id: $id) { status } }';
        const { data } = await graph.ask<{ lipsync: Lipsync }>(
          query,
          { id: made.lipsync?.id },
          callers.first,
        );
        expect(data?.lipsync.status).toBe('COMPLETED');
      },
      { timeout: 60_000 },
    );
    const { project } = await createProject({
      name: 'Spring',
      videoIds: [source],
      lipsyncId: made.lipsync?.id,
    });
    expect(project).toMatchObject({
      videos: [{ id: source, status: 'COMPLETED' }],
      lipsync: { id: made.lipsync?.id, status: 'COMPLETED' },
    });
    const { data, errors } = await graph.ask<{ projects: { edges: { node: Project }[] } }>(
      `{ projects { pageInfo { hasNextPage } edges { node {
           name videos { projects { name } } lipsync { sourceVideo { id projects { name } } result { url projects { name } } } } } }
         lipsyncs(first: 1) { pageInfo { hasNextPage } nodes { reference sourceVideo { projects { name } } } } }`,
      {},
      callers.first,
    );
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      projects: {
        pageInfo: { hasNextPage: false },
        edges: [
          {
            node: {
              name: 'Spring',
              videos: [{ projects: [{ name: 'Spring' }] }],
              lipsync: {
                sourceVideo: { id: source, projects: [{ name: 'Spring' }] },
                result: { url: expect.stringContaining('.mp4'), projects: [] },
              },
            },
          },
        ],
      },
      lipsyncs: { nodes: [{ sourceVideo: { projects: [{ name: 'Spring' }] } }] },
    });
  });

  test('Query.node is resolved by the other subgraph', async () => {
    const { project } = await createProject({ name: 'By its id' });
    const { data } = await graph.ask(
      'query ($id: ID!, $ids: [ID!]!) { node(id: $id) { id ... on Project { name } } nodes(ids: $ids) { id } }',
      { id: project.id, ids: [project.id, '999'] },
      callers.first,
    );
    expect(data).toEqual({
      node: { id: project.id, name: 'By its id' },
      nodes: [{ id: project.id }, null],
    });
  });

  test('a hundred lip-syncs and a hundred videos of the other subgraph take one request each', async () => {
    const { lipsync } = await create('A hundred times.', {}, callers.second);
    const input = `videoIds: [${JSON.stringify(source)}], lipsyncId: ${JSON.stringify(lipsync?.id)}`;
    const fields = Array.from(
      { length: 100 },
      (_, at) => `p${at}: createProject(input: { name: "${at}", ${input} }) { __typename }`,
    );
    const projects = createGraphQLClient(new URL(graph.projects.url).origin);
    const { errors } = await projects.ask(`mutation { ${fields.join(' ')} }`, {}, callers.second);
    expect(errors).toBeUndefined();
    const list = async (headers: Record<string, string>) => {
      const { data } = await graph.ask<{ projects: { edges: { node: Project }[] } }>(
        '{ projects(first: 100) { edges { node { lipsync { status } videos { status } } } } }',
        {},
        headers,
      );
      return data?.projects.edges ?? [];
    };
    const requests = await countRequests(async () => {
      const edges = await list(callers.second);
      expect(edges).toHaveLength(100);
      expect(new Set(edges.map(({ node }) => node.videos[0]?.status))).toEqual(
        new Set(['COMPLETED']),
      );
    });
    expect(requests).toBeLessThanOrEqual(2);
  });

  test('mutations run once, and the same idempotencyKey returns the same lip-sync', async () => {
    const input = { idempotencyKey: 'through-the-gateway' };
    const [one, other] = [await create('Once.', input), await create('Once.', input)];
    expect(one).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
    expect(other).toMatchObject({ replayed: true, lipsync: { id: one.lipsync?.id } });
  });

  test('an upload created through the gateway accepts its file', async () => {
    const film = new Uint8Array(await readFile('src/sandbox/media/source-1.mp4'));
    const id = await uploadFile(withHeaders(graph, callers.first), 'VIDEO', film);
    const asked = await graph.ask<{ upload: { status: string } }>(
      'query ($id: ID!) { upload(id: $id) { status contentType } }',
      { id },
      callers.first,
    );
    expect(asked.data).toEqual({ upload: { status: 'READY', contentType: 'video/mp4' } });
  });
});

describe('refuses', () => {
  test.each([
    ['[[422]]', 'ContentModeratedError', 'CONTENT_MODERATED'],
    ['[[412]]', 'InsufficientCreditsError', 'INSUFFICIENT_CREDITS'],
    ['', 'InvalidInputError', 'INVALID_INPUT'],
  ])(
    'the failure that the text %j causes is a member of the union, not an error',
    async (text, typename, code) => {
      expect(await create(text)).toMatchObject({ __typename: typename, code });
    },
  );

  test('both fields of a oneOf input', async () => {
    // Compares ids before and after, because lip-syncs of other tests change meanwhile.
    const count = async () =>
      (await graph.app.readSandbox<{ jobs: unknown[] }>('jobs')).jobs.length;
    const before = await count();
    const { data, errors } = await graph.ask(
      createMutation,
      {
        input: { video: { videoId: source, uploadId: 'x' }, speech: { script: { text: 'Two.' } } },
      },
      callers.first,
    );
    expect(data ?? null).toBeNull();
    expect(errors?.[0]?.message).toMatch(/LipsyncVideoInput/);
    expect(await count()).toBe(before);
  });
});
