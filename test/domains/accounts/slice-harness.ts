import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initContextCache } from '@pothos/core';
import { graphql } from 'graphql';
import { createAccountService } from '../../../src/domains/accounts/service.ts';
import { createVideoService, type StoredVideo } from '../../../src/domains/videos/service.ts';
import { insertOwnVideos } from '../../../src/domains/videos/store.ts';
import { createVoiceService } from '../../../src/domains/voices/service.ts';
import type { Context, Services } from '../../../src/graphql/context.ts';
import { createLog } from '../../../src/log.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { schema } from '../../../src/schema.ts';
import { createUpstream } from '../../../src/upstream/client.ts';
import { testDatabase } from '../../support/database.ts';
import { type FakeAccount, startFakeUpstream } from './fake-upstream.ts';

type CallerOptions = { owner?: string; scopes?: string[]; isAnonymous?: boolean };

/** Collects the lines of the log. */
function captureLog() {
  const lines: string[] = [];
  return { lines, log: createLog('debug', { write: (line) => lines.push(line) }) };
}

/** Accounts, videos and voices over one database, one upstream and a clock that only `advance` moves. */
async function openHarness(upstreamAt: { baseUrl: string; token: string }) {
  const { lines, log } = captureLog();
  const db = await testDatabase();
  const clock = { now: new Date() };
  const upstream = createUpstream({ ...upstreamAt, timeoutMs: 5_000, log, retryBaseMs: 1 });
  const open = () => {
    const shared = { db, upstream, log, now: () => clock.now };
    const accounts = createAccountService(shared);
    const videos = createVideoService({ ...shared, accounts });
    const voices = createVoiceService({ ...shared, accounts });
    return { accounts, videos, voices };
  };

  async function ask(
    document: string,
    caller: CallerOptions = {},
    variables: Record<string, unknown> = {},
  ) {
    const { owner = 'key:test', scopes = [], isAnonymous = false } = caller;
    const contextValue = {
      ...initContextCache(),
      caller: {
        owner: isAnonymous ? 'nobody' : owner,
        name: owner,
        isAuthenticated: !isAnonymous,
        scopes: new Set(scopes),
        expiresAt: null,
      },
      services: slices.services as unknown as Services,
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
    // graphql-js creates objects without a prototype, which toEqual would report as different.
    return JSON.parse(JSON.stringify(result)) as {
      data: Record<string, never>;
      errors?: { message: string; path: string[] }[];
    };
  }

  const slices = { services: open() };
  return {
    db,
    clock,
    ask,
    lines,
    get accounts() {
      return slices.services.accounts;
    },
    get videos() {
      return slices.services.videos;
    },
    get voices() {
      return slices.services.voices;
    },
    advance(ms: number) {
      clock.now = new Date(clock.now.getTime() + ms);
    },
    /** A new instance over the same rows, with empty caches. */
    restart() {
      slices.services = open();
    },
    /** The state of a first start. */
    async empty() {
      await db.query('truncate accounts, id_prefixes, lipsyncs, videos, owner_videos cascade');
      slices.services = open();
    },
    async close() {
      await upstream.close();
      await db.close();
    },
  };
}

export type SliceHarness = Awaited<ReturnType<typeof openHarness>>;

export async function openWithFakeUpstream() {
  const fake = await startFakeUpstream([]);
  const harness = await openHarness({ baseUrl: fake.baseUrl, token: 'user:7-fake' });
  const closeHarness = harness.close;
  return Object.assign(harness, {
    upstream: fake.control,
    /** The state of a first start, with these accounts. */
    async reset(...accounts: FakeAccount[]) {
      await harness.empty();
      fake.control.accounts = accounts;
      fake.control.requests.length = 0;
      fake.control.override = undefined;
      harness.lines.length = 0;
    },
    async close() {
      await closeHarness();
      await fake.close();
    },
  });
}

export async function openWithSandbox() {
  const dataDir = await mkdtemp(join(tmpdir(), 'slices-'));
  const sandbox = await startSandbox({ dataDir, queuedMs: 600_000 });
  const harness = await openHarness(sandbox);
  const control = (method: string, path: string, body?: object) =>
    fetch(`${sandbox.origin}/_sandbox/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const closeHarness = harness.close;
  return Object.assign(harness, {
    sandbox,
    control,
    /** Such as `GET /videos/?offset=0`, since the last `forgetRequests`. */
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
    /** Starts a job directly at the sandbox: submitting lip-syncs is tested elsewhere. */
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
      await closeHarness();
      await sandbox.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  });
}

/** A lip-sync's row with only the columns that these slices read, and the videos that it used and made. */
export async function insertLipsync(
  db: SliceHarness['db'],
  {
    source,
    result,
    ...columns
  }: Record<string, unknown> & { owner: string; source?: StoredVideo; result?: StoredVideo },
): Promise<string> {
  await insertOwnVideos(
    db,
    [source, result].flatMap((video) =>
      video === undefined ? [] : [{ owner: columns.owner, video }],
    ),
  );
  const row = {
    source_video_id: source?.key ?? null,
    result_video_id: result?.key ?? null,
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
