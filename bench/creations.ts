/**
 * Measures how many creations per second go into a full queue, 16 at once: every slot of the accounts is occupied. Over HTTP
 * with the whole program, and in process without HTTP and GraphQL. The peer is `send` of pg-boss alone, which inserts a job,
 * on the same PostgreSQL server. The full form also shows PGlite beside pg-boss on PGlite, which has no promise.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSandbox } from '../src/sandbox/sandbox.ts';
import { startPostgres } from '../test/support/postgres.ts';
import {
  type Subject,
  startBoss,
  startBossOnPglite,
  startInProcess,
  startProgram,
} from './creations/subjects.ts';
import { type Comparison, type Measurement, median } from './report.ts';

const atOnce = 16;

/** The promised share of the rate of `send`. */
const minRate = 0.5;

/** The promised ratio of the slowest hundredth to the median. */
const maxTail = 3;

/** The jobs that occupy the slots end long after the measurement. */
const hourMs = 3_600_000;

type Round = { rate: number; latenciesMs: number[] };

export const run: Measurement = async ({ isShort }) => {
  const size = isShort ? { rounds: 3, writes: 400 } : { rounds: 5, writes: 1_000 };
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const closers: (() => Promise<unknown>)[] = [
    () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  ];
  /** Measures a subject beside a peer, and stops the subject, so that the next one has the machine for itself. */
  const compare = async (opening: Promise<Subject>, peer: Subject): Promise<Comparison[]> => {
    const subject = await opening;
    return alternate(subject, peer, size).finally(() => subject.stop());
  };
  try {
    const sandbox = await startSandbox({ dataDir: folder, queuedMs: hourMs });
    closers.push(sandbox.close);
    const postgres = await startPostgres();
    closers.push(postgres.remove);
    const url = () => postgres.createDatabase();
    const boss = await startBoss(await url());
    closers.push(boss.stop);
    const database = { databaseUrl: await url(), connections: atOnce };
    const overHttp = await compare(startProgram(sandbox, database), boss);
    const inProcess = await compare(startInProcess(sandbox, { databaseUrl: await url() }), boss);
    const promised = [...overHttp, ...inProcess];
    if (isShort) return promised;
    // Not before: PGlite runs in this process.
    const embeddedBoss = await startBossOnPglite();
    closers.push(embeddedBoss.stop);
    const embedded = await compare(startInProcess(sandbox, { databaseUrl: null }), embeddedBoss);
    return [...promised, ...embedded.slice(0, 1).map(withoutPromise)];
  } finally {
    for (const close of closers.toReversed()) await close();
  }
};

/** The program compiles its hot functions during the first thousand requests. */
const warmUpWrites = 1_500;

/** Both in turn, after writes of each that do not count. */
async function alternate(
  subject: Subject,
  peer: Subject,
  size: { rounds: number; writes: number },
): Promise<Comparison[]> {
  await measure(subject, warmUpWrites);
  await measure(peer, warmUpWrites);
  const ours: Round[] = [];
  const theirs: Round[] = [];
  for (let round = 0; round < size.rounds; round += 1) {
    ours.push(await measure(subject, size.writes));
    theirs.push(await measure(peer, size.writes));
  }
  const rates = (rounds: readonly Round[]) => rounds.map(({ rate }) => rate);
  return [
    {
      name: `${subject.name}, ${atOnce} at once`,
      unit: 'creations/s',
      ours: rates(ours),
      peer: { name: peer.name, values: rates(theirs) },
      promise: { bound: 'at least', ratio: minRate },
    },
    {
      name: `${subject.name}, slowest hundredth`,
      unit: 'ms',
      ours: ours.map(({ latenciesMs }) => percentile(latenciesMs, 0.99)),
      peer: { name: 'its own median', values: ours.map(({ latenciesMs }) => median(latenciesMs)) },
      promise: { bound: 'at most', ratio: maxTail },
    },
  ];
}

async function measure({ write }: Subject, writes: number): Promise<Round> {
  const latenciesMs: number[] = [];
  let started = 0;
  const writeInTurn = async () => {
    while (started < writes) {
      started += 1;
      const startedAt = performance.now();
      await write();
      latenciesMs.push(performance.now() - startedAt);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, writeInTurn));
  return { rate: (writes * 1000) / (performance.now() - startedAt), latenciesMs };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

function withoutPromise({ promise: _, ...comparison }: Comparison): Comparison {
  return comparison;
}
