import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Result } from '../support/graphql-client.ts';
import { createLipsync, inputOf, withHeaders } from '../support/lipsyncs.ts';
import { callers, findSource, type Graph, startGraph } from './graph.ts';

type Event = {
  __typename: string;
  code?: string;
  cursor: string;
  sequence: number;
  status: string;
  lipsync: { result: { url: string; projects: { name: string }[] } | null };
};
type Data = { lipsyncProgress: Event };
type ListEvent = { cursor: string; sequence: number; status: string; lipsync: { id: string } };
type ListData = { lipsyncsProgress: ListEvent };
type Headers = Record<string, string>;
type ClientTransport = 'SSE' | 'WebSocket';
type Input = { id: string; after?: string };

const progress = `subscription ($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) { __typename
    ... on LipsyncProgress { cursor sequence status lipsync { result { url projects { name } } } }
    ... on LipsyncError { code } } }`;

const listProgress = `subscription ($ids: [ID!]!, $after: String) {
  lipsyncsProgress(ids: $ids, after: $after) { __typename
    ... on LipsyncProgress { cursor sequence status lipsync { id } }
    ... on LipsyncError { code } } }`;

const createMutation = `mutation ($video: ID!, $text: String!) {
  createLipsync(input: { video: { videoId: $video }, speech: { script: { text: $text } } }) { __typename
    ... on CreateLipsyncSuccess { lipsync { sourceVideo { id projects { name } } } }
    ... on LipsyncError { code } } }`;

const projectMutation = `mutation ($name: String!, $video: ID!) {
  createProject(input: { name: $name, videoIds: [$video] }) { __typename } }`;

/** test/server/sse/subscription-callback.test.ts verifies the heartbeats that limit this time, with a fake clock. */
const patient = { timeout: 60_000, interval: 50 };

/** Has slots for all lip-syncs that the tests leave running: a queued one would not be finished with the others. */
const accounts = [{ email: 'studio@sandbox.example', maxJobs: 8 }];

describe.each([
  ['sse', 'SSE'],
  ['ws', 'WebSocket'],
  ['callback', 'callbacks'],
])('with %s between the gateway and the subgraph', (kind) => {
  let graph: Graph;
  let source: string;
  beforeAll(async () => {
    graph = await startGraph({
      env: { SUBGRAPH_SUBSCRIPTIONS: kind },
      // Without polls: only upstream callbacks cause events.
      app: {
        env: { POLL_INTERVAL_MS: '600000' },
        sandbox: { queuedMs: 50, generatingMs: 200, accounts },
      },
    });
    source = await findSource(graph);
  });
  afterAll(() => graph.stop());

  async function create(text: string): Promise<string> {
    const client = withHeaders(graph, callers.first);
    return (await createLipsync(client, inputOf(source, text))).id;
  }

  async function* watch(
    transport: ClientTransport,
    input: Input,
    headers: Headers = callers.first,
  ) {
    if (transport === 'SSE') {
      for await (const { data } of graph.watchSse<Data>(progress, input, { headers })) yield data;
    } else {
      // Like a browser: the upgrade request has no authorization header.
      yield* graph.watchWs<Data>(progress, input, { payload: headers });
    }
  }

  /** Runs any operation on the same transport: an event stream or a WebSocket can also carry a query's single response. */
  async function exchange(
    transport: ClientTransport,
    { query, variables = {} }: { query: string; variables?: object },
    headers: Headers = callers.first,
  ): Promise<Result[]> {
    const given = { ...variables };
    if (transport === 'WebSocket') {
      return Array.fromAsync(graph.watchWs(query, given, { payload: headers }));
    }
    return Array.fromAsync(graph.watchSse(query, given, { headers }), ({ data }) => data);
  }

  async function collect(
    transport: ClientTransport,
    input: Input,
    headers?: Headers,
  ): Promise<Event[]> {
    const results = await Array.fromAsync(watch(transport, input, headers));
    expect(results.filter(({ errors }) => errors !== undefined)).toEqual([]);
    return results.flatMap(({ data }) => data?.lipsyncProgress ?? []);
  }

  const watched = () => graph.app.app.services.lipsyncs.watchedCount();

  describe.each<ClientTransport>(['SSE', 'WebSocket'])(
    'and %s between the client and the gateway',
    (transport) => {
      describe('works', () => {
        test("streams a lip-sync to its end, with the other subgraph's fields of its result", async () => {
          const events = await collect(transport, {
            id: await create('From one end to the other.'),
          });
          const [first] = events;
          expect(events.map(({ sequence }) => sequence)).toEqual(
            events.map((_, at) => (first?.sequence ?? 0) + at),
          );
          expect(events.at(-1)).toMatchObject({
            status: 'COMPLETED',
            lipsync: { result: { url: expect.stringContaining('.mp4'), projects: [] } },
          });
        });

        test('returns queries across both subgraphs, and errors beside data', async () => {
          const name = `${kind} and ${transport}`;
          await graph.ask(projectMutation, { name, video: source }, callers.first);
          const query = `query ($video: ID!) {
          viewer { name } video(id: $video) { status projects { name } }
          projects(first: 100) { edges { node { name videos { id status } } } } }`;
          const [answer, ...more] = await exchange(transport, {
            query,
            variables: { video: source },
          });
          expect(more).toEqual([]);
          expect(answer?.errors).toBeUndefined();
          expect(answer?.data).toEqual({
            viewer: { name: 'first' },
            video: { status: 'COMPLETED', projects: expect.arrayContaining([{ name }]) },
            projects: {
              edges: expect.arrayContaining([
                { node: { name, videos: [{ id: source, status: 'COMPLETED' }] } },
              ]),
            },
          });
          const refused = await exchange(transport, { query: '{ lipsync(id: "x") { id } }' }, {});
          expect(refused).toMatchObject([
            { data: { lipsync: null }, errors: [{ extensions: { code: 'NOT_AUTHENTICATED' } }] },
          ]);
        });

        test('runs mutations and returns their failures, over HTTP if the transport cannot', async () => {
          const make = (text: string) => ({
            query: createMutation,
            variables: { video: source, text },
          });
          const mutate = async (text: string): Promise<Result[]> => {
            const results = await exchange(transport, make(text));
            if (transport === 'SSE') return results;
            // Hive Gateway 2.15 treats a WebSocket upgrade as a GET request, which cannot run mutations.
            expect(results[0]?.errors?.[0]?.message).toMatch(/mutation operation from a POST/);
            const { data, errors } = await graph.ask(
              createMutation,
              make(text).variables,
              callers.first,
            );
            return [{ data, errors } as Result];
          };
          const made = await mutate('By any transport.');
          expect(made).toMatchObject([
            {
              data: {
                createLipsync: {
                  __typename: 'CreateLipsyncSuccess',
                  lipsync: { sourceVideo: { id: source, projects: expect.any(Array) } },
                },
              },
            },
          ]);
          const [refused] = await mutate('[[422]]');
          expect(refused?.errors).toBeUndefined();
          expect(refused?.data).toEqual({
            createLipsync: { __typename: 'ContentModeratedError', code: 'CONTENT_MODERATED' },
          });
        });

        test('resumes from any cursor, without a gap or a repetition', async () => {
          const id = await create('In two parts.');
          const whole = await collect(transport, { id });
          for await (const { data } of watch(transport, { id, after: whole[0]?.cursor ?? '' })) {
            expect(data?.lipsyncProgress.sequence).toBe((whole[0]?.sequence ?? 0) + 1);
            break;
          }
          for (const [at, { cursor }] of whole.entries()) {
            const rest = await collect(transport, { id, after: cursor });
            expect(rest.map(({ sequence }) => sequence)).toEqual(
              whole.slice(at + 1).map(({ sequence }) => sequence),
            );
          }
        });
      });

      test('streams a list to its end, and resumes it from one cursor', async () => {
        const ids = await Promise.all(['One.', 'Two.', 'Three.'].map(create));
        const follow = async (after: string | null) => {
          const variables = { ids, after };
          const results = await exchange(transport, { query: listProgress, variables });
          expect(results.filter(({ errors }) => errors !== undefined)).toEqual([]);
          return results.map(({ data }) => (data as ListData).lipsyncsProgress);
        };
        const events = await follow(null);
        for (const id of ids) {
          const own = events.filter(({ lipsync }) => lipsync.id === id);
          expect(own.map(({ sequence }) => sequence)).toEqual(
            own.map((_, at) => (own[0]?.sequence ?? 0) + at),
          );
          expect(own.at(-1)?.status).toBe('COMPLETED');
        }
        const middle = Math.floor(events.length / 2);
        const rest = await follow(events[middle - 1]?.cursor ?? '');
        const names = (list: ListEvent[]) =>
          list.map((each) => `${each.lipsync.id} ${each.sequence}`);
        expect(names(rest).toSorted()).toEqual(names(events.slice(middle)).toSorted());
      });

      describe('refuses', () => {
        test.each<[string, Headers]>([
          ['nobody', {}],
          ['a key that is none', { authorization: 'Bearer nonsense' }],
        ])('%s, and then it is over', async (_, headers) => {
          const id = await create('Not for you.');
          const results = await Array.fromAsync(watch(transport, { id }, headers));
          // Without authentication the server makes no callback: there it is a request error.
          const codes = results.map(({ data, errors }) =>
            kind === 'callback' ? errors?.[0]?.extensions?.code : data?.lipsyncProgress.code,
          );
          expect(codes).toEqual(['NOT_AUTHENTICATED']);
        });

        test('the cursor of another lip-sync with a typed failure as the last event', async () => {
          const [one, other] = [await create('One.'), await create('Other.')];
          const [first] = await collect(transport, { id: one });
          const events = await collect(transport, { id: other, after: first?.cursor ?? '' });
          expect(events.map((event) => event.code)).toEqual(['INVALID_INPUT']);
        });

        test('another owner with a typed failure as the last event', async () => {
          const events = await collect(
            transport,
            { id: await create('Not for you.') },
            callers.second,
          );
          expect(events.map((event) => event.code)).toEqual(['NOT_FOUND']);
        });
      });

      describe('keeps out', () => {
        test('event sources without a subscriber: a silent source ends with its last subscriber', async () => {
          const id = await create('[[never]] Hush.');
          const [one, other] = [watch(transport, { id }), watch(transport, { id })];
          await Promise.all([one.next(), other.next()]);
          expect(watched()).toBe(1);
          await one.return();
          await graph.app.finishJobs();
          const rest = await Array.fromAsync(other);
          expect(rest.at(-1)?.data?.lipsyncProgress.status).toBe('COMPLETED');
          await vi.waitFor(() => expect(watched()).toBe(0), patient);

          const last = watch(transport, { id: await create('[[never]] Hush again.') });
          await last.next();
          expect(watched()).toBe(1);
          await last.return();
          await vi.waitFor(() => expect(watched()).toBe(0), patient);
          await graph.app.finishJobs();
        });
      });
    },
  );

  // This test must be the last one, because it kills the gateway.
  test('subscriptions of a killed gateway', async () => {
    const id = await create('[[never]] To the last.');
    const both = (['SSE', 'WebSocket'] as const).map((transport) => watch(transport, { id }));
    await Promise.all(both.map((events) => events.next()));
    expect(watched()).toBe(1);
    const ends = Promise.allSettled(both.map((events) => Array.fromAsync(events)));
    graph.killGateway();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    await ends;
  });
});
