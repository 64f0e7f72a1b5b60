/**
 * Measures whether an operation takes longer for an owner with a long history: 200,000 finished lip-syncs, all made from one
 * video, beside an owner with 1,000. Two programs in this process, each on an embedded database of its own.
 * `GROWTH_ROWS=1000000` is the long form. The short form has 10,000: that no statement reads more rows than with a short
 * history is what `test/database/plans.test.ts` asserts, with 200,000.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { connectDatabase } from '../src/database/connect.ts';
import { vacuumChangedTables } from '../src/database/vacuum.ts';
import { encodeId, keyOf } from '../src/graphql/ids.ts';
import { createLog } from '../src/log.ts';
import { startSandbox } from '../src/sandbox/sandbox.ts';
import { createGraphQLClient } from '../test/support/graphql-client.ts';
import { fillHistory, historicId } from '../test/support/history.ts';
import type { Comparison, Measurement } from './report.ts';

const small = 1_000;

/** `repeats`: each value is the fastest of so many operations, because other processes only add time. */
type Size = { large: number; rounds: number; repeats: number };
const short: Size = { large: 10_000, rounds: 1, repeats: 6 };
const full: Size = { large: Number(process.env.GROWTH_ROWS ?? 200_000), rounds: 9, repeats: 15 };

const apiKey = 'growth';
const hash = createHash('sha256').update(apiKey).digest('hex');
const headers = { authorization: `Bearer ${apiKey}` };

export const run: Measurement = async ({ isShort }) => {
  const size = isShort ? short : full;
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-growth-'));
  const programs = [];
  try {
    for (const count of [size.large, small]) programs.push(await openProgram(folder, count));
    const [ours, peer] = programs.map(createOperations);
    if (ours === undefined || peer === undefined) throw new Error('No program was started.');
    const comparisons = [];
    for (const name of Object.keys(ours)) {
      comparisons.push(await compare({ name, size, ours, peer }));
    }
    return comparisons;
  } finally {
    for (const { close } of programs) await close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function compare(subject: {
  name: string;
  size: Size;
  ours: Operations;
  peer: Operations;
}): Promise<Comparison> {
  const { name, size, ours, peer } = subject;
  const values: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  // The first round only warms up.
  for (let round = 0; round <= size.rounds; round += 1) {
    const measured = await measureRound(ours[name], peer[name], size.repeats);
    if (round === 0) continue;
    values.ours.push(measured.ours);
    values.peer.push(measured.peer);
  }
  return {
    name: `${name}, ${size.large} rows`,
    unit: 'ms',
    ours: values.ours,
    peer: { name: `${small} rows`, values: values.peer },
    promise: { bound: 'at most', ratio: 1.2 },
  };
}

/** Does one operation and returns its milliseconds, without what it does before and after. */
type Operation = () => Promise<number>;
type Operations = Record<string, Operation>;

/** The fastest of operations that alternate between both, so that a busy machine slows both. */
async function measureRound(
  ours: Operation | undefined,
  peer: Operation | undefined,
  repeats: number,
) {
  if (ours === undefined || peer === undefined) throw new Error('The operation is missing.');
  const values: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    values.ours.push(await ours());
    values.peer.push(await peer());
  }
  return { ours: Math.min(...values.ours), peer: Math.min(...values.peer) };
}

type Program = Awaited<ReturnType<typeof openProgram>>;

/** The program with a history, and one lip-sync that never ends. */
async function openProgram(folder: string, count: number) {
  const dataDir = await mkdtemp(join(folder, 'data-'));
  const log = createLog('silent');
  const sandbox = await startSandbox({
    dataDir,
    accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
    queuedMs: 1,
    generatingMs: 1,
  });
  const config = readConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    LIPSYNCS_PER_DAY: '100000',
    LIPSYNCS_IN_FLIGHT: '1000',
    API_KEYS: `owner:${hash}:lipsync:read lipsync:write`,
    ALLOW_ANONYMOUS: 'true',
  });
  const database = connectDatabase({ dataDir, log });
  const app = await startApp({ config, log, database, openUpstream: async () => sandbox });
  const client = createGraphQLClient(app.url);
  const { data } = await client.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const video = data?.videos.nodes[0]?.id ?? '';
  const sourceKey = keyOf('Video', video) ?? '';
  await fillHistory(app.db, { owner: 'key:owner', count, sourceKey });
  await vacuumChangedTables(app.db);
  const ask = async <Data>(query: string, variables: object = {}): Promise<Data> => {
    const answer = await client.ask<Data>(query, { ...variables }, headers);
    if (!answer.data || answer.errors) throw new Error(JSON.stringify(answer));
    return answer.data;
  };
  const program = {
    count,
    video,
    ask,
    client,
    async close() {
      await app.close();
      await sandbox.close();
    },
  };
  await create(program, { text: '[[never]] ends' });
  return program;
}

type Created = { createLipsync: { lipsync?: { id: string; status: string } } };

async function create(
  { ask, video }: Pick<Program, 'ask' | 'video'>,
  { text, ...more }: { text: string; maxJobs?: number; idempotencyKey?: string },
): Promise<string> {
  const { createLipsync } = await ask<Created>(
    `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
       ... on CreateLipsyncSuccess { lipsync { id status } } ... on LipsyncError { code message } } }`,
    { input: { video: { videoId: video }, speech: { script: { text } }, ...more } },
  );
  if (!createLipsync.lipsync) throw new Error(JSON.stringify(createLipsync));
  return createLipsync.lipsync.id;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function createOperations(program: Program): Operations {
  return { ...createReads(program), ...createChanges(program) };
}

function createReads({ ask, client, count }: Program): Operations {
  // From old to new, a different lip-sync each time.
  let nextRow = 0;
  const nextId = () => {
    nextRow = (nextRow % (small - 100)) + 1;
    return encodeId('Lipsync', historicId(Math.ceil((nextRow * count) / small)));
  };
  const readLipsyncs = (range: string) =>
    ask<{ lipsyncs: Page }>(
      `{ lipsyncs(first: 20${range}) {
         nodes { id status sourceVideo { id } result { url } } pageInfo { endCursor } } }`,
    );
  const readVideos = (range: string) =>
    ask<{ videos: Page }>(
      `{ videos(first: 20${range}) { ... on VideoConnection { nodes { id url } pageInfo { endCursor } } } }`,
    );
  const lipsyncs = (range: string) => () => timed(() => readLipsyncs(range));
  const videos = (range: string) => () => timed(() => readVideos(range));
  const middle = new Date(Date.now() - 14 * 86_400_000).toISOString();
  const inMiddle = `, filter: { createdBefore: "${middle}" }`;
  const after = ({ pageInfo }: Page) => `, after: "${pageInfo.endCursor}"`;
  return {
    'lipsyncs, first page': lipsyncs(''),
    'lipsyncs, page in the middle': async () => {
      const range = after((await readLipsyncs(inMiddle)).lipsyncs);
      return timed(() => readLipsyncs(range));
    },
    'lipsyncs, a rare status': lipsyncs(', filter: { statuses: [FAILED, EXPIRED] }'),
    'lipsyncs, a common reference': lipsyncs(', filter: { reference: "campaign" }'),
    'own videos, first page': videos(''),
    'own videos, page in the middle': async () => {
      const range = after((await readVideos(inMiddle)).videos);
      return timed(() => readVideos(range));
    },
    'entity references, 50 lip-syncs': () => {
      const of = Array.from({ length: 50 }, () => ({ __typename: 'Lipsync', id: nextId() }));
      return timed(() => ask(entitiesQuery, { of }));
    },
    'resume of a finished subscription': async () => {
      const id = nextId();
      const first = await readFirstCursor(ask, id);
      return timed(() => watch(client, id, first));
    },
    'limits of the viewer': () =>
      timed(() =>
        ask('{ viewer { lipsyncsPerDay { remaining } lipsyncsInFlight { remaining } } }'),
      ),
  };
}

type Page = { pageInfo: { endCursor: string } };

/** The cursor of the oldest event of a lip-sync. */
async function readFirstCursor(ask: Program['ask'], id: string): Promise<string> {
  const { lipsync } = await ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 1) { nodes { cursor } } } }',
    { id },
  );
  const cursor = lipsync.events.nodes[0]?.cursor;
  if (cursor === undefined) throw new Error('The lip-sync has no event.');
  return cursor;
}

const entitiesQuery =
  'query ($of: [_Any!]!) { _entities(representations: $of) { ... on Lipsync { id status } } }';

function createChanges(program: Program): Operations {
  const { ask, client } = program;
  const measureCreate = async (request: { text: string; maxJobs?: number }) => {
    let id = '';
    const ms = await timed(async () => {
      id = await create(program, request);
    });
    return { id, ms };
  };
  return {
    'createLipsync into the queue': async () => {
      const { id, ms } = await measureCreate({ text: 'Waits.', maxJobs: 1 });
      const cancel = 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }';
      await ask(cancel, { id });
      return ms;
    },
    'createLipsync, claimed and sent': async () => {
      const { id, ms } = await measureCreate({ text: 'Is sent.' });
      await watch(client, id);
      return ms;
    },
    'a replay by idempotencyKey': async () => {
      const request = { text: 'Once.', maxJobs: 1, idempotencyKey: 'once' };
      await create(program, request);
      return timed(() => create(program, request));
    },
  };
}

/** Follows a lip-sync to its end: from its newest event, or after the one with this cursor. */
async function watch(client: Program['client'], id: string, after?: string): Promise<void> {
  const query =
    'subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { __typename } }';
  for await (const _ of client.watchSse(query, { id, after }, { headers }));
}
