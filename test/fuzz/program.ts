import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { Program } from '../support/program.ts';
import type { Target } from './execute.ts';
import { Pool } from './pool.ts';

const root = join(import.meta.dirname, '../..');
const jwtSecret = 'a secret for fuzzing of thirty-two bytes';
const callbackSecret = 'a secret for fuzzing';
const most = 'lipsync:read lipsync:write videos:read videos:write';

/** The program as a process, on a sandbox in this one. */
export type Fuzzed = Awaited<ReturnType<typeof startFuzzed>>;

export async function startFuzzed() {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-fuzz-'));
  const sandbox = await startSandbox({
    dataDir: join(folder, 'sandbox'),
    queuedMs: 20,
    generatingMs: 60,
    accounts: ['one', 'two', 'three'].map((name) => ({
      email: `${name}@sandbox.example`,
      maxJobs: 8,
    })),
  });
  const child = spawn(
    process.execPath,
    ['--liftoff-only', '--expose-gc', '--import', './test/fuzz/heap.ts', 'src/main.ts'],
    {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...environment(folder), ...upstreamOf(sandbox) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  const program = new Program(child);
  const url = await program.url();
  return {
    program,
    target: {
      url,
      pool: new Pool(),
      authorization: await signIn(),
      secrets: [callbackSecret],
    } satisfies Target,
    /** The memory after a garbage collection, in MB. */
    async measure(): Promise<{ heapMb: number; externalMb: number; residentMb: number }> {
      const answer = once(child, 'message') as Promise<[NodeJS.MemoryUsage]>;
      child.send('measure');
      const [{ heapUsed, external, rss }] = await answer;
      const [heapMb = 0, externalMb = 0, residentMb = 0] = [heapUsed, external, rss].map(
        (bytes) => Math.round((10 * bytes) / 1024 ** 2) / 10,
      );
      return { heapMb, externalMb, residentMb };
    },
    /** @returns the exit code; null when a signal ended the process */
    async stop(): Promise<number | null> {
      const { code } = await program.kill('SIGTERM');
      await sandbox.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      return code;
    },
  };
}

function upstreamOf(sandbox: { baseUrl: string; token: string }) {
  return { USEAPI_BASE_URL: sandbox.baseUrl, USEAPI_TOKEN: sandbox.token };
}

function environment(folder: string): Record<string, string> {
  const key = (name: string, granted: string) =>
    `${name}:${createHash('sha256').update(keyOf(name)).digest('hex')}:${granted}`;
  return {
    PORT: '0',
    DATA_DIR: join(folder, 'data'),
    ALLOW_ANONYMOUS: 'true',
    INTROSPECTION: 'true',
    GRAPHIQL: 'true',
    API_KEYS: [key('admin', `${most} admin`), key('reader', 'lipsync:read')].join(),
    AUTH_JWT_SECRET: jwtSecret,
    CALLBACK_SECRET: callbackSecret,
    OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
    // Hanging and lost jobs end within the run.
    UPSTREAM_TIMEOUT_MS: '3000',
    MAX_JOB_MS: '20000',
    POLL_INTERVAL_MS: '1000',
    LOG_LEVEL: 'info',
  };
}

function keyOf(name: string): string {
  return `the-key-of-${name}`;
}

async function signIn(): Promise<Target['authorization']> {
  const sign = (exp: number) =>
    new SignJWT({ sub: 'fuzz', scope: most, exp })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(jwtSecret));
  return {
    admin: `Bearer ${keyOf('admin')}`,
    writer: `Bearer ${await sign(4_000_000_000)}`,
    reader: `Bearer ${keyOf('reader')}`,
    expired: `Bearer ${await sign(1_000_000_000)}`,
    anonymous: null,
    unknown: 'Bearer unknown',
    rubbish: 'Basic %%%',
  };
}
