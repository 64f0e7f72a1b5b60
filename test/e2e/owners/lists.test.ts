import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import { readVideoIds, requestLipsync, withHeaders } from '../../support/lipsyncs.ts';
import { type Finished, openTwoOwners, signAs, type TwoOwners } from './two-owners.ts';

let it: TwoOwners;
let receiver: Receiver;
let lipsyncs: Record<'ann' | 'bob', Finished>;
const reference = 'the same of both';
const idempotencyKey = 'the same key';

beforeAll(async () => {
  receiver = await openReceiver();
  it = await openTwoOwners({ LIPSYNCS_PER_DAY: '50', LIPSYNCS_IN_FLIGHT: '20' });
  const { annVideo, bobVideo } = it.uploads;
  const more = { callbackUrl: receiver.url, idempotencyKey, reference };
  const [ann, bob] = await Promise.all([
    it.finished('ann', annVideo, more),
    it.finished('bob', bobVideo, { ...more, reference: 'Bob’s' }),
  ]);
  lipsyncs = { ann, bob };
});
afterAll(async () => {
  receiver?.close();
  await it?.stop();
});

const as = (token: string) => ({ authorization: `Bearer ${token}` });
type Nodes = { nodes: { id: string }[]; pageInfo?: { startCursor: string; endCursor: string } };
const idsOf = ({ nodes }: Nodes) => nodes.map(({ id }) => id);

describe('lists', () => {
  test.each([
    '',
    '(first: 100)',
    '(last: 100)',
    `(filter: { reference: "${reference}" })`,
    '(filter: { statuses: [COMPLETED] })',
    '(filter: { createdAfter: "2020-01-01T00:00:00Z" })',
  ])('lipsyncs%s contains only lip-syncs of the caller', async (args) => {
    const query = `{ lipsyncs${args} { nodes { id } } }`;
    const [bobs, anns] = await Promise.all([
      it.people.bob.ask<{ lipsyncs: Nodes }>(query),
      it.people.ann.ask<{ lipsyncs: Nodes }>(query),
    ]);
    expect(idsOf(bobs.lipsyncs)).toEqual(args.includes(reference) ? [] : [lipsyncs.bob.id]);
    expect(idsOf(anns.lipsyncs)).toEqual([lipsyncs.ann.id]);
  });

  test("videos contains what the caller's lip-syncs used or made, and everything with videos:read", async () => {
    const query = '{ videos(first: 100) { ... on VideoConnection { nodes { id } } } }';
    const { videos } = await it.people.bob.ask<{ videos: Nodes }>(query);
    expect(idsOf(videos)).toEqual([lipsyncs.bob.result?.id]);
    const repeated = query.replace('100', '100, filter: { statuses: [COMPLETED, COMPLETED] }');
    expect(await it.people.bob.ask(repeated)).toEqual({ videos });
    const { data } = await it.ask<{ videos: Nodes }>(query, {}, as(it.tokens.bobSeesAll));
    const all = idsOf(data?.videos ?? { nodes: [] });
    expect(all).toEqual(expect.arrayContaining([lipsyncs.ann.result?.id, lipsyncs.bob.result?.id]));
    expect(all.length).toBeGreaterThan(2);
  });

  test("viewer counts the caller's own lip-syncs and shows its own secrets", async () => {
    const query = `{ viewer { name lipsyncsPerDay { remaining } lipsyncsInFlight { remaining }
      webhookKeys { hint createdAt } } }`;
    type Viewer = { lipsyncsPerDay: { remaining: number }; webhookKeys: { hint: string }[] };
    const viewerOf = async (name: 'ann' | 'bob') =>
      (await it.people[name].ask<{ viewer: Viewer }>(query)).viewer;
    const [ann, bob] = await Promise.all([viewerOf('ann'), viewerOf('bob')]);
    for (const viewer of [ann, bob]) {
      expect(viewer).toMatchObject({
        lipsyncsPerDay: { remaining: 49 },
        lipsyncsInFlight: { remaining: 20 },
      });
    }
    expect([ann.webhookKeys.length, bob.webhookKeys.length]).toEqual([1, 1]);
    expect(ann.webhookKeys).not.toEqual(bob.webhookKeys);
    await it.people.ann.ask('mutation { rotateWebhookSecret { __typename } }');
    expect((await viewerOf('bob')).webhookKeys).toEqual(bob.webhookKeys);
    expect((await viewerOf('ann')).webhookKeys).toHaveLength(2);
  });
});

describe("another owner's cursors", () => {
  const firstCursor = async (name: 'ann' | 'bob') => {
    type Data = { lipsync: { events: { edges: { cursor: string }[] } } };
    const query = 'query ($id: ID!) { lipsync(id: $id) { events { edges { cursor } } } }';
    const { lipsync } = await it.people[name].ask<Data>(query, { id: lipsyncs[name].id });
    return lipsync.events.edges[0]?.cursor ?? '';
  };

  test('are answered like malformed cursors', async () => {
    const queries = [
      'query ($id: ID!, $after: String) { lipsync(id: $id) { events(after: $after) { nodes { sequence } } } }',
      `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
         __typename ... on InvalidInputError { code message issues { path message } } } }`,
      `subscription ($id: ID!, $after: String) { lipsyncsProgress(ids: [$id], after: $after) {
         __typename ... on InvalidInputError { code message issues { path message } } } }`,
    ];
    const anns = await firstCursor('ann');
    for (const query of queries) {
      const answers = [];
      for (const after of [anns, 'cnViYmlzaA']) {
        const variables = { id: lipsyncs.bob.id, after };
        const stream = it.watchSse(query, variables, { headers: as(it.tokens.bob) });
        for await (const { data } of stream) answers.push(data);
      }
      expect(answers).toHaveLength(2);
      expect(answers[0]).toEqual(answers[1]);
      expect(JSON.stringify(answers)).toContain('INVALID_INPUT');
    }
    const own = { id: lipsyncs.bob.id, after: await firstCursor('bob') };
    expect(await it.people.bob.ask(queries[0] ?? '', own)).toMatchObject({
      lipsync: { events: { nodes: [{ sequence: 2 }, {}, {}] } },
    });
  });

  test("give no access to the other owner's items", async () => {
    const query = `query ($before: String, $after: String) { lipsyncs(before: $before, after: $after) {
      nodes { id } pageInfo { startCursor endCursor } } }`;
    const { lipsyncs: annsPage } = await it.people.ann.ask<{ lipsyncs: Nodes }>(query);
    const found = new Set<string>();
    for (const place of ['before', 'after']) {
      const variables = { [place]: annsPage.pageInfo?.startCursor };
      const page = await it.people.bob.ask<{ lipsyncs: Nodes }>(query, variables);
      for (const id of idsOf(page.lipsyncs)) found.add(id);
    }
    expect([...found]).toEqual([lipsyncs.bob.id]);
  });
});

describe('keeps out', () => {
  test("another owner's idempotencyKey: equal keys of two owners do not collide", async () => {
    const [cid, dora, eve] = await Promise.all(
      ['cid', 'dora', 'eve'].map((name) => signAs(name, 'lipsync:read lipsync:write videos:read')),
    );
    // The same video each time: the newest one changes when a job ends.
    const [videoId = ''] = await readVideoIds(withHeaders(it, as(cid ?? '')));
    const ask = (token = '', text = '') =>
      requestLipsync(withHeaders(it, as(token)), { video: { videoId }, text, idempotencyKey });
    const first = await ask(cid, 'The same words.');
    const same = await ask(dora, 'The same words.');
    const other = await ask(eve, 'Other words.');
    expect([first, same, other].map((made) => made.replayed)).toEqual([false, false, false]);
    expect(new Set([first, same, other].map((made) => made.lipsync?.id)).size).toBe(3);
    expect(await ask(dora, 'The same words.')).toMatchObject({
      replayed: true,
      lipsync: { id: same.lipsync?.id },
    });
  });
});
