import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { findFreePort } from '../support/free-port.ts';
import { readMarkdown } from '../support/markdown.ts';

/** The path on Debian; NGINX names another one. */
const program = process.env.NGINX ?? '/usr/sbin/nginx';

const documented = 'http://127.0.0.1:4000';

/** An own port and folder of an nginx, to put in place of those that a file names. */
type Own = { port: number; folder: string };

/**
 * The nginx of docs/operations.md, on a port of its own in front of the server.
 *
 * @param target of the server, as `http://127.0.0.1:PORT`
 * @param cutMs the timeout of quiet connections. Default: nginx's own minute
 */
export async function startNginx(target: string, { cutMs }: { cutMs?: number } = {}) {
  const readServers = async ({ port, folder }: Own) =>
    replaceAll(await readPage(), [
      ['listen 80;', `listen 127.0.0.1:${port};`],
      ['/var/cache/nginx/lipsync', join(folder, 'cache')],
      [documented, target],
    ]);
  return runNginx(readServers, cutMs === undefined ? '' : `proxy_read_timeout ${cutMs}ms;`);
}

/** The nginx of compose.yaml, on a port of its own in front of two instances of the server. */
export async function startComposeNginx(targets: readonly [string, string]) {
  const hosts = targets.map((target) => new URL(target).host);
  return runNginx(async ({ port }) =>
    replaceAll(await readFile('deploy/nginx.conf', 'utf8'), [
      ['listen 80;', `listen 127.0.0.1:${port};`],
      ['app-1:4000', hosts[0] ?? ''],
      ['app-2:4000', hosts[1] ?? ''],
    ]),
  );
}

async function runNginx(readServers: (own: Own) => Promise<string>, options = '') {
  if (!existsSync(program)) {
    throw new Error(`There is no ${program}: install nginx, or set NGINX to its path.`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-nginx-'));
  const port = await findFreePort();
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
     events {}
     http {
       access_log off; ${options}
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       ${await readServers({ port, folder })}
     }`,
  );
  const nginx = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  nginx.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const exited = once(nginx, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await vi
    .waitFor(() => checkPort(port), { timeout: 60_000, interval: 25 })
    .catch((error: unknown) => {
      throw new Error(`nginx does not listen: ${said}`, { cause: error });
    });
  return {
    url,
    async [Symbol.asyncDispose](): Promise<void> {
      nginx.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The block of the page. */
async function readPage(): Promise<string> {
  const { blocks } = readMarkdown(await readFile('docs/operations.md', 'utf8'));
  const [block, ...others] = blocks.filter(({ language }) => language === 'nginx');
  if (block === undefined || others.length > 0) throw new Error('The page has one nginx block.');
  return block.text;
}

/** Puts the paths and ports of a test in place of those of a file. */
function replaceAll(whole: string, replaced: readonly [string, string][]): string {
  return replaced.reduce((text, [theirs, ours]) => {
    if (!text.includes(theirs)) throw new Error(`The file does not say ${theirs} any more.`);
    return text.replaceAll(theirs, ours);
  }, whole);
}

async function checkPort(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}
