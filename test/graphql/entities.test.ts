import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isInterfaceType, isUnionType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeId, keyOf } from '../../src/graphql/ids.ts';
import { schema } from '../../src/schema.ts';
import { insertLipsync } from '../domains/accounts/slice-harness.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { measureEffort } from './effort.ts';

/** What a gateway sends for objects of ours that it met in a neighbour's answer. */
type Reference = { __typename?: unknown; id?: unknown };
type Entities = { _entities: (Record<string, unknown> | null)[] };

const everything = ['lipsync:read', 'lipsync:write', 'videos:read', 'admin'] as const;
const keys = createApiKeys({
  first: everything,
  second: everything,
  own: ['lipsync:read'],
  writer: ['lipsync:write'],
});
const { first, second, own, writer } = keys.headers;

const resolveQuery = `query ($representations: [_Any!]!) {
  _entities(representations: $representations) { __typename ... on Node { id } }
}`;

const kinds = ['Account', 'Lipsync', 'Upload', 'Video', 'Voice', 'WebhookDelivery'] as const;
type Kind = (typeof kinds)[number];

/** Two accounts with three videos each, beside those that lip-syncs made. */
const accounts = ['a', 'b'].map((name) => ({
  email: `${name}@sandbox.test`,
  password: '',
  maxJobs: 8,
}));

let app: TestApp;
/** One of each kind: `first`'s own, where it has an owner. */
let ids: Record<Kind, string>;
/** All videos of the accounts, which no lip-sync has used. */
let libraryIds: string[];

beforeAll(async () => {
  app = await startTestApp({ env: keys.env, sandbox: { accounts } });
  ids = await makeOneOfEach();
});
afterAll(() => app.stop());
beforeEach(() => {
  app.logs.length = 0;
});

async function makeOneOfEach(): Promise<Record<Kind, string>> {
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
  const uploaded = await app.ask<{ createUpload: { upload: { id: string } } }>(
    `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) {
       ... on CreateUploadSuccess { upload { id } } } }`,
    {},
    first,
  );
  const made = await makeLipsync('key:first');
  libraryIds = data?.videos.nodes.map(({ id }) => id) ?? [];
  return {
    Account: data?.accounts.nodes[0]?.id ?? '',
    Lipsync: made.lipsync,
    Upload: uploaded.data?.createUpload.upload.id ?? '',
    Video: made.video,
    Voice: data?.voices.nodes[0]?.id ?? '',
    WebhookDelivery: await tellOf(made.lipsync),
  };
}

/** A finished lip-sync with a result of its own, as if it had been made. */
async function makeLipsync(owner: string): Promise<{ lipsync: string; video: string }> {
  const number = String(Math.trunc(Math.random() * 1e15));
  const key = `made0000-${number}`;
  const video = { key, status: 'COMPLETED', url: 'https://media.example/v.mp4', isOffPeak: false };
  const id = await insertLipsync(app.app.db, {
    owner,
    result_video_id: key,
    result_video: JSON.stringify(video),
  });
  return { lipsync: encodeId('Lipsync', id), video: encodeId('Video', key) };
}

async function tellOf(lipsyncId: string): Promise<string> {
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

/** As much as a gateway may ask of each. */
const richQuery = `query ($representations: [_Any!]!) { _entities(representations: $representations) {
  __typename
  ... on Lipsync { id status reference text voice { name } result { id url } failure { code } progress { percent queuePosition } }
  ... on Video { id state: status url prompt }
  ... on Voice { id name previewUrl }
} }`;

/** A hundred references at once, and what all of them cost. Every one of `found` is there. */
async function measure(asked: Reference[], found = asked, from = app) {
  expect(asked).toHaveLength(100);
  let answer: Entities['_entities'] = [];
  const effort = await measureEffort(from, async () => {
    const { data, errors } = await from.ask<Entities>(richQuery, { representations: asked }, first);
    expect(errors).toBeUndefined();
    answer = data?._entities ?? [];
  });
  const names = (entities: (Reference | null)[]) =>
    entities.map((entity) => entity && { __typename: entity.__typename, id: entity.id });
  expect(names(answer)).toEqual(names(asked.map((each) => (found.includes(each) ? each : null))));
  return effort;
}

const toReferences = (__typename: Kind, list: readonly string[]): Reference[] =>
  list.map((id) => ({ __typename, id }));

/** Running ones that are not ours: somebody made them on the website. Off-peak jobs take no place. */
async function makeOnWebsite(email: string, count: number): Promise<void> {
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
  test('everything that has an identity is an entity', () => {
    const Node = schema.getType('Node');
    const nodes = isInterfaceType(Node) ? schema.getPossibleTypes(Node) : [];
    const Entity = schema.getType('_Entity');
    const entities = isUnionType(Entity) ? Entity.getTypes() : [];
    const names = (types: readonly { name: string }[]) => types.map(({ name }) => name).toSorted();
    expect(names(entities)).toEqual(names(nodes));
    expect(names(entities)).toEqual([...kinds]);
  });

  test('the SDL that gateways are told is the committed one', async () => {
    const { data } = await app.ask<{ _service: { sdl: string } }>('{ _service { sdl } }', {}, own);
    expect(data?._service.sdl).toBe(await readFile('schema.graphql', 'utf8'));
  });

  test.each(kinds)('a reference to a %s gives it', async (__typename) => {
    const id = ids[__typename];
    const { data, errors } = await refer([{ __typename, id }]);
    expect(errors).toBeUndefined();
    expect(data?._entities).toEqual([{ __typename, id }]);
  });

  test('references are answered in their order, whatever they are mixed with', async () => {
    const asked = [...kinds, ...kinds].map((__typename) => ({ __typename, id: ids[__typename] }));
    const { data } = await refer(asked);
    expect(data?._entities).toEqual(asked);
  });

  describe('a hundred references cost at most two statements, and one call and one for each account:', () => {
    test('to lip-syncs and to the videos they made one statement and no call', async () => {
      const made = await Promise.all(Array.from({ length: 100 }, () => makeLipsync('key:first')));
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

    test('to videos of which most are gone one statement and the lists, or nothing where their accounts are unknown', async () => {
      const gone = Array.from({ length: 94 }, (_, at) => {
        const prefix = keyOf('Video', libraryIds[at % 6] ?? '')?.slice(0, 9);
        return encodeId('Video', `${prefix}${at + 1}`);
      });
      await using other = await startTestApp({ env: keys.env, sandbox: { accounts } });
      const nothing = await measure(toReferences('Video', [...libraryIds, ...gone]), [], other);
      expect(nothing.calls).toEqual([]);
      const asked = toReferences('Video', [...libraryIds, ...gone]);
      const { statements, calls } = await measure(asked, asked.slice(0, 6));
      expect(statements).toHaveLength(1);
      expect(calls).toHaveLength(2);
    });

    test('to videos that no lip-sync knows, running ones too, one statement and a page of each list', async () => {
      for (const { email } of accounts) await makeOnWebsite(email, 47);
      const { statements, calls } = await measure(toReferences('Video', await listVideos()));
      expect(statements).toHaveLength(1);
      expect(calls).toHaveLength(2);
      expect(new Set(calls.map((path) => /email=\w/.exec(path)?.[0])).size).toBe(2);
    });

    test('to voices, also when none was ever asked for', async () => {
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

    test('to all of them at once', async () => {
      const made = await Promise.all(Array.from({ length: 30 }, () => makeLipsync('key:first')));
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

  test('the accounts cost one call each for what only the provider knows', async () => {
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
    const { statements, calls } = await measureEffort(app, async () => {
      expect((await refer(asked)).data?._entities).toEqual(asked);
    });
    expect(statements.length).toBeLessThanOrEqual(2);
    expect(calls.map((path) => /\w+(?=\/\?)/.exec(path)?.[0])).toEqual(['features', 'features']);
  });
});

describe('refuses', () => {
  test('nobody, and whoever lacks the scope, with a code for each reference', async () => {
    const asked = kinds.map((__typename) => ({ __typename, id: ids[__typename] }));
    const refusals = async (headers: Record<string, string>) => {
      const { data, errors } = await refer(asked, headers);
      const codes = errors?.map(({ path, extensions }) => [path?.[1], extensions?.code]);
      return { data, codes: Object.fromEntries(codes ?? []) };
    };
    const nothing = { _entities: asked.map(() => null) };
    expect(await refusals({})).toEqual({
      data: nothing,
      codes: Object.fromEntries(kinds.map((_, at) => [at, 'NOT_AUTHENTICATED'])),
    });
    const at = (kind: Kind) => kinds.indexOf(kind);
    expect(await refusals(writer)).toEqual({
      data: nothing,
      codes: Object.fromEntries(
        kinds.filter((kind) => kind !== 'Video').map((kind) => [at(kind), 'NOT_AUTHORIZED']),
      ),
    });
    expect((await refusals(own)).codes).toEqual({ [at('Account')]: 'NOT_AUTHORIZED' });
  });
});

describe('keeps out', () => {
  test.each(['Lipsync', 'Upload', 'WebhookDelivery', 'Video'] as const)(
    "another owner's %s answers like a missing one",
    async (__typename) => {
      const id = ids[__typename];
      const missing = encodeId(__typename, __typename === 'Video' ? 'made0000-1' : randomUUID());
      const headers = __typename === 'Video' ? own : second;
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

  test('references that are none are null, spoil no other one, and are no defect of ours', async () => {
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
