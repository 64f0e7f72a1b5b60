import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connectDatabase } from '../../src/database/connect.ts';
import { keyOf } from '../../src/graphql/ids.ts';
import { createLog } from '../../src/log.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { startProgram } from '../support/program.ts';
import { least, readSample, type Sample } from './process-metrics.ts';
import { type Ended, makePlans, runPlan, type Server } from './traffic.ts';

export type SoakOptions = {
  seed: number;
  lipsyncs: number;
  /** How many clients act at the same time. */
  clients: number;
  dataDir: string;
  onProgress?: (line: string) => void;
};

export type SoakOutcome = {
  ended: Ended[];
  refused: number;
  lost: string[];
  doubled: string[];
  broken: string[];
  webhooks: { expected: number; delivered: number; failedOnce: number };
  first: Sample;
  last: Sample;
  /** Rows at the end, by table. */
  rows: Record<string, number>;
};

/** A quarter of the traffic fills caches and pools; what grows after it grows for ever. */
const warmUpShare = 0.25;

/** Runs the whole program against the faults of the sandbox, with seeded clients, and examines what is left. */
export async function runSoak(options: SoakOptions): Promise<SoakOutcome> {
  const { dataDir, seed, lipsyncs } = options;
  const sandbox = await startSandbox({
    dataDir: join(dataDir, 'upstream'),
    queuedMs: 20,
    generatingMs: 150,
    accounts: ['a', 'b', 'c', 'd'].map((name) => ({
      email: `${name}@sandbox.example`,
      maxJobs: 8,
    })),
  });
  const receiver = await openReceiver();
  const program = startProgram({
    USEAPI_TOKEN: sandbox.token,
    USEAPI_BASE_URL: sandbox.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    DATA_DIR: join(dataDir, 'server'),
    PORT: '0',
    LOG_LEVEL: 'info',
    POLL_INTERVAL_MS: '500',
    UPSTREAM_TIMEOUT_MS: '1000',
    MAX_UNKNOWN_MS: '2000',
    MAX_JOB_MS: '20000',
    OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
  });
  try {
    const url = await program.url();
    const client = await program.client();
    const videoIds = await readVideoIds(client);
    const server: Server = { url, client, videoIds, webhookUrl: receiver.url };
    const plans = makePlans(seed, lipsyncs);
    const warmUp = Math.floor(lipsyncs * warmUpShare);
    const ended = await runAll(server, plans.slice(0, warmUp), { ...options, from: 0 });
    const first = least(await sampleAtRest(url));
    ended.push(...(await runAll(server, plans.slice(warmUp), { ...options, from: warmUp })));
    const last = least(await sampleAtRest(url));
    const expected = ended.filter(({ plan, id }) => plan.hasWebhook && id !== null);
    await receiver.until(expected.flatMap(({ id }) => id ?? []));
    const jobs = await readJobs(sandbox.origin);
    const { code } = await program.kill('SIGTERM');
    const errors = program.lines.filter(({ level }) => level === 'error' || level === 'fatal');
    return {
      ended,
      refused: ended.filter(({ id }) => id === null).length,
      lost: ended.filter((each) => isLost(each, jobs)).map(({ id }) => id ?? ''),
      doubled: findDoubled(jobs),
      broken: [
        ...ended.flatMap(({ broken }) => broken),
        ...errors.map((line) => `it logged ${JSON.stringify(line)}`),
        ...(code === 0 ? [] : [`SIGTERM ended it with ${code}`]),
        ...receiver.broken,
      ],
      webhooks: {
        expected: expected.length,
        delivered: receiver.deliveredIds().size,
        failedOnce: receiver.failedOnce(),
      },
      first,
      last,
      rows: await countRows(join(dataDir, 'server')),
    };
  } finally {
    if (program.child.exitCode === null) await program.kill('SIGKILL');
    receiver.close();
    await sandbox.close();
  }
}

async function runAll(
  server: Server,
  plans: ReturnType<typeof makePlans>,
  { clients, from, onProgress }: SoakOptions & { from: number },
): Promise<Ended[]> {
  const ended: Ended[] = [];
  const waiting = [...plans.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, plan] = next;
      ended.push(await runPlan(server, plan, from + at));
      if (ended.length % 100 === 0) onProgress?.(`${from + ended.length} lip-syncs have ended`);
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return ended;
}

/** Twenty samples, each after some requests, which let the process collect garbage. */
async function sampleAtRest(url: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let count = 0; count < 20; count += 1) {
    for (let request = 0; request < 20; request += 1) await (await fetch(`${url}/livez`)).text();
    samples.push(await readSample(url));
  }
  return samples;
}

type Job = { replyRef: string; status: string };

async function readJobs(origin: string): Promise<Job[]> {
  const response = await fetch(`${origin}/_sandbox/jobs`);
  return ((await response.json()) as { jobs: Job[] }).jobs;
}

/** A lip-sync whose end is not that of its job, or that has none. An unknown outcome is an honest end. */
function isLost({ id, ends }: Ended, jobs: readonly Job[]): boolean {
  if (id === null) return false;
  const job = jobs.find(({ replyRef }) => replyRef === keyOf('Lipsync', id));
  const [end] = ends;
  return end === undefined || (end !== 'FAILED' && end !== job?.status);
}

function findDoubled(jobs: readonly Job[]): string[] {
  const byLipsync = Map.groupBy(jobs, ({ replyRef }) => replyRef);
  return [...byLipsync].filter(([, own]) => own.length > 1).map(([replyRef]) => replyRef);
}

/** Of every account: a lip-sync needs the account of its video. */
async function readVideoIds(client: Server['client']): Promise<string[]> {
  const { data } = await client.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 100, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const ids = data?.videos.nodes.map(({ id }) => id) ?? [];
  if (ids.length === 0) throw new Error('The sandbox has no video to begin with.');
  return ids;
}

/** A receiver that fails the first attempt of every tenth webhook. */
async function openReceiver() {
  const delivered = new Map<string, Set<string>>();
  const attempts = new Map<string, number>();
  const broken: string[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const webhookId = String(request.headers['webhook-id']);
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: { id: string } };
    const attempt = (attempts.get(webhookId) ?? 0) + 1;
    attempts.set(webhookId, attempt);
    const fails = attempt === 1 && attempts.size % 10 === 0;
    response.writeHead(fails ? 500 : 200).end();
    if (fails) return;
    const ids = delivered.get(data.id) ?? new Set();
    delivered.set(data.id, ids.add(webhookId));
    for (const check of waiting) check();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    broken,
    deliveredIds: () => new Set(delivered.keys()),
    failedOnce: () => [...attempts.values()].filter((count) => count > 1).length,
    /** Resolves when each of the lip-syncs has had a webhook. */
    until: (ids: readonly string[]) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!ids.every((id) => delivered.has(id))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Tables whose rows are about what goes on now: after the traffic they are empty. */
export const currentTables = {
  'waiting lip-syncs': 'select count(*)::int as count from lipsyncs where finished_at is null',
  'held slots': 'select count(*)::int as count from lipsyncs where holds_slot',
  'counted as waiting': 'select count(*)::int as count from waiting_counts',
  'open streams': 'select count(*)::int as count from open_streams',
  'pending webhooks':
    "select count(*)::int as count from webhook_deliveries where state = 'PENDING'",
  // One poll of each account and the hourly retention.
  'background jobs':
    "select count(*)::int as count from pgboss.job where state in ('created', 'retry', 'active')",
};

async function countRows(dataDir: string): Promise<Record<string, number>> {
  const db = await connectDatabase({ dataDir, log: createLog('silent') });
  try {
    const rows: Record<string, number> = {};
    for (const [name, sql] of Object.entries(currentTables)) {
      const [row] = await db.query<{ count: number }>(sql);
      rows[name] = row?.count ?? 0;
    }
    return rows;
  } finally {
    await db.close();
  }
}
