import {
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  isInputObjectType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { decodeId, encodeId } from '../../../src/graphql/ids.ts';
import { schema } from '../../../src/schema.ts';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import { type Agent, connectAgent } from '../../support/agent.ts';
import { type FileServer, openFileServer } from '../../support/file-server.ts';
import { execute, type Transport } from '../../support/transports.ts';
import { listenToWork } from './recorded-work.ts';
import { openTwoOwners, patient, type TwoOwners } from './two-owners.ts';

let it: TwoOwners;
let receiver: Receiver;
let files: FileServer;
let bobsAgent: Agent;
let work: ReturnType<typeof listenToWork>;

/** The ids of Ann's objects, by type. */
let anns: Record<Owned, string>;
type Owned =
  | 'Lipsync'
  | 'running Lipsync'
  | 'Upload'
  | 'arriving Upload'
  | 'Video'
  | 'WebhookDelivery';

beforeAll(async () => {
  receiver = await openReceiver();
  it = await openTwoOwners();
  const { ann } = it.people;
  const { annVideo, bobVideo } = it.uploads;
  const [lipsync] = await Promise.all([
    it.finished('ann', annVideo, { callbackUrl: receiver.url, reference: 'Ann’s own' }),
    it.finished('bob', bobVideo),
  ]);
  const text = { script: { text: '[[never]] mine' } };
  const running = await ann.create({ video: { uploadId: annVideo }, speech: text });
  const delivery = await vi.waitFor(async () => {
    type Data = { lipsync: { webhookDeliveries: { id: string; status: string }[] } };
    const query = 'query ($id: ID!) { lipsync(id: $id) { webhookDeliveries { id status } } }';
    const data = await ann.ask<Data>(query, { id: lipsync.id });
    expect(data.lipsync.webhookDeliveries[0]?.status).toBe('DELIVERED');
    return data.lipsync.webhookDeliveries[0]?.id ?? '';
  }, patient);
  files = await openFileServer({ '/held.wav': () => undefined });
  const imported = await ann.ask<{ importUpload: { upload: { id: string } } }>(
    `mutation ($url: URL!) { importUpload(input: { kind: AUDIO, url: $url }) {
       ... on ImportUploadSuccess { upload { id } } } }`,
    { url: files.url('/held.wav') },
  );
  await vi.waitFor(() => expect(files.requests).toHaveLength(1), patient);
  bobsAgent = await connectAgent({
    url: it.url,
    headers: { authorization: `Bearer ${it.tokens.bob}` },
  });
  anns = {
    'arriving Upload': imported.importUpload.upload.id,
    Lipsync: lipsync.id,
    'running Lipsync': running,
    Upload: it.uploads.annSound,
    Video: lipsync.result?.id ?? '',
    WebhookDelivery: delivery,
  };
  work = listenToWork(it.app.db, () => it.readSandbox('requests'));
  // Retention, at minute 17 of each hour, would add its statements to one of two answers.
  await it.app.db.query('delete from pgboss.schedule');
  await work.learnBackground();
});

afterAll(async () => {
  vi.restoreAllMocks();
  receiver?.close();
  files?.close();
  await bobsAgent?.client.close();
  await it?.stop();
});

/** A well-formed id of no object. The account of the missing video exists. */
function missingLike(owned: Owned): string {
  const { typename, id } = decodeId(anns[owned]) ?? { typename: '', id: '' };
  const key = owned === 'Video' ? `${id.slice(0, 8)}-1` : '00000000-0000-4000-8000-000000000000';
  return encodeId(typename, key);
}

type Wall = {
  owned: Owned;
  query: string;
  /** Besides `id`. */
  variables?: () => object;
};

const failed = '{ __typename ... on LipsyncError { code message retryable retryAfterSeconds } }';
const everything = 'query ($id: ID!) { node(id: $id) { __typename id } }';
const many = 'query ($id: ID!) { nodes(ids: [$id]) { __typename id } }';
const references = `query ($references: [_Any!]!) { _entities(representations: $references) {
  __typename ... on Node { id } } }`;
const create = `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) ${failed} }`;
const createAll = `mutation ($input: CreateLipsyncInput!) { createLipsyncs(input: { items: [$input] }) {
  ... on CreateLipsyncsSuccess { results ${failed} } } }`;

const estimate = `query ($input: EstimateLipsyncInput!) { estimateLipsync(input: $input) ${failed} }`;

const ofType = (owned: Owned): [string, Wall][] => [
  [`Query.node of a ${owned}`, { owned, query: everything }],
  [`Query.nodes of a ${owned}`, { owned, query: many }],
  [`Query._entities of a ${owned}`, { owned, query: references }],
];

/** Every argument that takes the id of an owned object, by field of the schema. */
const walls: [string, Wall][] = [
  ['Query.lipsync', { owned: 'Lipsync', query: 'query ($id: ID!) { lipsync(id: $id) { id } }' }],
  ['Query.upload', { owned: 'Upload', query: 'query ($id: ID!) { upload(id: $id) { id } }' }],
  [
    'Query.webhookDelivery',
    { owned: 'WebhookDelivery', query: 'query ($id: ID!) { webhookDelivery(id: $id) { id } }' },
  ],
  ['Query.video', { owned: 'Video', query: 'query ($id: ID!) { video(id: $id) { id url } }' }],
  ...ofType('Lipsync'),
  ...ofType('Upload'),
  ...ofType('arriving Upload'),
  ...ofType('Video'),
  ...ofType('WebhookDelivery'),
  ...(['Lipsync', 'running Lipsync'] as const).flatMap((owned): [string, Wall][] => [
    [
      `Mutation.cancelLipsync of a ${owned}`,
      { owned, query: `mutation ($id: ID!) { cancelLipsync(input: { id: $id }) ${failed} }` },
    ],
    [
      `Mutation.deleteLipsync of a ${owned}`,
      { owned, query: `mutation ($id: ID!) { deleteLipsync(input: { id: $id }) ${failed} }` },
    ],
    [
      `Subscription.lipsyncProgress of a ${owned}`,
      { owned, query: `subscription ($id: ID!) { lipsyncProgress(id: $id) ${failed} }` },
    ],
    [
      `Subscription.lipsyncsProgress of a ${owned}`,
      { owned, query: `subscription ($id: ID!) { lipsyncsProgress(ids: [$id]) ${failed} }` },
    ],
  ]),
  [
    'Mutation.deleteVideo',
    {
      owned: 'Video',
      query: `mutation ($id: ID!) { deleteVideo(input: { id: $id }) ${failed} }`,
    },
  ],
  [
    'Mutation.deleteUpload',
    {
      owned: 'Upload',
      query: `mutation ($id: ID!) { deleteUpload(input: { id: $id }) ${failed} }`,
    },
  ],
  [
    'Mutation.redeliverWebhook',
    {
      owned: 'WebhookDelivery',
      query: `mutation ($id: ID!) { redeliverWebhook(input: { id: $id }) ${failed} }`,
    },
  ],
  [
    'Mutation.deleteUpload of an import',
    {
      owned: 'arriving Upload',
      query: `mutation ($id: ID!) { deleteUpload(input: { id: $id }) ${failed} }`,
    },
  ],
  ['Mutation.createLipsync with an import of a sound', { owned: 'arriving Upload', query: create }],
  [
    'Query.estimateLipsync with an import of a sound',
    { owned: 'arriving Upload', query: estimate },
  ],
  ['Mutation.createLipsync of a video', { owned: 'Video', query: create }],
  ['Mutation.createLipsync of an uploaded video', { owned: 'Upload', query: create }],
  ['Mutation.createLipsync of a sound', { owned: 'Upload', query: create }],
  ['Query.estimateLipsync of a video', { owned: 'Video', query: estimate }],
  ['Query.estimateLipsync of an uploaded video', { owned: 'Upload', query: estimate }],
  ['Query.estimateLipsync of a sound', { owned: 'Upload', query: estimate }],
  ['Mutation.createLipsyncs of a video', { owned: 'Video', query: createAll }],
  ['Mutation.createLipsyncs of an uploaded video', { owned: 'Upload', query: createAll }],
  ['Mutation.createLipsyncs of a sound', { owned: 'Upload', query: createAll }],
];

/** Fields whose ids have no owner: voices belong to all callers, accounts to admins. */
const ownerless = [
  'Query.account',
  'Query.voice',
  'Query.allLipsyncs',
  'Query.ownerErasure',
  'Mutation.reconnectAccount',
  'Mutation.requeueLipsync',
  'Mutation.endLipsync',
  'Mutation.attachLipsyncJob',
];

function variablesOf(name: string, id: string): object {
  const text = { script: { text: 'Mine now.' } };
  if (name.endsWith('of a video')) return { input: { video: { videoId: id }, speech: text } };
  if (name.endsWith('an uploaded video'))
    return { input: { video: { uploadId: id }, speech: text } };
  if (name.endsWith('of a sound')) {
    const { bobVideo } = it.uploads;
    return { input: { video: { uploadId: bobVideo }, speech: { uploadId: id } } };
  }
  const { typename } = decodeId(id) ?? {};
  return name.includes('_entities') ? { references: [{ __typename: typename, id }] } : { id };
}

function transportsOf(name: string): Transport[] {
  const always: Transport[] = ['SSE by POST', 'multipart stream', 'WebSocket'];
  if (name.startsWith('Mutation')) return ['POST', ...always];
  if (name.startsWith('Subscription')) return ['SSE by GET', ...always];
  return ['POST', 'GET', 'SSE by GET', ...always];
}

/** The tool of `/mcp` that takes the same id; null if there is none. */
function toolOf(name: string): string | null {
  const tools: Record<string, string> = {
    'Query.lipsync': 'get_lipsync',
    'Mutation.cancelLipsync': 'cancel_lipsync',
    'Subscription.lipsyncProgress': 'wait_for_lipsync',
    'Mutation.createLipsync': 'create_lipsync',
    'Query.estimateLipsync': 'estimate_lipsync',
  };
  return tools[name.split(' ', 1)[0] ?? ''] ?? null;
}

/** What a tool requires besides. */
const moreInputOf = (tool: string | null) =>
  tool === 'create_lipsync' ? { idempotencyKey: 'bob' } : {};

/** Whether the input type contains an id at any depth. */
function hasId(type: GraphQLInputType): boolean {
  const named = getNamedType(type);
  if (isInputObjectType(named)) {
    return Object.values(named.getFields()).some((field) => hasId(field.type));
  }
  return named.name === 'ID' || named.name === '_Any';
}

describe('the table', () => {
  test('has a row for every field that takes an id', () => {
    const takesId = ({ args }: GraphQLField<unknown, unknown>) =>
      args.some(({ type }) => hasId(type));
    const names = ['Query', 'Mutation', 'Subscription'].flatMap((typeName) => {
      const type = schema.getType(typeName);
      const fields = isObjectType(type) ? Object.values(type.getFields()) : [];
      return fields.filter(takesId).map(({ name }) => `${typeName}.${name}`);
    });
    const rows = walls.map(([name]) => name.split(' ', 1)[0]);
    expect([...new Set([...rows, ...ownerless])].toSorted()).toEqual(names.toSorted());
  });
});

describe('keeps out', () => {
  test.each(walls)(
    "%s: another owner's id is answered like a missing one, with the same work, on every transport",
    async (name, { owned, query }) => {
      const execution = (transport: Transport, id: string) => async () => {
        const variables = variablesOf(name, id);
        const operation = { query, variables };
        const result = await execute(transport, { url: it.url, token: it.tokens.bob, operation });
        return JSON.stringify(result).replaceAll(id, '<its id>');
      };
      const tool = toolOf(name);
      const callTool = (id: string) => async () => {
        const input = variablesOf(name, id) as { input?: object };
        const { call } = bobsAgent;
        const answer = await call(tool ?? '', { ...(input.input ?? input), ...moreInputOf(tool) });
        return JSON.stringify(answer).replaceAll(id, '<its id>');
      };
      const transports = [
        ...transportsOf(name).map((transport) => ({
          transport: transport as string,
          ask: (id: string) => execution(transport, id),
        })),
        ...(tool === null ? [] : [{ transport: '/mcp', ask: callTool }]),
      ];
      for (const { transport, ask } of transports) {
        // The first request may fill caches, such as that of the accounts.
        await ask(missingLike(owned))();
        const missing = await work.during(ask(missingLike(owned)));
        const other = await work.during(ask(anns[owned]));
        expect(other, transport).toEqual(missing);
        expect(missing.answer).toMatch(/null|NOT_FOUND/);
        expect(missing.work.filter((each) => each.endsWith('upstream'))).toEqual([]);
      }
    },
  );

  test("changes of Ann's objects by any of these requests", async () => {
    const { ann } = it.people;
    const found = await ann.ask<{ nodes: object[] }>(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename
         ... on Lipsync { status webhookDeliveries { status attempts } } ... on Upload { phase: status }
         ... on Video { state: status url } } }`,
      { ids: Object.values(anns) },
    );
    expect(found.nodes).toMatchObject([
      { phase: 'RECEIVING' },
      { status: 'COMPLETED', webhookDeliveries: [{ status: 'DELIVERED', attempts: 1 }] },
      { status: expect.stringMatching(/SUBMITTED|GENERATING/) },
      { phase: 'READY' },
      { state: 'COMPLETED', url: expect.stringContaining('http') },
      { __typename: 'WebhookDelivery' },
    ]);
    expect(receiver.received).toHaveLength(1);
  });
});
