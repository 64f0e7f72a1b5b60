/**
 * Reads of voices and videos, an answer of 11 kB, beside other servers with the same data. All of them run one after the
 * other in alternating rounds, each as a process of its own, with 32 connections.
 *
 *     npm run bench -- reads
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { startFakeUpstream } from '../test/support/fake-upstream/server.ts';
import { measureRate } from './reads/load.ts';
import type { Comparison, Measurement } from './report.ts';

const root = join(import.meta.dirname, '..');
const connections = 32;

const query = `query Studio { voices { ... on VoiceList { nodes { id name previewUrl } } }
  videos(first: 40) { ... on VideoConnection {
    edges { cursor node { id status url prompt createdAt } } pageInfo { hasNextPage endCursor } } } }`;

type Server = { url: string; stop: () => Promise<void> };

export const run: Measurement = async ({ isShort }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const upstream = await startFakeUpstream();
  const servers = new Map<string, Server>();
  try {
    const email = upstream.accounts[0]?.email ?? '';
    for (let n = 0; n < 45; n += 1) upstream.addVideo(email, `A woman looks into the camera, ${n}`);
    servers.set('ours', await startOurs(folder, upstream));
    const data = await readData(servers.get('ours')?.url ?? '');
    const file = join(folder, 'data.json');
    await writeFile(file, JSON.stringify(data));
    spawnSync(process.execPath, ['test/support/install.ts', 'bench/peers'], {
      cwd: root,
      stdio: 'inherit',
    });
    for (const name of ['bare', 'mercurius', 'yoga', 'apollo']) {
      const peer = await start(['bench/peers/reads.mjs', name, file], {});
      servers.set(name, peer);
      if (!isDeepStrictEqual(await readData(peer.url), data)) {
        throw new Error(`${name} has another answer.`);
      }
    }
    return compare(
      await measureAll(servers, { rounds: isShort ? 3 : 7, seconds: isShort ? 2 : 4 }),
    );
  } finally {
    for (const { stop } of servers.values()) await stop();
    await upstream.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

/** Each of our ways to answer is a subject of its own. */
const subjects: { name: string; server: string; path: string; header: string }[] = [
  { name: 'executed', server: 'ours', path: '/graphql', header: 'cache-control: no-cache' },
  { name: 'shared', server: 'ours', path: '/graphql', header: 'x-shared: 1' },
  ...['bare', 'mercurius', 'yoga', 'apollo'].map((name) => ({
    ...{ name, server: name, path: name === 'apollo' ? '/' : '/graphql', header: 'x-peer: 1' },
  })),
];

type Rates = Record<string, number[]>;

async function measureAll(
  servers: ReadonlyMap<string, Server>,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Rates> {
  const rates: Rates = {};
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, server, path, header } of subjects) {
      const { url = '' } = servers.get(server) ?? {};
      const request = requestOf(url, path, header);
      const rate = await measureRate({ url, request, connections, seconds });
      // The first round warms up.
      if (round >= 0) rates[name] = [...(rates[name] ?? []), rate];
    }
  }
  return rates;
}

function requestOf(url: string, path: string, header: string): Buffer {
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

function compare(rates: Rates): Comparison[] {
  const toComparison = (
    name: string,
    peer: string,
    promised: { ratio: number; reached: number } | null,
  ): Comparison => ({
    name: `reads, ${name}`,
    unit: 'req/s',
    ours: rates[name] ?? [],
    peer: { name: peer, values: rates[peer] ?? [] },
    ...(promised === null ? {} : { promise: { bound: 'at least', ...promised } }),
  });
  return [
    toComparison('executed', 'mercurius', { ratio: 1.2, reached: 0.25 }),
    toComparison('executed', 'apollo', { ratio: 5, reached: 1.3 }),
    toComparison('executed', 'yoga', null),
    toComparison('shared', 'mercurius', { ratio: 2, reached: 0.65 }),
    toComparison('shared', 'bare', { ratio: 0.5, reached: 0.2 }),
  ];
}

async function readData(url: string): Promise<unknown> {
  for (const path of ['/graphql', '/']) {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    if (response.ok) return ((await response.json()) as { data: unknown }).data;
  }
  throw new Error(`${url} does not answer the query.`);
}

function startOurs(folder: string, upstream: { baseUrl: string; token: string }): Promise<Server> {
  return start(['src/main.ts'], {
    PORT: '0',
    DATA_DIR: join(folder, 'data'),
    ALLOW_ANONYMOUS: 'true',
    USEAPI_BASE_URL: upstream.baseUrl,
    USEAPI_TOKEN: upstream.token,
    // What is measured is this server and not the upstream.
    READ_FRESH_MS: '3600000',
  });
}

async function start(command: string[], env: Record<string, string>): Promise<Server> {
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', SANDBOX: 'false', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  return {
    url: await readUrl(child),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function readUrl({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('The output was not piped.');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  createInterface({ input: stdout })
    .on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg === 'listening' && url !== undefined) resolve(url.replace(/\/graphql$/, ''));
    })
    .on('close', () => reject(new Error('The server ended before it listened.')));
  return promise;
}
