import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, type AppOptions, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { postgresUrl, type TestStorage, testDatabase, testStorage } from './database.ts';
import { createGraphQLClient, type GraphQLClient } from './graphql-client.ts';

export type TestAppOptions = {
  /**
   * Variables as `npm start` reads them, `READ_FRESH_MS` included: what a test does through this server, or the upstream
   * reports to it, must be visible all the same. A test that changes the upstream by itself sets 0 or moves the clock.
   */
  env?: Record<string, string>;
  /** Speed, accounts and other options. Default: a job takes a quarter of a second. */
  sandbox?: Partial<SandboxOptions>;
  /** An upstream instead of a new sandbox. It is not stopped with the app. */
  upstream?: { baseUrl: string; token: string };
  /** The storage of an earlier app, for a restart on it or, on PostgreSQL, a second instance. `stop` does not remove it. */
  storage?: TestStorage;
  /** Wraps the database, to record or to disturb statements. */
  wrapDatabase?: (db: Database) => Database;
  /** The clock. */
  now?: () => Date;
  /** The interval of heartbeats on quiet connections. */
  heartbeatMs?: number;
  clientTimeouts?: AppOptions['clientTimeouts'];
  /** Of the background work. Default: the product's. */
  intervals?: AppOptions['intervals'];
  /** Writes every line of the log. Default: as the program does, with a limit per minute. */
  hasUnlimitedLog?: boolean;
  importWaits?: AppOptions['importWaits'];
  creditWaitMs?: number;
  socketLimits?: AppOptions['socketLimits'];
  tracer?: AppOptions['tracer'];
  maxOperations?: number;
  maxRouterChecks?: number;
};

/** A line of the log; `level` is a word such as `warn`. */
export type LogLine = { level: string; msg?: string; [name: string]: unknown };

export type TestApp = GraphQLClient & {
  /** `http://127.0.0.1:PORT` */
  url: string;
  app: App;
  /** @throws when `upstream` was given */
  sandbox: Sandbox;
  /** Sets switches of the sandbox (`src/sandbox/faults/switches.ts`); null turns one off. */
  turn(switches: Record<string, unknown>): Promise<unknown>;
  /** What the sandbox records: `requests`, `jobs` (`src/sandbox/http/control.ts`). */
  readSandbox<T>(path: 'requests' | 'jobs' | 'switches'): Promise<T>;
  /** Ends every running job of the sandbox now. */
  finishJobs(status?: 'COMPLETED' | 'FAILED' | 'MODERATED'): Promise<void>;
  /** All log lines, of every level. */
  logs: LogLine[];
  /** Also as `await using`. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

type SandboxJob = { video_id: string; status: string };
const running = new Set(['QUEUED', 'GENERATING']);

const fast = { queuedMs: 50, generatingMs: 200 };

/**
 * Starts the whole program in process: the app on a free port, a fast sandbox, and a fresh database of the kind that
 * this run uses.
 */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const logs: LogLine[] = [];
  const write = (line: string) => void logs.push(JSON.parse(line) as LogLine);
  const log = createLog(
    'trace',
    { write },
    options.hasUnlimitedLog ? { timer: queueMicrotask } : {},
  );
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const storage = await openStorage(options, log, closers);
    const sandbox = options.upstream === undefined ? await openSandbox(options, closers) : null;
    const config = readConfig({
      PORT: '0',
      POLL_INTERVAL_MS: '500',
      DATA_DIR: storage.dataDir,
      ...(storage.url === undefined ? {} : { DATABASE_URL: storage.url }),
      ...options.env,
    });
    const app = await startApp({
      config,
      log,
      openUpstream: async () => options.upstream ?? needed(sandbox),
      ...(storage.database === undefined ? {} : { database: storage.database }),
      ...(options.now === undefined ? {} : { now: options.now }),
      ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
      heartbeatMs: options.heartbeatMs,
      intervals: options.intervals,
      importWaits: options.importWaits,
      creditWaitMs: options.creditWaitMs,
      ...(options.clientTimeouts === undefined ? {} : { clientTimeouts: options.clientTimeouts }),
      socketLimits: options.socketLimits,
      maxOperations: options.maxOperations,
      maxRouterChecks: options.maxRouterChecks,
    });
    closers.push(app.close);
    return {
      ...createGraphQLClient(app.url),
      url: app.url,
      app,
      get sandbox() {
        return needed(sandbox);
      },
      turn: (switches) => control(needed(sandbox), 'PUT', { path: 'switches', body: switches }),
      readSandbox: async <T>(path: string) =>
        (await control(needed(sandbox), 'GET', { path })) as T,
      finishJobs: (status = 'COMPLETED') => finishJobs(needed(sandbox), status),
      logs,
      stop: closeAll,
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

type Closers = (() => Promise<unknown>)[];

/** Each connection to a new database costs 25 ms of CPU time. */
const poolSize = 4;

type AppStorage = Pick<TestStorage, 'url' | 'dataDir'> & {
  /** Undefined: the app opens its database by itself. */
  database?: Promise<Database>;
};

async function openStorage(
  { storage, wrapDatabase }: TestAppOptions,
  log: Log,
  closers: Closers,
): Promise<AppStorage> {
  if (storage === undefined && postgresUrl === undefined) {
    const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-data-'));
    closers.push(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
    return { url: undefined, dataDir, database: testDatabase().then(wrapDatabase) };
  }
  const own = storage ?? (await testStorage());
  if (storage === undefined) closers.push(own.remove);
  if (own.url === undefined && wrapDatabase === undefined) return own;
  return { ...own, database: connectDatabase({ ...own, log, poolSize }).then(wrapDatabase) };
}

async function openSandbox({ sandbox }: TestAppOptions, closers: Closers): Promise<Sandbox> {
  const dataDir = sandbox?.dataDir ?? (await mkdtemp(join(tmpdir(), 'lipsync-sandbox-')));
  if (sandbox?.dataDir === undefined) {
    closers.push(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  }
  const running = await startSandbox({ ...fast, ...sandbox, dataDir });
  closers.push(running.close);
  return running;
}

function needed(sandbox: Sandbox | null): Sandbox {
  if (sandbox === null) throw new Error('This app was started on an upstream that was given.');
  return sandbox;
}

async function control(
  { origin }: Sandbox,
  method: string,
  { path, body }: { path: string; body?: object },
): Promise<unknown> {
  const response = await fetch(`${origin}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(`The sandbox refused ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function finishJobs(sandbox: Sandbox, status: string): Promise<void> {
  const { jobs } = (await control(sandbox, 'GET', { path: 'jobs' })) as { jobs: SandboxJob[] };
  for (const { video_id: id } of jobs.filter((job) => running.has(job.status))) {
    await control(sandbox, 'POST', {
      path: `jobs/${encodeURIComponent(id)}/finish`,
      body: { status },
    });
  }
}
