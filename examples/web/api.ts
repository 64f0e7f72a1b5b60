import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export type Api = {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** Resolves when the process has exited. */
  exited: Promise<unknown>;
  stop(): Promise<void>;
};

/** Not inherited from the shell: they would lead to the paid service or to existing data. */
const excludedVariables = [
  'USEAPI_TOKEN',
  'DATABASE_URL',
  'TRUSTED_DOCUMENTS',
  'NODE_ENV',
  'SANDBOX_PORT',
];

const pollIntervalMs = 100;

/**
 * Starts the server of `npm start` in sandbox mode, with a data folder of its own, and waits until it is ready.
 *
 * @param publicUrl the address of the page, which proxies uploads and callbacks to the server
 * @param variables environment variables, which override those of the shell
 */
export async function startApi(
  publicUrl: string,
  variables: Record<string, string> = {},
): Promise<Api> {
  const port = await findPort(0);
  const url = `http://127.0.0.1:${port}`;
  const shell = Object.entries(process.env).filter(([name]) => !excludedVariables.includes(name));
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
  const exited = once(child, 'close');
  while (child.exitCode === null && child.signalCode === null) {
    const response = await fetch(`${url}/readyz`).catch(() => null);
    if (response?.ok === true) break;
    await wait(pollIntervalMs);
  }
  return {
    url,
    exited,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Returns the wanted port, or a free one if it is in use; 0 means any. */
export async function findPort(wanted: number): Promise<number> {
  const server = createServer();
  const listening = once(server, 'listening').catch(() => null);
  server.listen(wanted, '127.0.0.1');
  if ((await listening) === null) return findPort(0);
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port was found.');
  return address.port;
}
