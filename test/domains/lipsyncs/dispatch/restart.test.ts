import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { type TestStorage, testStorage } from '../../../support/database.ts';
import { createGraphQLClient } from '../../../support/graphql-client.ts';
import {
  createAllMutation,
  type Event,
  expectSoundLog,
  idOf,
  type Job,
  type MadeAll,
  terminal,
} from '../stage.ts';

const root = join(import.meta.dirname, '../../../..');
const patient = { timeout: 45_000, interval: 100 };

let storage: TestStorage;
let running: ChildProcess | null = null;
beforeEach(async () => {
  storage = await testStorage();
});
afterEach(async () => {
  await kill();
  await storage.remove();
});

const assassin = pathToFileURL(join(root, 'test/chaos/die-at.ts')).href;

/** Starts the program as `npm start` does, with its own sandbox, and waits until it listens. */
async function start(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATA_DIR: storage.dataDir,
      ...(storage.url === undefined ? {} : { DATABASE_URL: storage.url }),
      POLL_INTERVAL_MS: '500',
      UPSTREAM_TIMEOUT_MS: '4000',
      ...env,
    },
  });
  running = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
    if (msg !== 'listening' || url === undefined) continue;
    child.stdout.resume();
    return createGraphQLClient(url.replace(/\/graphql$/, ''));
  }
  throw new Error('It ended before it listened.');
}

async function kill() {
  const child = running;
  running = null;
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function sandbox(method: string, path: string, body?: object): Promise<unknown> {
  const port = await readFile(join(storage.dataDir, 'sandbox-port'), 'utf8');
  const response = await fetch(`http://127.0.0.1:${port}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

type Client = Awaited<ReturnType<typeof start>>;
type Node = {
  id: string;
  status: string;
  text: string;
  failure: { code: string } | null;
  events: { nodes: Event[] };
};

async function list(client: Client): Promise<Node[]> {
  const { data } = await client.ask<{ lipsyncs: { nodes: Node[] } }>(
    `{ lipsyncs(first: 100) { nodes { id status text failure { code }
      events(first: 100) { nodes { sequence status percent queuePosition } } } } }`,
  );
  return data?.lipsyncs.nodes ?? [];
}

async function create(client: Client, videoId: string, text: string) {
  const { data, errors } = await client.ask(
    `mutation ($video: ID!, $text: String!) { createLipsync(input: {
      video: { id: $video }, speech: { text: { text: $text } }, idempotencyKey: $text }) {
      __typename } }`,
    { video: videoId, text },
  );
  expect(errors).toBeUndefined();
  return data;
}

describe('works', { timeout: 90_000 }, () => {
  it('ends every lip-sync exactly once after kill -9: those being sent, waiting and running', async () => {
    const before = await start();
    await sandbox('PUT', 'switches', { queuedMs: 100, generatingMs: 20_000 });
    const { data } = await before.ask<{ videos: { nodes: { id: string }[] } }>(
      '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
    );
    const videoId = data?.videos.nodes[0]?.id ?? '';
    await create(before, videoId, 'first');
    await create(before, videoId, 'second');
    // Accepted by the upstream, but the process dies while it waits for the answer.
    create(before, videoId, '[[hang]] third').catch(() => undefined);
    await vi.waitFor(async () => {
      const { jobs } = (await sandbox('GET', 'jobs')) as { jobs: Job[] };
      expect(jobs.map(({ status }) => status)).toEqual(Array(3).fill('GENERATING'));
    }, patient);
    await create(before, videoId, 'fourth');
    await create(before, videoId, 'fifth');
    const statuses = (await list(before)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 'QUEUED')).toHaveLength(2);
    expect(statuses.filter((status) => status === 'SUBMITTING')).toHaveLength(1);
    await kill();

    const after = await start();
    await sandbox('PUT', 'switches', { queuedMs: 10, generatingMs: 10 });
    const ended = await vi.waitFor(async () => {
      const all = await list(after);
      for (const { status } of all) expect(terminal).toContain(status);
      return all;
    }, patient);
    expect(ended).toHaveLength(5);
    const { jobs } = (await sandbox('GET', 'jobs')) as { jobs: Job[] };
    for (const { id, status, events } of ended) {
      expect(status).toBe('COMPLETED');
      expectSoundLog(events.nodes);
      expect(jobs.filter(({ replyRef }) => replyRef === keyOf('Lipsync', id))).toHaveLength(1);
    }
    expect(jobs).toHaveLength(5);
    // Requests repeated after the crash create no other lip-sync.
    await create(after, videoId, 'first');
    expect(await list(after)).toHaveLength(5);
  }, 90_000);

  it.each([
    { point: 'after the row', nth: 4 },
    { point: 'bytes sent', nth: 3 },
  ])(
    'completes a batch that kill -9 interrupted $point, number $nth, when the request is repeated',
    async ({ point, nth }) => {
      const before = await start({
        NODE_OPTIONS: `--import=${assassin}`,
        CHAOS_POINT: point,
        CHAOS_NTH: String(nth),
      });
      await sandbox('PUT', 'switches', { queuedMs: 10, generatingMs: 10, outcome: 'FAILED' });
      const { data } = await before.ask<{ videos: { nodes: { id: string }[] } }>(
        '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
      );
      const inputs = [1, 2, 3, 4, 5, 6].map((n) => ({
        video: { id: data?.videos.nodes[0]?.id },
        speech: { text: { text: `Batch ${n}` } },
        idempotencyKey: `batch ${n}`,
      }));
      const dies = once(running as ChildProcess, 'exit');
      await expect(before.ask(createAllMutation, { inputs })).rejects.toThrow();
      expect(await dies).toEqual([null, 'SIGKILL']);

      const after = await start({ MAX_JOB_MS: '15000' });
      const answer = await after.ask<{ createLipsyncs: MadeAll }>(createAllMutation, { inputs });
      const ids = answer.data?.createLipsyncs.results?.map(idOf) ?? [];
      expect(new Set(ids).size).toBe(6);
      const ended = await vi.waitFor(async () => {
        const all = await list(after);
        for (const { status } of all) expect(terminal).toContain(status);
        return all;
      }, patient);
      expect(ended.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      const { jobs } = (await sandbox('GET', 'jobs')) as { jobs: Job[] };
      for (const { id, failure, events } of ended) {
        expectSoundLog(events.nodes);
        const own = jobs.filter(({ replyRef }) => replyRef === keyOf('Lipsync', id));
        // A POST marked as started that never reached the upstream is searched for and not sent again.
        expect(own).toHaveLength(failure?.code === 'OUTCOME_UNKNOWN' ? 0 : 1);
      }
    },
    120_000,
  );
});
