/**
 * What a lip-sync costs from its creation to COMPLETED: CPU time of the program and of PostgreSQL. Lip-syncs are created over
 * HTTP, sent to the sandbox, and completed by its callbacks; nobody subscribes. The peer is the creation alone, into a full
 * queue. CPU time depends little on what else runs on the machine. Linux only.
 *
 *     npm run bench -- lifecycle
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { startSandbox } from '../src/sandbox/sandbox.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { type Ask, createOne, openProgram } from './creations/subjects.ts';
import { cpuTimeOf, parentOf } from './lifecycle/cpu-time.ts';
import type { Comparison, Measurement } from './report.ts';

const atOnce = 16;
const accounts = 20;
const jobsPerAccount = 8;

export const run: Measurement = async ({ isShort }) => {
  if (!existsSync('/proc/self/stat')) return [];
  const size = isShort ? { rounds: 1, lipsyncs: 100 } : { rounds: 5, lipsyncs: 1_000 };
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const closers = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const sandbox = await startSandbox({
      ...{ dataDir: folder, queuedMs: 200, generatingMs: 800 },
      accounts: Array.from({ length: accounts }, (_, at) => ({
        email: `account-${at}@sandbox.example`,
        maxJobs: jobsPerAccount,
      })),
    });
    closers.push(sandbox.close);
    const postgres = await startPostgres();
    closers.push(postgres.remove);
    const databaseUrl = await postgres.createDatabase();
    const program = await openProgram(sandbox, { databaseUrl, connections: atOnce });
    closers.push(program.stop);
    const database = new Client({ connectionString: databaseUrl });
    await database.connect();
    closers.push(() => database.end());
    return await measureAll({ ...program, database }, size);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
};

type Subject = { ask: Ask; pid: number; database: Client };

/** CPU time of one lip-sync. */
type Cost = { program: number; postgres: number };

async function measureAll(
  subject: Subject,
  { rounds, lipsyncs }: { rounds: number; lipsyncs: number },
): Promise<Comparison[]> {
  const videos = await readVideos(subject.ask);
  const createAll = (text: string) => createMany(subject.ask, { videos, text, count: lipsyncs });
  const live = async () => {
    await createAll('Good evening.');
    await waitForAll(subject.database);
  };
  const queue = () => createAll('[[never]] Good evening.');
  // The first round compiles the code.
  await live();
  const whole = await measureRounds(subject, { rounds, lipsyncs, work: live });
  await printEvents(subject.database);
  // Occupies all slots.
  await queue();
  const creation = await measureRounds(subject, { rounds, lipsyncs, work: queue });
  return (['program', 'postgres'] as const).map((process) => ({
    name: `CPU time of a lip-sync, ${process}`,
    unit: 'ms',
    ours: whole.map((cost) => cost[process]),
    peer: { name: 'its creation alone', values: creation.map((cost) => cost[process]) },
  }));
}

async function readVideos(ask: Ask): Promise<string[]> {
  type Answer = { videos: { nodes: { id: string }[] } };
  const { videos } = await ask<Answer>(
    `{ videos(first: 100, filter: { statuses: [COMPLETED] }) {
       ... on VideoConnection { nodes { id } } } }`,
  );
  return videos.nodes.map(({ id }) => id);
}

async function createMany(
  ask: Ask,
  { videos, text, count }: { videos: readonly string[]; text: string; count: number },
): Promise<void> {
  let started = 0;
  const createInTurn = async () => {
    while (started < count) {
      started += 1;
      const video = { videoId: videos[started % videos.length] };
      const status = await createOne(ask, { video, speech: { script: { text } } });
      if (!/^[A-Z]+$/.test(status)) throw new Error(status);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, createInTurn));
}

async function waitForAll(database: Client): Promise<void> {
  const isRunning = 'select 1 from lipsyncs where finished_at is null limit 1';
  while ((await database.query(isRunning)).rows.length > 0) await wait(100);
}

async function measureRounds(
  { pid, database }: Subject,
  { rounds, lipsyncs, work }: { rounds: number; lipsyncs: number; work: () => Promise<void> },
): Promise<Cost[]> {
  const { rows } = await database.query<{ pid: number }>('select pg_backend_pid() as pid');
  const server = parentOf(rows[0]?.pid ?? 0);
  const read = () => ({
    program: cpuTimeOf(pid),
    postgres: cpuTimeOf(server, { withChildren: true }),
  });
  const costs: Cost[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = read();
    await work();
    const after = read();
    costs.push({
      program: (after.program - before.program) / lipsyncs,
      postgres: (after.postgres - before.postgres) / lipsyncs,
    });
  }
  return costs;
}

async function printEvents(database: Client): Promise<void> {
  const { rows } = await database.query<{ completed: number; events: number }>(
    `select (select count(*)::int from lipsyncs where status = 'COMPLETED') as completed,
       (select count(*)::int from lipsync_events) as events`,
  );
  const { completed = 0, events = 0 } = rows[0] ?? {};
  process.stdout.write(
    `${completed} completed, ${(events / completed).toFixed(1)} events for each\n`,
  );
}
