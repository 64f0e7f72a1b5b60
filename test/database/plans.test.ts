import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { vacuumChangedTables } from '../../src/database/vacuum.ts';
import { encodeId, keyOf } from '../../src/graphql/ids.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { type TestStorage, testDatabase, testStorage } from '../support/database.ts';
import { fillHistory, historicId } from '../support/history.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { type ReadCost, recordReads } from '../support/plans.ts';
import { uploadFile } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';

/** Finished lip-syncs of one owner, all made from one video. */
const count = 200_000;

/** Five times a page of 100. */
const maxRows = 500;
/** 8 KB each. Five for each row: the levels of an index, and the row. */
const maxPages = 5 * maxRows;

const keys = createApiKeys({
  owner: ['lipsync:read', 'lipsync:write'],
  admin: ['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write', 'admin'],
});
const { owner } = keys.headers;

let storage: TestStorage;
let sandboxDir: string;
let video: string;
let accountId: string;
let recorded: ReturnType<typeof recordReads>;
let app: LipsyncApp;

const start = (wrapDatabase: (db: Database) => Database) =>
  startLipsyncApp({
    storage,
    wrapDatabase,
    env: {
      ...keys.env,
      LIPSYNCS_PER_DAY: '300',
      LIPSYNCS_IN_FLIGHT: '50',
      COST_PER_MINUTE: '1000000',
    },
    sandbox: { dataDir: sandboxDir },
    intervals: { tickMs: 100, callbackMs: 100 },
  });

beforeAll(async () => {
  [storage, sandboxDir] = await Promise.all([
    testStorage(),
    mkdtemp(join(tmpdir(), 'lipsync-sandbox-')),
  ]);
  const first = await start((db) => db);
  [video = ''] = await first.listVideoIds(undefined, keys.headers.admin);
  const sourceKey = keyOf('Video', video) ?? '';
  const [account] = await first.db.query<{ id: string }>('select id from accounts');
  accountId = account?.id ?? '';
  const history = { owner: 'key:owner', count, sourceKey, accountId };
  await fillHistory(first.db, { ...history, to: 1_000 });
  await vacuumChangedTables(first.db);
  // In parts, because a statement has a time limit.
  for (let from = 1_001; from <= count; from += 20_000) {
    await fillHistory(first.db, { ...history, from, to: Math.min(count, from + 19_999) });
  }
  await first.stop();
}, 600_000);
afterAll(async () => {
  await app?.stop();
  await storage?.remove();
  await rm(sandboxDir, { recursive: true, force: true });
});

const pageInfo = 'pageInfo { startCursor endCursor }';
type Page = { pageInfo: { startCursor: string; endCursor: string } };

/** Reads the first and the last page of a list, and the pages around them and around one in the middle. */
async function readPages(field: 'lipsyncs' | 'videos', filter: object | null): Promise<void> {
  const type = field === 'lipsyncs' ? 'Lipsync' : 'Video';
  const fields =
    field === 'lipsyncs'
      ? `nodes { id events(first: 2) { nodes { cursor } } sourceVideo { id } result { id } voice { id } webhookDeliveries { id } } ${pageInfo}`
      : `... on VideoConnection { nodes { id } ${pageInfo} }`;
  const query = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: ${type}Filter) {
    ${field}(first: $first, after: $after, last: $last, before: $before, filter: $filter) { ${fields} } }`;
  const read = async (range: object, more: object = {}) =>
    (
      await app.askForData<Record<string, Page>>(
        query,
        { ...range, filter: filter === null ? more : { ...filter, ...more } },
        owner,
      )
    )[field]?.pageInfo;
  const newest = await read({ first: 20 });
  const oldest = await read({ first: 20 }, { createdBefore: daysAgo(18) });
  if (field === 'lipsyncs') await read({ last: 20 });
  await read({ first: 20, after: newest?.endCursor });
  await read({ first: 20, after: oldest?.startCursor });
  await read({ last: 20, before: oldest?.startCursor });
  await read({ last: 20, before: newest?.endCursor });
}

/** The uploads of `viewer`, whose other lists send the statements of `lipsyncs` and `videos`. */
async function readUploads(): Promise<void> {
  type Data = { viewer: { uploads: Page } };
  const read = async (range: Record<string, unknown>) =>
    (
      await app.askForData<Data>(
        `query ($first: Int, $after: String, $last: Int, $before: String) { viewer {
           uploads(first: $first, after: $after, last: $last, before: $before) { nodes { id } ${pageInfo} } } }`,
        range,
        owner,
      )
    ).viewer.uploads.pageInfo;
  const newest = await read({ first: 20 });
  const oldest = await read({ last: 20 });
  await read({ first: 20, after: newest.endCursor });
  await read({ first: 20, after: oldest.startCursor });
  await read({ last: 20, before: oldest.startCursor });
  await read({ last: 20, before: newest.endCursor });
}

async function readLists(): Promise<void> {
  await readUploads();
  const time = { createdAfter: daysAgo(20), createdBefore: daysAgo(10) };
  const filters: ['lipsyncs' | 'videos', (object | null)[]][] = [
    [
      'lipsyncs',
      [
        ...[
          null,
          { statuses: ['COMPLETED'] },
          { statuses: ['FAILED', 'EXPIRED'] },
          { statuses: ['QUEUED'] },
        ],
        ...[{ reference: 'campaign' }, { reference: 'none' }, time],
        { reference: 'campaign', statuses: ['FAILED'], ...time },
      ],
    ],
    ['videos', [null, { statuses: ['COMPLETED'] }, { statuses: ['FAILED', 'QUEUED'] }, time]],
  ];
  for (const [field, each] of filters) for (const filter of each) await readPages(field, filter);
}

/** What admins read of all owners, and the usage and the estimates of one. */
async function readForAdmins(): Promise<void> {
  const query = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: AdminLipsyncFilter) {
    allLipsyncs(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      nodes { id owner sourceVideo { id } } ${pageInfo} } }`;
  const read = async (range: object, filter: object) =>
    (await app.askForData<{ allLipsyncs: Page }>(query, { ...range, filter }, keys.headers.admin))
      .allLipsyncs.pageInfo;
  const account = { accountId: encodeId('Account', accountId) };
  const time = { createdAfter: daysAgo(20), createdBefore: daysAgo(10) };
  for (const target of [{}, account, { owner: 'key:owner' }, { owner: 'key:owner', ...account }]) {
    for (const more of [
      {},
      { statuses: ['COMPLETED'] },
      { statuses: ['QUEUED', 'FAILED'] },
      time,
    ]) {
      const filter = { ...target, ...more };
      const newest = await read({ first: 20 }, filter);
      await read({ first: 20, after: newest.endCursor }, filter);
      await read({ last: 20 }, filter);
      const middle = await read({ first: 20 }, { createdBefore: daysAgo(15), ...filter });
      await read({ first: 20, after: middle.endCursor }, filter);
      await read({ last: 20, before: middle.startCursor }, filter);
    }
  }
  // Of an account that made none: the rows of the owner are not searched for it.
  const other = encodeId('Account', 'AAAAAAAAAAAA');
  await read({ first: 20 }, { owner: 'key:owner', accountId: other });
  await app.askForData(
    'query ($from: DateTime) { usage(owner: "key:owner", from: $from) { credits } }',
    { from: daysAgo(360) },
    keys.headers.admin,
  );
  await app.askForData(
    '{ queue { waitingCount unknownCount owners(first: 100) { owner oldestWaitingAt } } usageByOwner(first: 100) { owner } }',
    {},
    keys.headers.admin,
  );
  const estimate = await app.askForData(
    `query ($speech: LipsyncSpeechInput!) { viewer { usage { created } }
       estimateLipsync(input: { speech: $speech }) { ... on LipsyncQuote { credits sampleCount } } }`,
    { speech: { script: { text: 'Good evening.' } } },
    owner,
  );
  expect(estimate).toMatchObject({ estimateLipsync: { credits: 20, sampleCount: 50 } });
}

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

async function readById(run: number): Promise<void> {
  const numbers = Array.from({ length: 30 }, (_, at) => count - at - 600 * run - 1);
  const lipsyncs = numbers.map((n) => encodeId('Lipsync', historicId(n)));
  const videos = numbers.map((n) => encodeId('Video', `result00-${n}`));
  const deliveries = numbers.map((n) => encodeId('WebhookDelivery', historicId(n)));
  const uploads = numbers.map((n) => encodeId('Upload', historicId(n)));
  const representations = [
    ...lipsyncs.map((id) => ({ __typename: 'Lipsync', id })),
    ...videos.map((id) => ({ __typename: 'Video', id })),
  ];
  await app.askForData(
    `query ($ids: [ID!]!, $one: ID!, $upload: ID!, $delivery: ID!) { node(id: $one) { id }
       nodes(ids: $ids) { id } upload(id: $upload) { id } lipsync(id: $one) { id status }
       webhookDelivery(id: $delivery) { id }
       viewer { lipsyncsPerDay { remaining } lipsyncsInFlight { remaining } webhookKeys { hint } } }`,
    {
      ids: [...lipsyncs, ...deliveries, ...uploads].slice(0, 75),
      one: lipsyncs[0],
      upload: uploads[0],
      delivery: deliveries[0],
    },
    owner,
  );
  await app.askForData(
    'query ($representations: [_Any!]!) { _entities(representations: $representations) { __typename } }',
    { representations },
    owner,
  );
  await fetch(`${app.url}/metrics`);
}

/** Creates, replays, queues, cancels and finishes lip-syncs, with webhooks, and follows an old one. */
async function changeLipsyncs(run: number): Promise<void> {
  const callbackUrl = 'https://receiver.example/hook';
  const create = (text: string, more: object = {}) =>
    app.create({ video: { videoId: video }, text, callbackUrl, ...more }, owner);
  const idempotencyKey = `new ${run}`;
  const sent = idOf(await create('Sent.', { idempotencyKey }));
  expect(await create('Sent.', { idempotencyKey })).toMatchObject({ replayed: true });
  await app.createAll(
    Array.from({ length: 5 }, (_, at) => ({
      video: { videoId: video },
      speech: { script: { text: `[[slow]] ${at}` } },
    })),
    owner,
  );
  const waiting = idOf(await create('Waits.', { expiresAt: new Date(Date.now() + 3_600_000) }));
  await app.cancel(waiting, owner);
  await create('[[moderated]]');
  await app.finishJob(sent).catch(() => undefined);
  await app.waitForEnd(sent, owner);
  const old = encodeId('Lipsync', historicId(count - 1 - run));
  const [first] = await app.readEvents(old, owner);
  const resumed = [];
  for await (const event of app.watchWs(
    'subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { __typename } }',
    { id: old, after: first?.cursor },
    { headers: owner },
  )) {
    resumed.push(event);
  }
  // The history has two events of each lip-sync.
  expect(resumed).toHaveLength(1);
  await app.delete(old, owner);
  await app.delete(sent, owner);
  await app.askForData(
    'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }',
    { id: encodeId('Video', `result00-${count - 2 - run}`) },
    owner,
  );
  const delivery = encodeId('WebhookDelivery', historicId(4 * run));
  await app.askForData(
    'mutation ($id: ID!) { redeliverWebhook(input: { id: $id }) { __typename } rotateWebhookSecret { __typename } }',
    { id: delivery },
    owner,
  );
  const upload = await uploadFile(
    { ask: (query, variables) => app.ask(query, variables, owner) },
    'AUDIO',
    Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]),
  );
  const speech = { uploadId: upload };
  const spoken = idOf(await app.create({ video: { videoId: video }, speech }, owner));
  await app.askForData(
    'query ($id: ID!) { lipsync(id: $id) { speechUpload { id } sourceUpload { id } } }',
    { id: spoken },
    owner,
  );
  // No name server knows the host: the import ends at once, and the lip-sync that waits for it.
  const url = 'https://files.invalid/a.wav';
  await app.askForData(
    'mutation ($url: URL!) { importUpload(input: { kind: AUDIO, url: $url }) { __typename } }',
    { url },
    owner,
  );
  const imported = idOf(await app.create({ video: { videoId: video }, speech: { url } }, owner));
  await app.waitForEnd(imported, owner);
  await app.askForData(
    'mutation ($id: ID!) { deleteUpload(input: { id: $id }) { __typename } }',
    { id: upload },
    owner,
  );
}

async function erase(): Promise<void> {
  const { lipsyncs, uploads, quotas } = app.services;
  // Of the 27 days of the history, the first one.
  for (const eraseBatch of lipsyncs.eraseOldBatches(new Date(daysAgo(27)))) {
    await eraseBatch(20);
  }
  await uploads.expireDue();
  await uploads.eraseUnused(new Date(daysAgo(1)));
  await uploads.eraseReadyBatch(new Date(daysAgo(27)))(20);
  await quotas.eraseBefore(new Date());
}

const tooMuch = (reads: readonly ReadCost[]) =>
  reads.filter(
    ({ rows, pages, scanned }) => rows > maxRows || pages > maxPages || scanned.length > 0,
  );

describe(`with ${count} finished lip-syncs of one owner from one video`, () => {
  it.each([
    ['with the statistics of the first thousand', 1],
    ['with new statistics', 2],
  ])(
    'no statement reads more than a few pages of a list, %s',
    async (_, run) => {
      await app?.stop();
      app = await start((db) => {
        recorded = recordReads(db);
        return recorded;
      });
      await readLists();
      await readForAdmins();
      await readById(run);
      await changeLipsyncs(run);
      await erase();
      if (run === 1) {
        await vacuumChangedTables(app.db);
        const [table] = await app.db.query<{ rows: number }>(
          "select reltuples::int as rows from pg_class where oid = 'public.lipsyncs'::regclass",
        );
        expect(table?.rows).toBeGreaterThan(count / 2);
      }
      expect(new Set(recorded.reads.map(({ text }) => text)).size).toBeGreaterThan(70);
      expect(tooMuch(recorded.reads)).toEqual([]);
    },
    600_000,
  );
});

describe('the record of reads', () => {
  it('shows a statement without an index', async () => {
    const db = recordReads(await testDatabase());
    await db.query('select 1 from lipsyncs where text = $1', ['a']);
    await db.transaction((tx) => tx.query('update uploads set path = null where path = $1', ['a']));
    expect(db.reads.map(({ scanned }) => scanned)).toEqual([['lipsyncs'], ['uploads']]);
    await db.close();
  });
});
