import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { findFreePort } from '../support/free-port.ts';

export type GatewayOptions = {
  supergraph: string;
  /** Variables of `gateway.config.ts`. */
  env?: Record<string, string>;
};

export type Gateway = {
  url: string;
  stop(): Promise<void>;
  /** Kills the process without closing its connections. */
  kill(): void;
};

const hiveGateway = join(import.meta.dirname, 'node_modules/@graphql-hive/gateway/dist/bin.js');
const config = join(import.meta.dirname, 'gateway.config.ts');

/** Starts Hive Gateway as a separate program with a supergraph file. */
export async function startGateway({ supergraph, env = {} }: GatewayOptions): Promise<Gateway> {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-gateway-'));
  const file = join(folder, 'supergraph.graphql');
  await writeFile(file, supergraph);
  const port = String(await findFreePort());
  const url = `http://127.0.0.1:${port}`;
  const program = spawn(
    process.execPath,
    [hiveGateway, 'supergraph', file, '-c', config, '-h', '127.0.0.1', '-p', port],
    {
      env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', PUBLIC_URL: url, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(program, 'exit');
  const stop = async () => {
    program.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const early = ended.then(() => Promise.reject(new Error(`The gateway did not start: ${output}`)));
  // A later stop must not cause an unhandled rejection.
  early.catch(() => undefined);
  const ready = vi.waitFor(() => checkReady(url), { timeout: 180_000, interval: 50 });
  await Promise.race([ready, early]);
  return { url, stop, kill: () => void program.kill('SIGKILL') };
}

async function checkReady(url: string): Promise<void> {
  const { status } = await fetch(`${url}/readiness`);
  expect(status).toBe(200);
}
