import { randomUUID } from 'node:crypto';
import { isInterfaceType, isUnionType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeId, keyOf } from '../../src/graphql/ids.ts';
import { schema } from '../../src/schema.ts';
import { insertLipsync } from '../domains/accounts/world.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';

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

/**
 * What one request costs: the statements that name what it is about, whoever else is at work, and the calls upstream
 * that are not those of the background.
 */
async function measure(about: string[], work: () => Promise<unknown>) {
  const before = await readCalls();
  const query = vi.spyOn(app.app.db, 'query');
  await work();
  const statements = query.mock.calls.filter(([, params]) => {
    const text = JSON.stringify(params ?? []);
    return about.some((part) => text.includes(part));
  });
  query.mockRestore();
  const calls = (await readCalls()).slice(before.length);
  return { statements: statements.length, calls };
}

async function readCalls(): Promise<string[]> {
  const requests = await app.readSandbox<{ method: string; path: string }[]>('requests');
  return requests.map(({ method, path }) => `${method} ${path}`);
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

  test('a hundred lip-syncs and the hundred videos they made cost one statement each, and no call', async () => {
    const made = await Promise.all(Array.from({ length: 100 }, () => makeLipsync('key:first')));
    for (const [__typename, part] of [
      ['Lipsync', 'lipsync'],
      ['Video', 'video'],
    ] as const) {
      const asked = made.map((each) => ({ __typename, id: each[part] }));
      const about = asked.map(({ id }) => keyOf(__typename, id) ?? '');
      const cost = await measure(about, async () => {
        expect((await refer(asked)).data?._entities).toEqual(asked);
      });
      expect(cost.statements).toBe(1);
      expect(cost.calls.filter((call) => call.includes('/videos'))).toEqual([]);
    }
  });

  test('a hundred videos of the accounts cost two statements at most and one call for each account', async () => {
    expect(libraryIds).toHaveLength(6);
    // As many as there are, and others that were there once.
    const gone = Array.from({ length: 94 }, (_, at) => {
      const prefix = keyOf('Video', libraryIds[at % 6] ?? '')?.slice(0, 9);
      return encodeId('Video', `${prefix}${at + 1}`);
    });
    const asked = [...libraryIds, ...gone].map((id) => ({ __typename: 'Video', id }));
    const about = libraryIds.map((id) => keyOf('Video', id)?.slice(0, 9) ?? '');
    const cost = await measure(about, async () => {
      const found = (await refer(asked)).data?._entities;
      expect(found).toEqual([...asked.slice(0, 6), ...gone.map(() => null)]);
    });
    expect(cost.statements).toBeLessThanOrEqual(2);
    const calls = cost.calls.filter((call) => call.includes('/videos'));
    expect(calls).toHaveLength(2);
    expect(new Set(calls).size).toBe(2);
  });

  test('a hundred voices cost one call at most', async () => {
    const asked = Array.from({ length: 100 }, (_, at) => ({
      __typename: 'Voice',
      id: encodeId('Voice', String(at + 1)),
    }));
    const cost = await measure([], async () => {
      const found = (await refer(asked)).data?._entities;
      expect(found?.filter((voice) => voice !== null)).toHaveLength(14);
    });
    expect(cost.calls.filter((call) => call.includes('/voices')).length).toBeLessThanOrEqual(1);
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
    const cost = await measure(
      listed.map(({ id }) => keyOf('Account', id) ?? ''),
      async () => {
        expect((await refer(asked)).data?._entities).toEqual(asked);
      },
    );
    expect(cost.statements).toBeLessThanOrEqual(2);
    expect(cost.calls.filter((call) => call.includes('/features'))).toHaveLength(2);
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
