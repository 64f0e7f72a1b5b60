import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { DemoFailure } from './failure.ts';

export type DemoServer = {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** The bearer token. */
  token: string;
  isTemporary: boolean;
  /** Aborts with a DemoFailure when the server process ends without `stop`. */
  unexpectedEnd: AbortSignal;
  stop(): Promise<void>;
};

type Variables = Record<string, string | undefined>;

// biome-ignore lint/style/noProcessEnv: the server gets the variables of the shell, as with `npm start`.
const shell: Variables = process.env;

export const isLive = (shell.USEAPI_TOKEN ?? '').trim() !== '';

/** Null if PORT is blank or 0: the demo must know the port in advance, so it then searches for a free one itself. */
const givenPort = Number(shell.PORT ?? '') === 0 ? null : (shell.PORT ?? null);

/** The first start creates a database, which takes seconds, or longer on a busy laptop. */
const readyTimeoutMs = 60_000;
const readyPollMs = 100;

/** Draining takes the server up to 10 s. */
const killAfterMs = 12_000;

/** The last lines of the server's output say why it ended. */
const maxKeptLines = 20;

/**
 * Starts the same process as `npm start` and waits until it is ready.
 *
 * @throws DemoFailure with the server's last output when it does not start
 */
export async function startServer(signal: AbortSignal): Promise<DemoServer> {
  const port = givenPort ?? String(await findFreePort());
  const ownDataDir = shell.DATA_DIR ? null : await mkdtemp(join(tmpdir(), 'lipsync-demo-'));
  const key = randomBytes(24).toString('base64url');
  const child = spawn(
    process.execPath,
    ['--liftoff-only', join(import.meta.dirname, '../main.ts')],
    {
      env: { ...variablesFor(ownDataDir), PORT: port, API_KEYS: apiKeyEntry(key) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const { unexpectedEnd, expectEnd } = watchEnd(child);
  const server: DemoServer = {
    url: `http://127.0.0.1:${port}`,
    token: key,
    isTemporary: ownDataDir !== null,
    unexpectedEnd,
    async stop() {
      expectEnd();
      await stopProcess(child);
      if (ownDataDir !== null) await rm(ownDataDir, { recursive: true, force: true });
    },
  };
  try {
    await waitUntilReady(server.url, AbortSignal.any([signal, unexpectedEnd]));
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Leaves out variables that would make the demo use the user's own database, or the address of another running server.
 */
function variablesFor(ownDataDir: string | null): Variables {
  const { DATABASE_URL, TRUSTED_DOCUMENTS, NODE_ENV, PUBLIC_URL, SANDBOX_PORT, ...rest } = shell;
  return {
    ...rest,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    ...(givenPort === null ? {} : { PUBLIC_URL }),
    ...(ownDataDir === null ? { SANDBOX_PORT } : { DATA_DIR: ownDataDir }),
  };
}

/** An entry of `API_KEYS` for the demo's random key: no other process on this machine can spend the credits. */
function apiKeyEntry(key: string): string {
  const hash = createHash('sha256').update(key).digest('hex');
  return `demo:${hash}:lipsync:read lipsync:write videos:read`;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new DemoFailure('No port is free.');
  return address.port;
}

function watchEnd(child: ChildProcess) {
  const controller = new AbortController();
  const lastLines: string[] = [];
  let isExpected = false;
  const keepLines = (chunk: Buffer) => {
    lastLines.push(...chunk.toString().split('\n').filter(Boolean));
    lastLines.splice(0, lastLines.length - maxKeptLines);
  };
  child.stdout?.on('data', keepLines);
  child.stderr?.on('data', keepLines);
  const reportEnd = (message: string) => {
    if (!isExpected) controller.abort(new DemoFailure([message, ...lastLines].join('\n')));
  };
  child.once('error', (error) => reportEnd(`The server could not be started: ${error.message}`));
  child.once('close', (code) =>
    reportEnd(`The server ended by itself (exit ${code ?? 'by a signal'}).`),
  );
  const expectEnd = () => {
    isExpected = true;
  };
  return { unexpectedEnd: controller.signal, expectEnd };
}

async function waitUntilReady(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => null);
    if (answer?.ok === true) return;
    // The next round throws the reason of an abort.
    await wait(readyPollMs, undefined, { signal }).catch(() => undefined);
  }
  throw new DemoFailure('The server was not ready within a minute.');
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  const force = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  child.kill('SIGTERM');
  await closed;
  clearTimeout(force);
}
