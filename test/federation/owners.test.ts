import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLipsync, withHeaders } from '../support/lipsyncs.ts';
import { callers, findSource, type Graph, startGraph } from './graph.ts';

/** Uses the other composer, so that the supergraphs of both are tested. */
let graph: Graph;
/** A lip-sync of `first`. */
let lipsync: string;
/** The result of that lip-sync. */
let video: string;

beforeAll(async () => {
  graph = await startGraph({
    composer: 'GraphOS',
    app: { sandbox: { queuedMs: 20, generatingMs: 100 } },
  });
  const source = await findSource(graph);
  lipsync = await create(source, callers.first);
  await create(source, callers.second);
  video = await readResult();
});
afterAll(() => graph.stop());

type Headers = Record<string, string>;

async function create(videoId: string, headers: Headers): Promise<string> {
  return (await createLipsync(withHeaders(graph, headers), { video: { videoId } })).id;
}

async function readResult(): Promise<string> {
  let id = '';
  const watched = graph.watchSse<{
    lipsyncProgress: { lipsync: { result: { id: string } | null } };
  }>(
    `subscription ($id: ID!) { lipsyncProgress(id: $id) {
       ... on LipsyncProgress { lipsync { result { id } } } } }`,
    { id: lipsync },
    { headers: callers.first },
  );
  for await (const { data } of watched) id = data.data?.lipsyncProgress.lipsync.result?.id ?? id;
  return id;
}

/** The data, messages and codes of a response, without paths and locations. */
async function ask(query: string, variables: object = {}, headers: Headers = {}) {
  const { status, data, errors } = await graph.ask(query, { ...variables }, headers);
  return { status, data, codes: errors?.map(({ extensions }) => extensions?.code), errors };
}

describe('works', () => {
  test('every subgraph receives the identity of the caller', async () => {
    const query = '{ viewer { name authenticated } lipsyncs { nodes { id } } }';
    const { data } = await ask(query, {}, callers.first);
    expect(data).toEqual({
      viewer: { name: 'first', authenticated: true },
      lipsyncs: { nodes: [{ id: lipsync }] },
    });
  });
});

describe('refuses', () => {
  const mutation = `mutation { createLipsync(input: { video: { videoId: "x" }, speech: { script: { text: "No." } } }) {
    __typename ... on LipsyncError { code message } } }`;

  test.each([
    ['nobody', {}],
    ['an invalid key', { authorization: 'Bearer nonsense' }],
    ['another scheme', { authorization: 'Basic Zmlyc3Q6Zmlyc3Q=' }],
  ])('%s, with a member of the union', async (_, headers) => {
    const answer = await ask(mutation, {}, headers);
    expect(answer).toMatchObject({
      data: { createLipsync: { __typename: 'NotAuthenticatedError', code: 'NOT_AUTHENTICATED' } },
      codes: undefined,
    });
  });

  test('unauthenticated callers of a field without a union, with our error code', async () => {
    const answer = await ask('{ lipsync(id: "x") { id } viewer { authenticated } }');
    expect(answer).toMatchObject({
      data: { lipsync: null, viewer: { authenticated: false } },
      codes: ['NOT_AUTHENTICATED'],
    });
    expect(answer.errors?.[0]).toMatchObject({ path: ['lipsync'] });
  });

  test('a caller without the scope, and names the scope', async () => {
    const answer = await ask(mutation, {}, callers.reader);
    expect(answer.data).toMatchObject({
      createLipsync: {
        __typename: 'NotAuthorizedError',
        message: expect.stringContaining('lipsync:write'),
      },
    });
  });

  test('without revealing the address of a subgraph', async () => {
    const answers = await Promise.all([
      ask('{ lipsync(id: "x") { id } }'),
      ask(mutation),
      ask('{ lipsyncs(first: 1000) { nodes { id } } }', {}, callers.first),
      ask('{ lipsyncs(after: "rubbish") { nodes { id } } }', {}, callers.first),
    ]);
    expect(JSON.stringify(answers)).not.toMatch(/127\.0\.0\.1|localhost|at .*\.ts:|Bearer/);
    expect(answers[2]?.codes).toEqual(['INVALID_INPUT']);
  });
});

describe('keeps out', () => {
  const readAll = `query ($lipsync: ID!, $video: ID!) {
    lipsync(id: $lipsync) { id } video(id: $video) { id }
  }`;

  test('objects of another owner: their ids resolve like missing ones', async () => {
    const found = await ask(readAll, { lipsync, video }, callers.first);
    expect(found.data).toEqual({ lipsync: { id: lipsync }, video: { id: video } });
    const missing = lipsync.replace(/.{4}$/, (end) => (end === 'AAAA' ? 'BBBB' : 'AAAA'));
    const theirs = await ask(readAll, { lipsync, video }, callers.reader);
    const none = await ask(readAll, { lipsync: missing, video: 'rubbish' }, callers.reader);
    expect(theirs).toEqual({
      status: 200,
      data: { lipsync: null, video: null },
      codes: undefined,
      errors: undefined,
    });
    expect(none).toEqual(theirs);
  });

  test('a lip-sync of another owner in an object of the other subgraph: it resolves like a missing one', async () => {
    const refer = async (id: string, name: string) => {
      const { data, errors } = await graph.ask(
        `mutation ($id: ID!, $name: String!) { createProject(input: { name: $name, lipsyncId: $id }) {
           ... on CreateProjectSuccess { project { lipsync { status reference } } } } }`,
        { id, name },
        callers.second,
      );
      return { data, messages: errors?.map(({ message }) => message) };
    };
    const theirs = await refer(lipsync, 'Theirs');
    expect(theirs.data).toEqual({ createProject: { project: { lipsync: null } } });
    expect(await refer('rubbish', 'Rubbish')).toEqual(theirs);
  });

  test('data of other callers under concurrent requests', async () => {
    const query =
      '{ viewer { name } lipsyncs(first: 100) { nodes { id } } projects { edges { node { id } } } }';
    const pair = ['first', 'second'] as const;
    const names = Array.from({ length: 30 }, () => pair).flat();
    const answers = await Promise.all(names.map((name) => ask(query, {}, callers[name])));
    const seen = answers.map(
      ({ data }) => data as { viewer: { name: string }; lipsyncs: { nodes: { id: string }[] } },
    );
    expect(seen.map(({ viewer }) => viewer.name)).toEqual(names);
    for (const { viewer, lipsyncs } of seen) {
      expect(lipsyncs.nodes.some(({ id }) => id === lipsync)).toBe(viewer.name === 'first');
      expect(lipsyncs.nodes).toHaveLength(1);
    }
  });
});
