/**
 * Reads of voices and videos, an answer of 11 kB, beside other servers with the same data. All of them run one after the
 * other in alternating rounds, each as a process of its own, with 32 connections.
 *
 *     npm run bench -- reads
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { measureRate } from './reads/load.ts';
import {
  query,
  requestOf,
  root,
  type Server,
  start,
  startOurs,
  startUpstream,
} from './reads/servers.ts';
import type { Comparison, Measurement } from './report.ts';

const connections = 32;

export const run: Measurement = async ({ isShort }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const upstream = await startUpstream();
  const servers = new Map<string, Server>();
  try {
    servers.set('ours', await startOurs(folder, upstream));
    const data = await readData(servers.get('ours')?.url ?? '');
    const file = join(folder, 'data.json');
    await writeFile(file, JSON.stringify(data));
    spawnSync(process.execPath, ['test/support/install.ts', 'bench/peers'], {
      cwd: root,
      stdio: 'inherit',
    });
    // Nothing is promised beside Yoga.
    const peers = isShort
      ? ['bare', 'mercurius', 'apollo']
      : ['bare', 'mercurius', 'yoga', 'apollo'];
    for (const name of peers) {
      const peer = await start(['bench/peers/reads.mjs', name, file], {});
      servers.set(name, peer);
      if (!isDeepStrictEqual(await readData(peer.url), data)) {
        throw new Error(`${name} has another answer.`);
      }
    }
    return compare(
      await measureAll(servers, { rounds: isShort ? 2 : 7, seconds: isShort ? 1 : 4 }),
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
      const { url } = servers.get(server) ?? {};
      if (url === undefined) continue;
      const request = requestOf(url, path, header);
      const rate = await measureRate({ url, request, connections, seconds });
      // The first round warms up.
      if (round >= 0) rates[name] = [...(rates[name] ?? []), rate];
    }
  }
  return rates;
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
    toComparison('executed', 'mercurius', { ratio: 1.2, reached: 0.35 }),
    toComparison('executed', 'apollo', { ratio: 5, reached: 1.9 }),
    ...(rates.yoga === undefined ? [] : [toComparison('executed', 'yoga', null)]),
    toComparison('shared', 'mercurius', { ratio: 2, reached: 0.8 }),
    toComparison('shared', 'bare', { ratio: 0.5, reached: 0.33 }),
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
