import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { type SandboxOptions, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { startTestApp, type TestAppOptions } from '../../support/app.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import type { Job } from '../../support/lipsync-app.ts';
import type { Client } from '../../support/lipsyncs.ts';
import { type Program, startProgram } from '../../support/program.ts';
import { createInstanceOperations, type InstanceOperations } from './operations.ts';

/** A request as the sandbox recorded it; `status` is `aborted` when the client closed the connection before the answer. */
export type Request = {
  method: string;
  path: string;
  body?: Record<string, unknown>;
  status?: number | string;
};

type Accounts = Record<string, { maxJobs: number; executing: number; highWater: number }>;

export type Instance = InstanceOperations & Awaited<ReturnType<typeof startTestApp>>;
export type Process = InstanceOperations & Client & { url: string; program: Program };
export type Fleet = Awaited<ReturnType<typeof openFleet>>;

export type FleetOptions = {
  /** Variables of every instance. */
  env?: Record<string, string>;
  sandbox?: Partial<SandboxOptions>;
  /** An existing database. It is not removed. Default: a fresh one. */
  storage?: TestStorage;
};

export const studio = 'studio@sandbox.example';

/** A failed job needs no rendering in the sandbox: for tests that only need jobs to end. */
export const cheapEnd = { outcome: 'MODERATED' } as const;

/** One upstream, one PostgreSQL, and the instances of the program that a test starts on them. */
export async function openFleet(options: FleetOptions = {}) {
  const clock = { aheadMs: 0 };
  const storage = options.storage ?? (await testStorage());
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-fleet-'));
  const sandbox = await startSandbox({
    accounts: [{ email: studio, maxJobs: 3 }],
    queuedMs: 10,
    generatingMs: 60,
    ...options.sandbox,
    dataDir,
  });
  const { baseUrl, token, origin } = sandbox;
  const instances = new Set<Instance>();
  const processes = new Set<Process>();

  async function control<T>(method: string, path: string, body?: object): Promise<T> {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${origin}/_sandbox/${path}`, init);
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  }

  const read = () => control<{ jobs: Job[]; accounts: Accounts }>('GET', 'jobs');
  const requests = async (part = '') =>
    (await control<Request[]>('GET', 'requests')).filter((each) =>
      `${each.method} ${each.path}`.includes(part),
    );

  return {
    clock,
    storage,
    sandbox,
    /** Starts an instance in this process, with the clock of the fleet. */
    async start(
      env: Record<string, string> = {},
      parts: Pick<TestAppOptions, 'tracer'> = {},
    ): Promise<Instance> {
      const app = await startTestApp({
        ...parts,
        storage,
        upstream: { baseUrl, token },
        now: () => new Date(Date.now() + clock.aheadMs),
        env: { ...options.env, ...env },
      });
      // Not spread, because the getter `sandbox` throws when an upstream was given.
      const instance: Instance = Object.assign(app, createInstanceOperations(app));
      instances.add(instance);
      return instance;
    },
    /** Starts an instance as a process, for tests that kill it. */
    async spawn(env: Record<string, string> = {}): Promise<Process> {
      expect(storage.url).toBeDefined();
      const program = startProgram({
        PORT: '0',
        DATABASE_URL: storage.url ?? '',
        DATA_DIR: storage.dataDir,
        USEAPI_TOKEN: token,
        USEAPI_BASE_URL: baseUrl,
        ALLOW_ANONYMOUS: 'true',
        POLL_INTERVAL_MS: '500',
        ...options.env,
        ...env,
      });
      const url = await program.url();
      const client = await program.client();
      const spawned = { ...createInstanceOperations(client), ask: client.ask, url, program };
      processes.add(spawned);
      return spawned;
    },
    turn: (switches: object) => control('PUT', 'switches', switches),
    clearSwitches: () => control('DELETE', 'switches'),
    requests,
    posts: () => requests('POST /videos/lipsync'),
    forgetRequests: () => control('DELETE', 'requests'),
    jobs: async () => (await read()).jobs,
    accounts: async () => (await read()).accounts,
    /** The POSTs for this lip-sync: never more than one. */
    jobsOf: async (id: string) =>
      (await read()).jobs.filter(({ replyRef }) => replyRef === keyOf('Lipsync', id)),
    /** Ends every running job of the sandbox. */
    async finishJobs(status: 'COMPLETED' | 'FAILED' | 'MODERATED' = 'MODERATED'): Promise<void> {
      const { jobs } = await read();
      const running = jobs.filter((job) => ['QUEUED', 'GENERATING'].includes(job.status));
      for (const { video_id: id } of running) {
        await control('POST', `jobs/${encodeURIComponent(id)}/finish`, { status });
      }
    },
    /** Advances the clock of every instance in this process and runs their schedulers at once. */
    async pass(ms: number): Promise<void> {
      clock.aheadMs += ms;
      const [first] = instances;
      await first?.app.db.query("select pg_notify('queue_changed', '')");
    },
    async stop(): Promise<void> {
      for (const { program } of processes) await program.kill('SIGKILL');
      for (const instance of instances) await instance.stop();
      await sandbox.close();
      if (options.storage === undefined) await storage.remove();
      // The sandbox may still be writing a file.
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}
