import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { callers, findSource, type Graph, startGraph } from './stage.ts';

type Event = {
  __typename: string;
  code?: string;
  cursor: string;
  sequence: number;
  status: string;
  lipsync: { result: { url: string; projects: { name: string }[] } | null };
};
type Data = { lipsyncProgress: Event };
type Headers = Record<string, string>;
type Door = 'SSE' | 'WebSocket';
type Input = { id: string; after?: string };

const progress = `subscription ($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) { __typename
    ... on LipsyncProgress { cursor sequence status lipsync { result { url projects { name } } } }
    ... on LipsyncError { code } } }`;

/** With room for all that these tests leave running: what waits for room would not be finished with the rest. */
const accounts = [{ email: 'studio@sandbox.example', maxJobs: 8 }];

describe.each([
  ['sse', 'SSE'],
  ['ws', 'WebSocket'],
  ['callback', 'callbacks'],
])('with %s between the gateway and us', (kind) => {
  let graph: Graph;
  let source: string;
  beforeAll(async () => {
    graph = await startGraph({
      env: { SUBGRAPH_SUBSCRIPTIONS: kind },
      // Nothing is looked at in between: what makes no callback is quiet.
      app: {
        env: { POLL_INTERVAL_MS: '600000' },
        sandbox: { queuedMs: 50, generatingMs: 200, accounts },
      },
    });
    source = await findSource(graph);
  });
  afterAll(() => graph.stop());

  async function create(text: string): Promise<string> {
    type Created = { createLipsync: { lipsync: { id: string } } };
    const { data } = await graph.ask<Created>(
      `mutation ($video: ID!, $text: String!) {
         createLipsync(input: { video: { id: $video }, speech: { text: { text: $text } } }) {
           ... on CreateLipsyncSuccess { lipsync { id } } } }`,
      { video: source, text },
      callers.first,
    );
    return data?.createLipsync.lipsync.id ?? '';
  }

  async function* watch(door: Door, input: Input, headers: Headers = callers.first) {
    if (door === 'SSE') {
      for await (const { data } of graph.watchSse<Data>(progress, input, { headers })) yield data;
    } else {
      yield* graph.watchWs<Data>(progress, input, { headers });
    }
  }

  async function collect(door: Door, input: Input, headers?: Headers): Promise<Event[]> {
    const results = await Array.fromAsync(watch(door, input, headers));
    expect(results.filter(({ errors }) => errors !== undefined)).toEqual([]);
    return results.flatMap(({ data }) => data?.lipsyncProgress ?? []);
  }

  const watched = () => graph.app.app.services.lipsyncs.watchedCount();

  describe.each<Door>(['SSE', 'WebSocket'])('and %s before it', (door) => {
    describe('works', () => {
      test("a lip-sync is followed to its end, with the neighbour's part of what it made", async () => {
        const events = await collect(door, { id: await create('From one end to the other.') });
        const [first] = events;
        expect(events.map(({ sequence }) => sequence)).toEqual(
          events.map((_, at) => (first?.sequence ?? 0) + at),
        );
        expect(events.at(-1)).toMatchObject({
          status: 'COMPLETED',
          lipsync: { result: { url: expect.stringContaining('.mp4'), projects: [] } },
        });
      });

      test('it goes on from any cursor, without a gap or a repeat', async () => {
        const id = await create('In two parts.');
        const whole = await collect(door, { id });
        for await (const { data } of watch(door, { id, after: whole[0]?.cursor ?? '' })) {
          expect(data?.lipsyncProgress.sequence).toBe((whole[0]?.sequence ?? 0) + 1);
          break;
        }
        for (const [at, { cursor }] of whole.entries()) {
          const rest = await collect(door, { id, after: cursor });
          expect(rest.map(({ sequence }) => sequence)).toEqual(
            whole.slice(at + 1).map(({ sequence }) => sequence),
          );
        }
      });
    });

    describe('refuses', () => {
      test.each<[string, Headers]>([
        ['nobody', {}],
        ['a key that is none', { authorization: 'Bearer nonsense' }],
      ])('%s, and then it is over', async (_, headers) => {
        const id = await create('Not for you.');
        const results = await Array.fromAsync(watch(door, { id }, headers));
        // Nobody makes us call a router: there it is an error of the request.
        const codes = results.map(({ data, errors }) =>
          kind === 'callback' ? errors?.[0]?.extensions?.code : data?.lipsyncProgress.code,
        );
        expect(codes).toEqual(['NOT_AUTHENTICATED']);
      });

      test('another owner, with a typed event, and then it is over', async () => {
        const events = await collect(door, { id: await create('Not for you.') }, callers.second);
        expect(events.map((event) => event.code)).toEqual(['NOT_FOUND']);
      });
    });

    describe('keeps out', () => {
      test('watching what nobody watches: the source ends with its last watcher, however quiet it is', async () => {
        const id = await create('[[never]] Hush.');
        const [one, other] = [watch(door, { id }), watch(door, { id })];
        await Promise.all([one.next(), other.next()]);
        expect(watched()).toBe(1);
        await one.return();
        await graph.app.finishJobs();
        const rest = await Array.fromAsync(other);
        expect(rest.at(-1)?.data?.lipsyncProgress.status).toBe('COMPLETED');
        await vi.waitFor(() => expect(watched()).toBe(0), { timeout: 5_000, interval: 50 });

        const last = watch(door, { id: await create('[[never]] Hush again.') });
        await last.next();
        expect(watched()).toBe(1);
        await last.return();
        await vi.waitFor(() => expect(watched()).toBe(0), { timeout: 5_000, interval: 50 });
        await graph.app.finishJobs();
      });
    });
  });
});
