import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export type Api = {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** Resolves when it has ended, by whatever. */
  ended: Promise<unknown>;
  stop(): Promise<void>;
};

/** What would lead the page to a service that charges, or into somebody's data. */
const notTaken = ['USEAPI_TOKEN', 'DATABASE_URL', 'TRUSTED_DOCUMENTS', 'NODE_ENV', 'SANDBOX_PORT'];

const askEveryMs = 100;

/**
 * Starts the program of `npm start` in its sandbox, with data of its own, and waits until it is ready.
 *
 * @param publicUrl of the page: uploads go there, and the sandbox calls back there
 * @param variables of the program, before those of the shell
 */
export async function startApi(
  publicUrl: string,
  variables: Record<string, string> = {},
): Promise<Api> {
  const port = await findPort(0);
  const url = `http://127.0.0.1:${port}`;
  const shell = Object.entries(process.env).filter(([name]) => !notTaken.includes(name));
  const child = spawn(
    process.execPath,
    ['--liftoff-only', join(import.meta.dirname, '../../src/main.ts')],
    {
      env: {
        LOG_LEVEL: 'warn',
        DATA_DIR: join(import.meta.dirname, '.data'),
        ...Object.fromEntries(shell),
        ...variables,
        PORT: String(port),
        HOST: '127.0.0.1',
        PUBLIC_URL: publicUrl,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const ended = once(child, 'close');
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok === true) break;
    await wait(askEveryMs);
  }
  return {
    url,
    ended,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The wanted port, or another where it is taken; with 0 any. */
export async function findPort(wanted: number): Promise<number> {
  const server = createServer();
  const listening = once(server, 'listening').catch(() => null);
  server.listen(wanted, '127.0.0.1');
  if ((await listening) === null) return findPort(0);
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port is free.');
  return address.port;
}
