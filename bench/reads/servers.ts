import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startFakeUpstream } from '../../test/support/fake-upstream/server.ts';
import { readUrl } from '../read-url.ts';

export const root = join(import.meta.dirname, '../..');

/** An answer of 11 kB. */
export const query = `query Studio { voices { ... on VoiceList { nodes { id name previewUrl } } }
  videos(first: 40) { ... on VideoConnection {
    edges { cursor node { id status url prompt createdAt } } pageInfo { hasNextPage endCursor } } } }`;

/** With more videos than the answer has. */
export async function startUpstream() {
  const upstream = await startFakeUpstream();
  const email = upstream.accounts[0]?.email ?? '';
  for (let n = 0; n < 45; n += 1) upstream.addVideo(email, `A woman looks into the camera, ${n}`);
  return upstream;
}

export type Server = { url: string; pid: number; stop: () => Promise<void> };

export function requestOf(url: string, path: string, header: string): Buffer {
  const body = JSON.stringify({ query });
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    'accept: application/json',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    header,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** @param more further variables */
export function startOurs(
  folder: string,
  upstream: { baseUrl: string; token: string },
  more: Record<string, string> = {},
): Promise<Server> {
  return start(['src/main.ts'], {
    PORT: '0',
    DATA_DIR: join(folder, 'data'),
    ALLOW_ANONYMOUS: 'true',
    USEAPI_BASE_URL: upstream.baseUrl,
    USEAPI_TOKEN: upstream.token,
    // What is measured is this server and not the upstream.
    READ_FRESH_MS: '3600000',
    ...more,
  });
}

export async function start(command: string[], env: Record<string, string>): Promise<Server> {
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', SANDBOX: 'false', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  return {
    url: await readUrl(child),
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
