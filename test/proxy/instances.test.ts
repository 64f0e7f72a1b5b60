import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { connectAgent } from '../support/agent.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/database.ts';
import { createGraphQLClient, type GraphQLClient } from '../support/graphql-client.ts';
import { createLipsync, readVideoIds } from '../support/lipsyncs.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { createUpload } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';
import { startComposeNginx } from './nginx.ts';

/*
 * compose.yaml without its containers: PostgreSQL, two instances of the program, and an nginx with the file that compose
 * mounts into its own.
 */
let folder: string;
let postgres: PostgresServer;
let sandbox: Sandbox;
let instances: [TestApp, TestApp];
let nginx: Awaited<ReturnType<typeof startComposeNginx>>;
let client: GraphQLClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-compose-'));
  postgres = await startPostgres();
  sandbox = await startSandbox({ dataDir: folder, queuedMs: 50, generatingMs: 200 });
  const url = await postgres.createDatabase();
  const storage = { url, dataDir: folder, log: silentLog, remove: async () => undefined };
  const start = () => startTestApp({ storage, upstream: sandbox });
  instances = await Promise.all([start(), start()]);
  nginx = await startComposeNginx([instances[0].url, instances[1].url]);
  client = createGraphQLClient(nginx.url);
});
afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]();
  await Promise.all(instances?.map((instance) => instance.stop()) ?? []);
  await sandbox?.close();
  await postgres?.remove();
  await rm(folder, { recursive: true, force: true });
});

const subscription = `subscription ($id: ID!) {
  lipsyncProgress(id: $id) { ... on LipsyncProgress { status } }
}`;

async function readLast<Event>(events: AsyncIterable<Event>): Promise<Event | undefined> {
  let last: Event | undefined;
  for await (const event of events) last = event;
  return last;
}

const completed = { data: { lipsyncProgress: { status: 'COMPLETED' } } };

const countRequests = (instance: TestApp) =>
  instance.logs.filter(({ msg, path }) => msg === 'request' && path === '/graphql').length;

test('creates and follows a lip-sync through nginx by WebSocket, and by event stream, with both instances serving', async () => {
  const { id } = await createLipsync(client);
  const { id: other } = await createLipsync(client);
  expect(await readLast(client.watchWs(subscription, { id }))).toMatchObject(completed);
  const event = await readLast(client.watchSse(subscription, { id: other }));
  expect(event?.data).toMatchObject(completed);
  expect(instances.map((instance) => countRequests(instance) > 0)).toEqual([true, true]);
});

test('passes on an upload larger than nginx takes by itself, the calls of an agent with their progress, and the link to the result', async () => {
  const through = (url: string) => new URL(new URL(url).pathname, nginx.url);
  const { id: uploadId, url } = await createUpload(client);
  const samples = Buffer.alloc(1_200_000);
  const body = Buffer.concat([wavHeader(samples.length, { sampleRate: 44_100 }), samples]);
  expect((await fetch(through(url), { method: 'PUT', body })).status).toBe(200);

  await using agent = await connectAgent({ url: nginx.url });
  const [videoId] = await readVideoIds(client);
  const input = { video: { videoId }, speech: { uploadId }, idempotencyKey: 'through nginx' };
  const { content } = await agent.call('create_lipsync', input);
  const { id } = content.lipsync as { id: string };
  const progress: number[] = [];
  const end = await agent.call(
    'wait_for_lipsync',
    { id },
    { onprogress: (at) => void progress.push(at.progress) },
  );
  expect(end).toMatchObject({ content: { finished: true, lipsync: { status: 'COMPLETED' } } });
  expect(progress.length).toBeGreaterThan(0);

  type Data = { lipsync: { result: { permanentUrl: string } } };
  const query = 'query ($id: ID!) { lipsync(id: $id) { result { permanentUrl } } }';
  const { data } = await client.ask<Data>(query, { id });
  const link = through(data?.lipsync.result.permanentUrl ?? '');
  expect((await fetch(link, { redirect: 'manual' })).status).toBe(302);
});

test('does not publish metrics and probes', async () => {
  for (const path of ['/metrics', '/livez', '/readyz']) {
    expect((await fetch(`${nginx.url}${path}`)).status).toBe(404);
  }
});

test('still serves with one instance after the other has stopped', async () => {
  await instances[0].stop();
  for (let request = 0; request < 6; request += 1) {
    const { status, data } = await client.ask('{ __typename }');
    expect([status, data]).toEqual([200, { __typename: 'Query' }]);
  }
  const { id } = await createLipsync(client);
  expect(await readLast(client.watchWs(subscription, { id }))).toMatchObject(completed);
});
