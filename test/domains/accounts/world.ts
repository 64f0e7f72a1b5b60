import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initContextCache } from '@pothos/core';
import { graphql } from 'graphql';
import { createAccountService } from '../../../src/domains/accounts/service.ts';
import { eraseVideoUrls } from '../../../src/domains/lipsyncs/service.ts';
import { createVideoService } from '../../../src/domains/videos/service.ts';
import { createVoiceService } from '../../../src/domains/voices/service.ts';
import type { Context, Services } from '../../../src/graphql/context.ts';
import { createLog } from '../../../src/log.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { schema } from '../../../src/schema.ts';
import { createUpstream } from '../../../src/upstream/client.ts';
import { testDatabase } from '../../support/database.ts';
import { type OddAccount, startOddUpstream } from './odd-upstream.ts';

type Who = { owner?: string; scopes?: string[]; isNobody?: boolean };

/** What a test looks for in the log. */
function capturedLog() {
  const lines: string[] = [];
  return { lines, log: createLog('debug', { write: (line) => lines.push(line) }) };
}

/** The three slices over one database, one upstream and a clock that stands still until it is moved. */
async function openWorld(upstreamAt: { baseUrl: string; token: string }) {
  const { lines, log } = capturedLog();
  const db = await testDatabase();
  const clock = { now: new Date() };
  const upstream = createUpstream({ ...upstreamAt, timeoutMs: 5_000, log, retryBaseMs: 1 });
  const open = () => {
    const shared = { db, upstream, log, now: () => clock.now };
    const accounts = createAccountService(shared);
    const videos = createVideoService({
      ...shared,
      accounts,
      eraseStoredUrls: (key) => eraseVideoUrls(db, key),
    });
    const voices = createVoiceService({ ...shared, accounts });
    return { accounts, videos, voices };
  };

  async function ask(document: string, who: Who = {}, variables: Record<string, unknown> = {}) {
    const { owner = 'key:test', scopes = [], isNobody = false } = who;
    const contextValue = {
      ...initContextCache(),
      caller: {
        owner: isNobody ? 'nobody' : owner,
        name: owner,
        isAuthenticated: !isNobody,
        scopes: new Set(scopes),
        expiresAt: null,
      },
      services: world.services as unknown as Services,
      requestId: 'test',
      log,
      lastEventId: null,
    } as unknown as Context;
    const result = await graphql({
      schema,
      source: document,
      variableValues: variables,
      contextValue,
    });
    // Prototypes of graphql-js' objects get in the way of comparing.
    return JSON.parse(JSON.stringify(result)) as {
      data: Record<string, never>;
      errors?: { message: string; path: string[] }[];
    };
  }

  const world = { services: open() };
  return {
    db,
    clock,
    ask,
    lines,
    get accounts() {
      return world.services.accounts;
    },
    get videos() {
      return world.services.videos;
    },
    get voices() {
      return world.services.voices;
    },
    advance(ms: number) {
      clock.now = new Date(clock.now.getTime() + ms);
    },
    /** Another instance over the same rows, which remembers nothing. */
    restart() {
      world.services = open();
    },
    /** As on the first start. */
    async empty() {
      await db.query('truncate accounts, id_prefixes, lipsyncs cascade');
      world.services = open();
    },
    async close() {
      await upstream.close();
      await db.close();
    },
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

export async function openOddWorld() {
  const odd = await startOddUpstream([]);
  const world = await openWorld({ baseUrl: odd.baseUrl, token: 'user:7-odd' });
  return Object.assign(world, {
    odd: odd.world,
    /** Everything as on the first start, with these accounts. */
    async begin(...accounts: OddAccount[]) {
      await world.empty();
      odd.world.accounts = accounts;
      odd.world.requests.length = 0;
      odd.world.refuse = undefined;
      world.lines.length = 0;
    },
    close: both(world.close, odd.close),
  });
}

function both(first: () => Promise<void>, second: () => Promise<void>) {
  return async () => {
    await first();
    await second();
  };
}

export async function openSandboxWorld() {
  const dataDir = await mkdtemp(join(tmpdir(), 'slices-'));
  const sandbox = await startSandbox({ dataDir, queuedMs: 600_000 });
  const world = await openWorld(sandbox);
  const control = (method: string, path: string, body?: object) =>
    fetch(`${sandbox.origin}/_sandbox/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const closeWorld = world.close;
  return Object.assign(world, {
    sandbox,
    control,
    /** As `GET /videos/?offset=0`, since the last `forgetRequests`. */
    async requests(): Promise<string[]> {
      const journal = (await (await control('GET', 'requests')).json()) as {
        method: string;
        path: string;
      }[];
      return journal.map(({ method, path }) => `${method} ${path}`);
    },
    async forgetRequests() {
      await control('DELETE', 'requests');
    },
    /** Starts a job, past our own submission: this is not its test. */
    async startJob(videoId: string): Promise<string> {
      const response = await fetch(`${sandbox.baseUrl}/videos/lipsync`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${sandbox.token}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ video_id: videoId, prompt: 'Hello', speaker_id: 1 }),
      });
      return ((await response.json()) as { video_id: string }).video_id;
    },
    async close() {
      await closeWorld();
      await sandbox.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  });
}

/** A lip-sync's row with nothing but what these slices look at. */
export async function insertLipsync(
  db: World['db'],
  columns: Record<string, unknown> & { owner: string },
): Promise<string> {
  const row = {
    id: randomUUID(),
    status: 'COMPLETED',
    fingerprint: 'test',
    created_at: new Date(),
    ...columns,
  };
  const names = Object.keys(row);
  await db.query(
    `insert into lipsyncs (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`)})`,
    Object.values(row),
  );
  return row.id;
}
