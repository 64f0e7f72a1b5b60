import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { type TestStorage, testStorage } from '../../../support/database.ts';
import type { GraphQLClient } from '../../../support/graphql-client.ts';
import {
  createLipsyncOperations,
  type Event,
  expectSoundLog,
  idsOf,
  type Job,
  terminalStatuses,
} from '../../../support/lipsync-app.ts';
import { createLipsync, readVideoIds } from '../../../support/lipsyncs.ts';
import { type Program, startProgram } from '../../../support/program.ts';

const longWait = { timeout: 60_000, interval: 100 };

let storage: TestStorage;
let program: Program | null = null;
beforeEach(async () => {
  storage = await testStorage();
});
afterEach(async () => {
  await program?.kill('SIGKILL');
  await storage.remove();
});

const dieAt = pathToFileURL(join(import.meta.dirname, '../../../chaos/die-at.ts')).href;

/** Starts the program as `npm start` does, with its own sandbox, and waits until it listens. */
async function start(env: Record<string, string> = {}): Promise<GraphQLClient> {
  program = startProgram({
    PORT: '0',
    DATA_DIR: storage.dataDir,
    ...(storage.url === undefined ? {} : { DATABASE_URL: storage.url }),
    POLL_INTERVAL_MS: '500',
    UPSTREAM_TIMEOUT_MS: '4000',
    ...env,
  });
  return program.client();
}

async function sandbox(method: string, path: string, body?: object): Promise<unknown> {
  const port = await readFile(join(storage.dataDir, 'sandbox-port'), 'utf8');
  const response = await fetch(`http://127.0.0.1:${port}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

type Node = {
  id: string;
  status: string;
  text: string;
  failure: { code: string } | null;
  events: { nodes: Event[] };
};

async function list(client: GraphQLClient): Promise<Node[]> {
  const { data } = await client.ask<{ lipsyncs: { nodes: Node[] } }>(
    `{ lipsyncs(first: 100) { nodes { id status text failure { code }
      events(first: 100) { nodes { sequence status percent queuePosition } } } } }`,
  );
  return data?.lipsyncs.nodes ?? [];
}

const create = (client: GraphQLClient, videoId: string, text: string) =>
  createLipsync(client, { video: { videoId }, text, idempotencyKey: text });

/** FAILED costs the sandbox no rendering. Callbacks go to the process that died: only the lists say whose job it is. */
const quickFailure = { queuedMs: 10, generatingMs: 10, outcome: 'FAILED', replyRefInLists: true };

describe('works', { timeout: 180_000 }, () => {
  it('ends every lip-sync exactly once after kill -9: those being sent, waiting and running', async () => {
    const before = await start();
    await sandbox('PUT', 'switches', { queuedMs: 100, generatingMs: 20_000 });
    const [videoId = ''] = await readVideoIds(before);
    await create(before, videoId, 'first');
    await create(before, videoId, 'second');
    // Accepted by the upstream, but the process dies while it waits for the answer.
    create(before, videoId, '[[hang]] third').catch(() => undefined);
    await vi.waitFor(async () => {
      const { jobs } = (await sandbox('GET', 'jobs')) as { jobs: Job[] };
      expect(jobs.map(({ status }) => status)).toEqual(Array(3).fill('GENERATING'));
    }, longWait);
    await create(before, videoId, 'fourth');
    await create(before, videoId, 'fifth');
    const statuses = (await list(before)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 'QUEUED')).toHaveLength(2);
    expect(statuses.filter((status) => status === 'SUBMITTING')).toHaveLength(1);
    await program?.kill('SIGKILL');

    const after = await start();
    // The job of the POST without an answer may have ended before anything could read the scheduler.
    await sandbox('PUT', 'switches', { queuedMs: 10, generatingMs: 10, replyRefInLists: true });
    const ended = await vi.waitFor(async () => {
      const all = await list(after);
      for (const { status } of all) expect(terminalStatuses).toContain(status);
      return all;
    }, longWait);
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
  });

  it.each([
    { point: 'after the row', nth: 4 },
    { point: 'POST announced', nth: 2 },
    { point: 'bytes sent', nth: 3 },
  ])(
    'completes a batch that kill -9 interrupted $point, number $nth, when the request is repeated',
    async ({ point, nth }) => {
      const before = await start({
        NODE_OPTIONS: `--import=${dieAt}`,
        CHAOS_POINT: point,
        CHAOS_NTH: String(nth),
      });
      await sandbox('PUT', 'switches', quickFailure);
      const [videoId] = await readVideoIds(before);
      const inputs = [1, 2, 3, 4, 5, 6].map((n) => ({
        video: { videoId },
        speech: { script: { text: `Batch ${n}` } },
        idempotencyKey: `batch ${n}`,
      }));
      await expect(createLipsyncOperations(before).createAll(inputs)).rejects.toThrow();
      expect(await program?.exited).toEqual({ code: null, signal: 'SIGKILL' });

      // An unknown outcome becomes final after this time and three reads of the upstream.
      const after = await start({ MAX_UNKNOWN_MS: '1000' });
      await sandbox('PUT', 'switches', quickFailure);
      const ids = idsOf(await createLipsyncOperations(after).createAll(inputs));
      expect(new Set(ids).size).toBe(6);
      const ended = await vi.waitFor(async () => {
        const all = await list(after);
        for (const { status } of all) expect(terminalStatuses).toContain(status);
        return all;
      }, longWait);
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
