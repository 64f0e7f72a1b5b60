import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccountService } from '../../../src/domains/accounts/service.ts';
import { createVideoService, type StoredVideo } from '../../../src/domains/videos/service.ts';
import { insertOwnVideos } from '../../../src/domains/videos/store.ts';
import { createVoiceService } from '../../../src/domains/voices/service.ts';
import { createLog } from '../../../src/log.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { schema } from '../../../src/schema.ts';
import { createUpstream } from '../../../src/upstream/client.ts';
import { Freshness } from '../../../src/upstream/freshness.ts';
import { askSchema } from '../../support/ask-schema.ts';
import { testDatabase } from '../../support/database.ts';
import type { FakeAccount } from '../../support/fake-upstream/behaviour.ts';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import type { JobStatus } from '../../support/fake-upstream/state.ts';

type CallerOptions = { owner?: string; scopes?: string[]; isAnonymous?: boolean };

/** Collects the lines of the log. */
function captureLog() {
  const lines: string[] = [];
  return { lines, log: createLog('debug', { write: (line) => lines.push(line) }) };
}

/** Accounts, videos and voices over one database, one upstream and a clock that only `advance` moves. */
async function openHarness(upstreamAt: { baseUrl: string; token: string }, readFreshMs: number) {
  const { lines, log } = captureLog();
  const db = await testDatabase();
  const clock = { now: new Date() };
  const upstream = createUpstream({ ...upstreamAt, timeoutMs: 5_000, log, retryBaseMs: 1 });
  const open = () => {
    const now = () => clock.now;
    const freshness = new Freshness({ readFreshMs, now, log });
    const shared = { db, upstream, log, now, freshness };
    const accounts = createAccountService(shared);
    const videos = createVideoService({
      ...{ ...shared, accounts, resultTokens: null, publicUrl: () => '' },
    });
    const voices = createVoiceService({ ...shared, accounts });
    return { freshness, accounts, videos, voices };
  };

  type Asked = [document: string, caller?: CallerOptions, variables?: Record<string, unknown>];
  type Answer = {
    data: Record<string, never>;
    errors?: { message: string; path: string[] }[];
  };
  function askOf(services: Slices, ...[document, caller = {}, variables = {}]: Asked) {
    const { owner = 'key:test', scopes = [], isAnonymous = false } = caller;
    const asking = { owner: isAnonymous ? 'nobody' : owner, scopes, variables };
    return askSchema<Answer>({ schema, services, log }, document, asking);
  }

  type Slices = ReturnType<typeof open>;
  const slices = { services: open() };
  return {
    db,
    clock,
    ask: (...asked: Asked) => askOf(slices.services, ...asked),
    /** Another instance on the same database; both then receive each other's changes. */
    async openOther() {
      const other = open();
      await Promise.all([
        slices.services.accounts.receiveChanges(),
        other.accounts.receiveChanges(),
      ]);
      return {
        ...other,
        ask: (...asked: Asked) => askOf(other, ...asked),
      };
    },
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
    get freshness() {
      return slices.services.freshness;
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

/** A video of the fake upstream. Its prompt is `video 7` for the number 7. */
export type FakeVideo = { number: number; createdAt: Date; status?: JobStatus };

/** The videos are in the order in which GET /videos lists them. */
export type AccountWithVideos = Partial<FakeAccount> & { email: string; videos?: FakeVideo[] };

export function idOf(email: string, number: number): string {
  return `user:7-pixverse:${email}-video:${number}`;
}

type FreshnessOptions = {
  /** Default: 0, because these tests change the upstream without notice to this server. */
  readFreshMs?: number;
};

export async function openWithFakeUpstream({ readFreshMs = 0 }: FreshnessOptions = {}) {
  const upstream = await startFakeUpstream({ accounts: [] });
  const harness = await openHarness(upstream, readFreshMs);
  const closeHarness = harness.close;
  /** Adds it as the first video that GET /videos lists. */
  const addVideo = (email: string, { number, ...video }: FakeVideo) =>
    upstream.addVideo(email, { ...video, id: idOf(email, number), prompt: `video ${number}` });
  return Object.assign(harness, {
    upstream,
    addVideo,
    /** The state of a first start, with these accounts. */
    async reset(...accounts: AccountWithVideos[]) {
      await harness.empty();
      upstream.reset();
      upstream.accounts.length = 0;
      for (const { videos = [], ...account } of accounts) {
        upstream.accounts.push({ maxJobs: 3, ...account });
        for (const video of videos.toReversed()) addVideo(account.email, video);
      }
      harness.lines.length = 0;
    },
    async close() {
      await closeHarness();
      await upstream.close();
    },
  });
}

export async function openWithSandbox({ readFreshMs = 0 }: FreshnessOptions = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'slices-'));
  const sandbox = await startSandbox({ dataDir, queuedMs: 600_000 });
  const harness = await openHarness(sandbox, readFreshMs);
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
