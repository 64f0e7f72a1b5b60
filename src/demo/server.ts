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
  /** For `Authorization`, over HTTP and WebSocket. */
  authorization: string;
  isTemporary: boolean;
  /** Aborts when the server ends although nobody stopped it; its reason is a DemoFailure. */
  lost: AbortSignal;
  stop(): Promise<void>;
};

type Variables = Record<string, string | undefined>;

// biome-ignore lint/style/noProcessEnv: the server gets the variables of the shell, as with `npm start`.
const shell: Variables = process.env;

export const isLive = (shell.USEAPI_TOKEN ?? '').trim() !== '';

/** A first start makes a database, which takes seconds, and a laptop may be busy. */
const patienceMs = 60_000;
const askEveryMs = 100;

/** A server that drains takes up to 10 s. */
const stopMs = 12_000;

/** What a server says last is why it ended. */
const keptLines = 20;

/**
 * Starts `npm start`'s own process and waits until it is ready.
 *
 * @throws DemoFailure with the server's own words where it does not start
 */
export async function startServer(signal: AbortSignal): Promise<DemoServer> {
  const port = shell.PORT ?? String(await findFreePort());
  const ownDataDir = shell.DATA_DIR ? null : await mkdtemp(join(tmpdir(), 'lipsync-demo-'));
  const key = randomBytes(24).toString('base64url');
  const child = spawn(
    process.execPath,
    ['--liftoff-only', join(import.meta.dirname, '../main.ts')],
    {
      env: { ...variablesFor(ownDataDir), PORT: port, API_KEYS: grant(key) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const { lost, expectEnd } = watchEnd(child);
  const server: DemoServer = {
    url: `http://127.0.0.1:${port}`,
    authorization: `Bearer ${key}`,
    isTemporary: ownDataDir !== null,
    lost,
    async stop() {
      expectEnd();
      await end(child);
      if (ownDataDir !== null) await rm(ownDataDir, { recursive: true, force: true });
    },
  };
  try {
    await waitUntilReady(server.url, AbortSignal.any([signal, lost]));
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Nothing that would lead the demo into the user's own database, or to another server than the one it starts: beside a
 * running one, the addresses in the shell are that one's.
 */
function variablesFor(ownDataDir: string | null): Variables {
  const { DATABASE_URL, TRUSTED_DOCUMENTS, NODE_ENV, PUBLIC_URL, SANDBOX_PORT, ...rest } = shell;
  return {
    ...rest,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    ...(rest.PORT ? { PUBLIC_URL } : {}),
    ...(ownDataDir === null ? { SANDBOX_PORT } : { DATA_DIR: ownDataDir }),
  };
}

/** One key, known to nobody else: on a live server no neighbour on this machine can spend the credits. */
function grant(key: string): string {
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
  const said: string[] = [];
  let isExpected = false;
  const listen = (chunk: Buffer) => {
    said.push(...chunk.toString().split('\n').filter(Boolean));
    said.splice(0, said.length - keptLines);
  };
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  const lose = (what: string) => {
    if (!isExpected) controller.abort(new DemoFailure([what, ...said].join('\n')));
  };
  child.once('error', (error) => lose(`The server could not be started: ${error.message}`));
  child.once('close', (code) =>
    lose(`The server ended by itself (exit ${code ?? 'by a signal'}).`),
  );
  const expectEnd = () => {
    isExpected = true;
  };
  return { lost: controller.signal, expectEnd };
}

async function waitUntilReady(url: string, signal: AbortSignal): Promise<void> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => null);
    if (answer?.ok === true) return;
    // An abort meanwhile is seen in the next round, with its own reason.
    await wait(askEveryMs, undefined, { signal }).catch(() => undefined);
  }
  throw new DemoFailure('The server was not ready within a minute.');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  const force = setTimeout(() => child.kill('SIGKILL'), stopMs);
  child.kill('SIGTERM');
  await closed;
  clearTimeout(force);
}
