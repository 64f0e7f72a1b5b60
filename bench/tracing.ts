/**
 * What an exporter of traces costs reads, in CPU time of the server, which a busy machine changes less than a rate: the same
 * query without an exporter, with one that records every trace, and with one that records a tenth. The collector only answers.
 *
 *     npm run bench -- tracing
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuTimeOf } from './lifecycle/cpu-time.ts';
import { measureRate } from './reads/load.ts';
import { requestOf, type Server, startOurs, startUpstream } from './reads/servers.ts';
import type { Measurement } from './report.ts';

const connections = 32;

/** The collector of a client that may still send. */
async function openCollector() {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const settings = (url: string): Record<string, Record<string, string>> => ({
  off: {},
  all: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER: 'always_on' },
  tenth: {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
  },
});

/** Each way to answer: executed for this request, or shared. */
const headers = { executed: 'cache-control: no-cache', shared: 'x-shared: 1' } as const;

export const run: Measurement = async ({ isShort }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const upstream = await startUpstream();
  const collector = await openCollector();
  const servers = new Map<string, Server>();
  try {
    for (const [name, more] of Object.entries(settings(collector.url))) {
      servers.set(name, await startOurs(join(folder, name), upstream, more));
    }
    return await compareAll(servers, { rounds: isShort ? 3 : 7, seconds: isShort ? 1.5 : 4 });
  } finally {
    for (const { stop } of servers.values()) await stop();
    collector.close();
    await upstream.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

/** In microseconds of CPU time for each request. */
async function measureCost({ url, pid }: Server, header: string, seconds: number): Promise<number> {
  const before = cpuTimeOf(pid);
  const request = requestOf(url, '/graphql', header);
  const startedAt = performance.now();
  const rate = await measureRate({ url, request, connections, seconds });
  const requests = (rate * (performance.now() - startedAt)) / 1_000;
  return ((cpuTimeOf(pid) - before) * 1_000) / requests;
}

async function compareAll(
  servers: ReadonlyMap<string, Server>,
  { rounds, seconds }: { rounds: number; seconds: number },
) {
  const costs: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round += 1) {
    for (const [way, header] of Object.entries(headers)) {
      for (const [name, server] of servers) {
        const cost = await measureCost(server, header, seconds);
        // The first round warms up.
        if (round >= 0) costs[`${way} ${name}`] = [...(costs[`${way} ${name}`] ?? []), cost];
      }
    }
  }
  return Object.keys(headers).flatMap((way) =>
    ['all', 'tenth'].map((name) => ({
      name: `reads, ${way}, ${name === 'all' ? 'every trace' : 'a tenth of the traces'} recorded`,
      unit: 'µs of CPU',
      ours: costs[`${way} ${name}`] ?? [],
      peer: { name: 'without an exporter', values: costs[`${way} off`] ?? [] },
    })),
  );
}
