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

/**
 * The nginx of docs/operations.md, on a port of its own in front of the server.
 *
 * @param target of the server, as `http://127.0.0.1:PORT`
 * @param cutMs the timeout of quiet connections. Default: nginx's own minute
 */
export async function startNginx(target: string, { cutMs }: { cutMs?: number } = {}) {
  if (!existsSync(program)) {
    throw new Error(`There is no ${program}: install nginx, or set NGINX to its path.`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-nginx-'));
  const port = await findFreePort();
  const cut = cutMs === undefined ? '' : `proxy_read_timeout ${cutMs}ms;`;
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
     events {}
     http {
       access_log off; ${cut}
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       ${await readConfiguration({ target, port, folder })}
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
    .waitFor(() => checkPort(port), { timeout: 10_000, interval: 25 })
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

/** The block of the page, with the paths and ports of this test. */
async function readConfiguration(own: {
  target: string;
  port: number;
  folder: string;
}): Promise<string> {
  const { blocks } = readMarkdown(await readFile('docs/operations.md', 'utf8'));
  const [block, ...others] = blocks.filter(({ language }) => language === 'nginx');
  if (block === undefined || others.length > 0) throw new Error('The page has one nginx block.');
  const replaced: [string, string][] = [
    ['listen 80;', `listen 127.0.0.1:${own.port};`],
    ['/var/cache/nginx/lipsync', join(own.folder, 'cache')],
    [documented, own.target],
  ];
  return replaced.reduce((text, [theirs, ours]) => {
    if (!text.includes(theirs)) throw new Error(`The page does not say ${theirs} any more.`);
    return text.replaceAll(theirs, ours);
  }, block.text);
}

async function checkPort(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}
