import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/database.ts';
import { createGraphQLClient, type GraphQLClient } from '../support/graphql-client.ts';
import { createLipsync } from '../support/lipsyncs.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
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
