import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isInterfaceType, isUnionType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StoredVideo } from '../../src/domains/videos/service.ts';
import { encodeId, keyOf } from '../../src/graphql/ids.ts';
import { schema } from '../../src/schema.ts';
import { insertLipsync } from '../domains/accounts/slice-harness.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { withHeaders } from '../support/lipsyncs.ts';
import { createUpload } from '../support/uploads.ts';
import { measureRequests } from './measure-requests.ts';

/** A reference to one of our objects, as a gateway sends it for an object in another subgraph's response. */
type Reference = { __typename?: unknown; id?: unknown };
type Entities = { _entities: (Record<string, unknown> | null)[] };

const everything = ['lipsync:read', 'lipsync:write', 'videos:read', 'admin'] as const;
const keys = createApiKeys({
  first: everything,
  second: everything,
  reader: ['lipsync:read'],
  writer: ['lipsync:write'],
});
const { first, second, reader, writer } = keys.headers;

const resolveQuery = `query ($representations: [_Any!]!) {
  _entities(representations: $representations) { __typename ... on Node { id } }
}`;

const kinds = ['Account', 'Lipsync', 'Upload', 'Video', 'Voice', 'WebhookDelivery'] as const;
type Kind = (typeof kinds)[number];

/** Two accounts with three videos each, not counting the results of lip-syncs. */
const accounts = ['a', 'b'].map((name) => ({
  email: `${name}@sandbox.test`,
  password: '',
  maxJobs: 8,
}));

let app: TestApp;
/** One object of each kind; those with an owner belong to `first`. */
let ids: Record<Kind, string>;
/** All videos of the accounts; no lip-sync has used them. */
let libraryIds: string[];

beforeAll(async () => {
  app = await startTestApp({ env: keys.env, sandbox: { accounts } });
  ids = await createOneOfEach();
});
afterAll(() => app.stop());
beforeEach(() => {
  app.logs.length = 0;
});

async function createOneOfEach(): Promise<Record<Kind, string>> {
  const { data } = await app.ask<{
    voices: { nodes: { id: string }[] };
    videos: { nodes: { id: string }[] };
    accounts: { nodes: { id: string }[] };
  }>(
    `{ voices { ... on VoiceList { nodes { id } } }
       videos(first: 100) { ... on VideoConnection { nodes { id } } }
       accounts { ... on AccountList { nodes { id } } } }`,
    {},
    first,
  );
  const upload = await createUpload(withHeaders(app, first));
  const made = await insertFinishedLipsync('key:first');
  libraryIds = data?.videos.nodes.map(({ id }) => id) ?? [];
  return {
    Account: data?.accounts.nodes[0]?.id ?? '',
    Lipsync: made.lipsync,
    Upload: upload.id,
    Video: made.video,
    Voice: data?.voices.nodes[0]?.id ?? '',
    WebhookDelivery: await insertDelivery(made.lipsync),
  };
}

/** Inserts a finished lip-sync with a result. */
async function insertFinishedLipsync(owner: string): Promise<{ lipsync: string; video: string }> {
  const number = String(Math.trunc(Math.random() * 1e15));
  const key = `made0000-${number}`;
  const video = { key, status: 'COMPLETED', url: 'https://media.example/v.mp4', isOffPeak: false };
  const id = await insertLipsync(app.app.db, {
    owner,
    result: video as StoredVideo,
  });
  return { lipsync: encodeId('Lipsync', id), video: encodeId('Video', key) };
}

async function insertDelivery(lipsyncId: string): Promise<string> {
  const [id, lipsync] = [randomUUID(), keyOf('Lipsync', lipsyncId)];
  await app.app.db.query(
    `insert into lipsync_events (lipsync_id, sequence, status, percent, occurred_at, source)
     values ($1, 1, 'COMPLETED', 100, now(), 'POLL')`,
    [lipsync],
  );
  await app.app.db.query(
    `insert into webhook_deliveries (id, owner, lipsync_id, event_sequence, event_type, url, state, job_id, created_at)
     values ($1, 'key:first', $2, 1, 'lipsync.completed', 'https://receiver.example/', 'DELIVERED', $1, now())`,
    [id, lipsync],
  );
  return encodeId('WebhookDelivery', id);
}

function refer(representations: Reference[], headers: Record<string, string> = first) {
  return app.ask<Entities>(resolveQuery, { representations }, headers);
}

/** Selects nearly all fields of each type. */
const richQuery = `query ($representations: [_Any!]!) { _entities(representations: $representations) {
  __typename
  ... on Lipsync { id status reference text voice { name } result { id url } failure { code } progress { percent queuePosition } }
  ... on Video { id state: status url prompt }
  ... on Voice { id name previewUrl }
} }`;

/** Resolves a hundred references and returns their cost. Expects the references in `found` to exist and the others to be null. */
async function measure(asked: Reference[], found = asked, from = app) {
  expect(asked).toHaveLength(100);
  let answer: Entities['_entities'] = [];
  const costs = await measureRequests(from, async () => {
    const { data, errors } = await from.ask<Entities>(richQuery, { representations: asked }, first);
    expect(errors).toBeUndefined();
    answer = data?._entities ?? [];
  });
  const names = (entities: (Reference | null)[]) =>
    entities.map((entity) => entity && { __typename: entity.__typename, id: entity.id });
  expect(names(answer)).toEqual(names(asked.map((each) => (found.includes(each) ? each : null))));
  return costs;
}

const toReferences = (__typename: Kind, list: readonly string[]): Reference[] =>
  list.map((id) => ({ __typename, id }));

/** Starts jobs that this server does not know, as if created on the website. Off-peak jobs occupy no slot. */
async function createForeignJobs(email: string, count: number): Promise<void> {
  const { baseUrl, token } = app.sandbox;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const list = await fetch(`${baseUrl}/videos/?email=${email}`, { headers });
  const { data } = (await list.json()) as { data: { video_id: string }[] };
  const job = {
    video_id: data[0]?.video_id,
    prompt: '[[never]] From elsewhere.',
    off_peak_mode: true,
  };
  for (let n = 0; n < count; n += 1) {
    const made = await fetch(`${baseUrl}/videos/lipsync`, {
      method: 'POST',
      headers,
      body: JSON.stringify(job),
    });
    expect(made.status).toBe(200);
  }
}

async function listVideos(): Promise<string[]> {
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 100) { ... on VideoConnection { nodes { id } } } }',
    {},
    first,
  );
  return data?.videos.nodes.map(({ id }) => id) ?? [];
}

describe('works', () => {
  test('every type with an id is an entity', () => {
    const Node = schema.getType('Node');
    const nodes = isInterfaceType(Node) ? schema.getPossibleTypes(Node) : [];
    const Entity = schema.getType('_Entity');
    const entities = isUnionType(Entity) ? Entity.getTypes() : [];
    const names = (types: readonly { name: string }[]) => types.map(({ name }) => name).toSorted();
    expect(names(entities)).toEqual(names(nodes));
    expect(names(entities)).toEqual([...kinds]);
  });

  test('_service returns the committed SDL', async () => {
    const { data } = await app.ask<{ _service: { sdl: string } }>(
      '{ _service { sdl } }',
      {},
      reader,
    );
    expect(data?._service.sdl).toBe(await readFile('schema.graphql', 'utf8'));
  });

  test.each(kinds)('resolves a reference to a %s', async (__typename) => {
    const id = ids[__typename];
    const { data, errors } = await refer([{ __typename, id }]);
    expect(errors).toBeUndefined();
    expect(data?._entities).toEqual([{ __typename, id }]);
  });

  test('resolves references of mixed types in their order', async () => {
    const asked = [...kinds, ...kinds].map((__typename) => ({ __typename, id: ids[__typename] }));
    const { data } = await refer(asked);
    expect(data?._entities).toEqual(asked);
  });

  describe('resolves a hundred references with at most two statements, one call and one call per account:', () => {
    test('lip-syncs and their results: one statement and no call', async () => {
      const made = await Promise.all(
        Array.from({ length: 100 }, () => insertFinishedLipsync('key:first')),
      );
      for (const asked of [
        toReferences(
          'Lipsync',
          made.map(({ lipsync }) => lipsync),
        ),
        toReferences(
          'Video',
          made.map(({ video }) => video),
        ),
      ]) {
        const { statements, calls } = await measure(asked);
        expect(statements).toHaveLength(1);
        expect(calls).toEqual([]);
      }
    });

    test('mostly deleted videos: one statement and a list per account; no call if the accounts are unknown', async () => {
      const gone = Array.from({ length: 94 }, (_, at) => {
        const prefix = keyOf('Video', libraryIds[at % 6] ?? '')?.slice(0, 9);
        return encodeId('Video', `${prefix}${at + 1}`);
      });
      await using other = await startTestApp({ env: keys.env, sandbox: { accounts } });
      const nothing = await measure(toReferences('Video', [...libraryIds, ...gone]), [], other);
      expect(nothing.calls).toEqual([]);
      const asked = toReferences('Video', [...libraryIds, ...gone]);
      // As after a callback: a list that was read before must not answer.
      app.app.services.accounts.expectChange();
      const { statements, calls } = await measure(asked, asked.slice(0, 6));
      expect(statements).toHaveLength(1);
      expect(calls).toHaveLength(2);
    });

    test('videos of no lip-sync, including running ones: one statement and one page per account', async () => {
      for (const { email } of accounts) await createForeignJobs(email, 47);
      app.app.services.accounts.expectChange();
      const listed = await listVideos();
      app.app.services.accounts.expectChange();
      const { statements, calls } = await measure(toReferences('Video', listed));
      expect(statements).toHaveLength(1);
      expect(calls).toHaveLength(2);
      expect(new Set(calls.map((path) => /email=\w/.exec(path)?.[0])).size).toBe(2);
    });

    test('voices, before any other request', async () => {
      await using fresh = await startTestApp({ env: keys.env, sandbox: { accounts } });
      const asked = toReferences(
        'Voice',
        Array.from({ length: 100 }, (_, at) => encodeId('Voice', String(at + 1))),
      );
      const { statements, calls } = await measure(asked, asked.slice(0, 14), fresh);
      expect(statements.length).toBeLessThanOrEqual(2);
      expect(calls.length).toBeLessThanOrEqual(3);
      expect(calls.filter((path) => path.includes('/voices'))).toHaveLength(1);
    });

    test('all types in one request', async () => {
      const made = await Promise.all(
        Array.from({ length: 30 }, () => insertFinishedLipsync('key:first')),
      );
      const asked = [
        ...made.flatMap(({ lipsync, video }) => [
          ...toReferences('Lipsync', [lipsync]),
          ...toReferences('Video', [video]),
        ]),
        ...toReferences('Video', libraryIds),
        ...toReferences(
          'Voice',
          Array.from({ length: 34 }, (_, at) => encodeId('Voice', String((at % 14) + 1))),
        ),
      ];
      const { statements, calls } = await measure(asked);
      expect(statements).toHaveLength(2);
      expect(calls.length).toBeLessThanOrEqual(3);
    });
  });

  test('resolves accounts with one call each, for the fields that only the provider knows', async () => {
    const { data } = await app.ask<{ accounts: { nodes: { id: string }[] } }>(
      '{ accounts { ... on AccountList { nodes { id } } } }',
      {},
      first,
    );
    const listed = data?.accounts.nodes ?? [];
    expect(listed).toHaveLength(2);
    const asked = Array.from({ length: 100 }, (_, at) => ({
      __typename: 'Account',
      id: listed[at % 2]?.id,
    }));
    app.app.services.accounts.expectChange();
    const { statements, calls } = await measureRequests(app, async () => {
      expect((await refer(asked)).data?._entities).toEqual(asked);
    });
    expect(statements.length).toBeLessThanOrEqual(2);
    expect(calls.map((path) => /\w+(?=\/\?)/.exec(path)?.[0])).toEqual(['features', 'features']);
  });
});

describe('refuses', () => {
  test('unauthenticated callers and callers without the scope, with a code for each reference', async () => {
    const asked = kinds.map((__typename) => ({ __typename, id: ids[__typename] }));
    const failuresFor = async (headers: Record<string, string>) => {
      const { data, errors } = await refer(asked, headers);
      const codes = errors?.map(({ path, extensions }) => [path?.[1], extensions?.code]);
      return { data, codes: Object.fromEntries(codes ?? []) };
    };
    const nothing = { _entities: asked.map(() => null) };
    expect(await failuresFor({})).toEqual({
      data: nothing,
      codes: Object.fromEntries(kinds.map((_, at) => [at, 'NOT_AUTHENTICATED'])),
    });
    const at = (kind: Kind) => kinds.indexOf(kind);
    expect(await failuresFor(writer)).toEqual({
      data: nothing,
      codes: Object.fromEntries(
        kinds.filter((kind) => kind !== 'Video').map((kind) => [at(kind), 'NOT_AUTHORIZED']),
      ),
    });
    expect((await failuresFor(reader)).codes).toEqual({ [at('Account')]: 'NOT_AUTHORIZED' });
  });
});

describe('keeps out', () => {
  test.each(['Lipsync', 'Upload', 'WebhookDelivery', 'Video'] as const)(
    "another owner's %s: it resolves like a missing one",
    async (__typename) => {
      const id = ids[__typename];
      const missing = encodeId(__typename, __typename === 'Video' ? 'made0000-1' : randomUUID());
      const headers = __typename === 'Video' ? reader : second;
      const [theirs, none] = await Promise.all(
        [id, missing].map(async (each) => {
          const { data, errors } = await refer([{ __typename, id: each }], headers);
          return { data, errors };
        }),
      );
      expect(theirs).toEqual({ data: { _entities: [null] } });
      expect(none).toEqual(theirs);
    },
  );

  test('malformed references: they resolve to null, without an effect on others and without a log entry', async () => {
    const good = { __typename: 'Voice', id: ids.Voice };
    const rubbish: Reference[] = [
      ...kinds.flatMap((__typename) => [
        { __typename },
        { __typename, id: null },
        { __typename, id: 42 },
        { __typename, id: { toString: 'x' } },
        { __typename, id: [ids.Voice] },
        { __typename, id: '' },
        { __typename, id: 'rubbish' },
        { __typename, id: encodeId(__typename, '\0') },
        { __typename, id: `${ids[__typename]}=` },
        { __typename, id: ids[__typename === 'Voice' ? 'Video' : 'Voice'] },
      ]),
      ...['Nothing', 'Query', 'Viewer', 'Node', '_Service', '', 7, null, {}].map((__typename) => ({
        __typename,
        id: ids.Voice,
      })),
      {},
      ...(['text', 7, true, []] as unknown as Reference[]),
    ];
    const { data, errors } = await refer([good, ...rubbish, good]);
    expect(errors).toBeUndefined();
    expect(data?._entities).toEqual([good, ...rubbish.map(() => null), good]);
    expect(app.logs.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });
});
