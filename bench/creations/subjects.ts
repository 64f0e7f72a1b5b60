import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PgBoss } from 'pg-boss';
import { Pool } from 'undici';
import { type App, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/database/connect.ts';
import { createJobs } from '../../src/database/jobs.ts';
import { createLog } from '../../src/log.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { readUrl } from '../read-url.ts';

/** Something that writes one row to a queue, and has written enough of them to be warm. */
export type Subject = { name: string; write: () => Promise<void>; stop: () => Promise<void> };

const root = join(import.meta.dirname, '../..');
const log = createLog('silent');

/** So that the share of one owner, half of the queue, is never used up. */
const queueLimit = '1000000';

const document = `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
  __typename ... on CreateLipsyncSuccess { replayed lipsync { id status progress { queuePosition } } }
  ... on LipsyncError { code message } } }`;

export type Ask = <Data>(query: string, variables?: object) => Promise<Data>;
type Nodes = { nodes: { id: string }[] };
type Created = { createLipsync: { lipsync?: { status: string } } };
type ProgramOptions = { databaseUrl: string; connections: number };

/** The program over HTTP, with every slot of its accounts occupied. */
export async function startProgram(sandbox: Sandbox, options: ProgramOptions): Promise<Subject> {
  const { ask, stop } = await openProgram(sandbox, options);
  const input = await readInput(ask);
  const create = async () => createOne(ask, input);
  await occupySlots(create);
  return { name: 'createLipsync over HTTP', write: () => createQueued(create), stop };
}

/** The program as a process of its own. `ask` throws if a response has errors. */
export async function openProgram(
  sandbox: Sandbox,
  options: ProgramOptions,
): Promise<{ ask: Ask; pid: number; stop: () => Promise<void> }> {
  const child = spawn(process.execPath, ['--liftoff-only', 'src/main.ts'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      ...environmentOf(sandbox, options.databaseUrl),
      LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = new URL(await readUrl(child));
  const pool = new Pool(url.origin, { connections: options.connections });
  const ask: Ask = async <Data>(query: string, variables = {}) => {
    const { body } = await pool.request({
      method: 'POST',
      path: '/graphql',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await body.json()) as { data?: Data; errors?: unknown };
    if (answer.errors !== undefined || answer.data === undefined) {
      throw new Error(JSON.stringify(answer));
    }
    return answer.data;
  };
  return {
    ask,
    pid: child.pid ?? 0,
    stop: async () => {
      await pool.close();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** @returns the status after the creation */
export async function createOne(ask: Ask, input: object): Promise<string> {
  return statusOf(await ask<Created>(document, { input }));
}

/** The same without HTTP and GraphQL: the service in this process. Without a URL on PGlite. */
export async function startInProcess(
  sandbox: Sandbox,
  { databaseUrl }: { databaseUrl: string | null },
): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const env = { ...environmentOf(sandbox, databaseUrl), DATA_DIR: dataDir };
  const app = await startApp({ config: readConfig(env), log, openUpstream: async () => sandbox });
  const video = await readVideoKey(app);
  const create = async () => {
    const { lipsync } = await app.services.lipsyncs.create({
      owner: 'anonymous',
      canSeeAll: true,
      input: {
        video: { key: video },
        speech: { text: 'Good evening.', voiceKey: undefined },
        ...{ keepOriginalSound: null, offPeak: false, reference: null, callbackUrl: null },
        ...{ maxJobs: null, idempotencyKey: null, mayWait: true, expiresAt: null },
      },
    });
    return lipsync.status;
  };
  await occupySlots(create);
  return {
    name: `services.lipsyncs.create on ${databaseUrl === null ? 'PGlite' : 'PostgreSQL'}`,
    write: () => createQueued(create),
    stop: async () => {
      await app.close();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** pg-boss with its own pool of the default size, as its documentation shows. */
export async function startBoss(databaseUrl: string): Promise<Subject> {
  const boss = new PgBoss(databaseUrl);
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('bench');
  return {
    name: 'pg-boss send',
    write: async () => void (await boss.send('bench', { text: 'Good evening.' })),
    stop: () => boss.stop({ graceful: false }),
  };
}

/** pg-boss on PGlite, through the adapter of this product. */
export async function startBossOnPglite(): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const db = await connectDatabase({ url: null, dataDir, log });
  const jobs = createJobs(db, log);
  await jobs.start();
  await jobs.define('bench');
  return {
    name: 'pg-boss send on PGlite',
    write: async () => void (await jobs.send('bench', { text: 'Good evening.' })),
    stop: async () => {
      await jobs.stop(0);
      await db.close();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function environmentOf(sandbox: Sandbox, databaseUrl: string | null): Record<string, string> {
  return {
    PORT: '0',
    USEAPI_TOKEN: sandbox.token,
    USEAPI_BASE_URL: sandbox.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    QUEUE_LIMIT: queueLimit,
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
  };
}

async function readInput(ask: Ask): Promise<object> {
  const { videos, voices } = await ask<{ videos: Nodes; voices: Nodes }>(
    `{ videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
       voices { ... on VoiceList { nodes { id } } } }`,
  );
  const text = { text: 'Good evening.', voiceId: voices.nodes[0]?.id };
  return { video: { videoId: videos.nodes[0]?.id }, speech: { script: text } };
}

async function readVideoKey({ services }: App): Promise<string> {
  const viewer = { owner: 'anonymous', canSeeAll: true };
  const { edges } = await services.videos.list(viewer, {
    first: 1,
    filter: { statuses: ['COMPLETED'] },
  });
  const [first] = edges;
  if (first === undefined) throw new Error('The sandbox has no video.');
  return first.node.key;
}

function statusOf({ createLipsync }: Created): string {
  return createLipsync.lipsync?.status ?? JSON.stringify(createLipsync);
}

/** The sandbox's jobs last longer than the measurement. */
async function occupySlots(create: () => Promise<string>): Promise<void> {
  while ((await create()) !== 'QUEUED');
}

async function createQueued(create: () => Promise<string>): Promise<void> {
  const status = await create();
  if (status !== 'QUEUED') throw new Error(`A slot became free: ${status}`);
}
