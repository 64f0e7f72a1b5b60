import { join } from 'node:path';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { connectAgent } from '../support/agent.ts';
import type { GraphQLClient } from '../support/graphql-client.ts';
import { startProgram } from '../support/program.ts';
import { findDoubled, findWrongEnds, type Job } from './ends.ts';
import { openFileHost } from './files.ts';
import { disturb, mergeRuns, Traffic } from './load.ts';
import { least, readSample, type Sample } from './process-metrics.ts';
import { openReceivers, type Receivers } from './receivers.ts';
import { ageRows, countRows, waitForRetention } from './retention.ts';
import type { Server } from './server.ts';
import type { Ended, Run } from './traffic.ts';

export type SoakOptions = {
  seed: number;
  /** How many requests for lip-syncs, or for how long to send them. */
  length: { requests: number } | { minutes: number };
  /** How many clients act at the same time. */
  clients: number;
  /** Whether some faults stop an account for a minute. */
  hasPauses: boolean;
  dataDir: string;
  onProgress?: (line: string) => void;
};

export type SoakOutcome = Run & {
  lost: string[];
  doubled: string[];
  webhooks: { expected: number; delivered: number; failedAttempts: number };
  first: Sample;
  last: Sample;
  /** Rows at the end, by table. */
  rows: Record<string, number>;
};

/** A quarter of the traffic fills caches and pools; what grows after it grows for ever. */
const warmUpShare = 0.25;

/** Requests while the retention erases what the traffic has left. */
const requestsBesideRetention = 6;

/** Runs the whole program against the faults of the sandbox, with seeded clients, and examines what is left. */
export async function runSoak(options: SoakOptions): Promise<SoakOutcome> {
  const { dataDir } = options;
  const sandbox = await startSandbox({
    dataDir: join(dataDir, 'upstream'),
    queuedMs: 20,
    generatingMs: 150,
    accounts: ['a', 'b', 'c', 'd'].map((name) => ({
      email: `${name}@sandbox.example`,
      maxJobs: 8,
    })),
  });
  const helpers = { files: await openFileHost(), receivers: await openReceivers() };
  const serverDir = join(dataDir, 'server');
  const environment = {
    USEAPI_TOKEN: sandbox.token,
    USEAPI_BASE_URL: sandbox.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    MCP: 'true',
    DATA_DIR: serverDir,
    PORT: '0',
    LOG_LEVEL: 'info',
    POLL_INTERVAL_MS: '500',
    UPSTREAM_TIMEOUT_MS: '2000',
    MAX_UNKNOWN_MS: '3000',
    MAX_JOB_MS: '20000',
    OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
  };
  const runs: Run[] = [];
  const traffic = new Traffic({ ...options, disturb: (at) => disturb(sandbox.origin, at) });
  try {
    const program = { environment, helpers, runs };
    const samples = await useProgram(program, async (server) => {
      runs.push(await traffic.run(server, warmUpShare));
      const first = least(await sampleAtRest(server.url));
      runs.push(await traffic.run(server, 1 - warmUpShare));
      return { first, last: least(await sampleAtRest(server.url)) };
    });
    const agedAt = await ageRows(serverDir);
    await useProgram(program, async (server) => {
      runs.push(await traffic.runSome(server, requestsBesideRetention));
      await waitForRetention(server.client, agedAt);
    });
    const all = mergeRuns(runs);
    const jobs = await readJobs(sandbox.origin);
    return {
      ...all,
      broken: [...all.broken, ...helpers.receivers.broken],
      lost: findWrongEnds(all.ended, jobs),
      doubled: findDoubled(jobs),
      webhooks: countWebhooks(all.ended, helpers.receivers),
      ...samples,
      rows: await countRows(serverDir, agedAt),
    };
  } finally {
    helpers.files.close();
    helpers.receivers.close();
    await sandbox.close();
  }
}

type ProgramParts = {
  environment: Record<string, string>;
  helpers: Pick<Server, 'files' | 'receivers'>;
  /** The runs of clients so far. Problems of the program are added to the last one. */
  runs: Run[];
};

/** Starts the program for `use`, waits for its webhooks, and stops it. It must log no error and end with 0. */
async function useProgram<Result>(
  { environment, helpers, runs }: ProgramParts,
  use: (server: Server) => Promise<Result>,
): Promise<Result> {
  const program = startProgram(environment);
  try {
    const url = await program.url();
    const client = await program.client();
    const videoIds = await readVideoIds(client);
    const agent = await connectAgent({ url });
    const result = await use({ ...helpers, url, client, agent, videoIds });
    await agent.client.close();
    await helpers.receivers.until(expectedWebhooks(mergeRuns(runs).ended));
    const { code } = await program.kill('SIGTERM');
    const errors = program.lines.filter(({ level }) => level === 'error' || level === 'fatal');
    const broken = [
      ...errors.map((line) => `it logged ${JSON.stringify(line)}`),
      ...(code === 0 ? [] : [`SIGTERM ended it with ${code}`]),
    ];
    runs.push({ ended: [], resumes: 0, broken });
    return result;
  } finally {
    if (program.child.exitCode === null) await program.kill('SIGKILL');
  }
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

async function readJobs(origin: string): Promise<Job[]> {
  const response = await fetch(`${origin}/_sandbox/jobs`);
  return ((await response.json()) as { jobs: Job[] }).jobs;
}

/** Of every account: a lip-sync needs the account of its video. */
async function readVideoIds(client: GraphQLClient): Promise<string[]> {
  const { data } = await client.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 100, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const ids = data?.videos.nodes.map(({ id }) => id) ?? [];
  if (ids.length === 0) throw new Error('The sandbox has no video to begin with.');
  return ids;
}

/** Of receivers that take webhooks: every lip-sync that was created ended. */
function expectedWebhooks(ended: readonly Ended[]): string[] {
  const taking = ended.filter(
    ({ plan: { receiver } }) => receiver !== 'none' && receiver !== 'gone',
  );
  return taking.flatMap(({ id, end }) => (id === null || end === null ? [] : id));
}

function countWebhooks(ended: readonly Ended[], receivers: Receivers): SoakOutcome['webhooks'] {
  const delivered = receivers.deliveredIds();
  const expected = expectedWebhooks(ended);
  return {
    expected: expected.length,
    delivered: expected.filter((id) => delivered.has(id)).length,
    failedAttempts: receivers.failedAttempts(),
  };
}
