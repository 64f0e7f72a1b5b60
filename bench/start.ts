/**
 * From start to the first response, beside a minimal program: graphql-yoga and PGlite with one field. Both run alternately,
 * each as a process of its own.
 *
 *     npm run bench -- start
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Comparison, type Measurement, median } from './report.ts';

const root = join(import.meta.dirname, '..');

type Program = { name: string; script: string; query: string };
const ours: Program = {
  name: 'lipsync-graphql',
  script: 'src/main.ts',
  query: '{ viewer { name } }',
};
const bare: Program = {
  name: 'bare yoga + PGlite',
  script: 'bench/start/bare.ts',
  query: '{ ready }',
};

/**
 * Until the first response. `cpuMs` is the CPU time of the main thread, on which other processes have little effect;
 * `residentMb` is the memory at that moment.
 */
type Start = { elapsedMs: number; cpuMs: number; residentMb: number };

export const run: Measurement = async ({ isShort }) => {
  const warmRuns = isShort ? 3 : 9;
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  try {
    // Also fills the compile cache of both. It is as much a part of the installation as the modules are.
    const compiling = await alternate(folder, { runs: 1, isFirst: true });
    // The short form leaves it in: a bare server without a database takes ten seconds to start on a busy machine.
    const first = isShort ? compiling : await alternate(folder, { runs: 3, isFirst: true });
    const warm = await alternate(folder, { runs: warmRuns, isFirst: false });
    return [...compare('very first start', first, 1.3), ...compare('warm start', warm, 1.5)];
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

type Starts = { ours: Start[]; bare: Start[] };

/** @param options.isFirst without a database, which the program creates */
async function alternate(
  folder: string,
  { runs, isFirst }: { runs: number; isFirst: boolean },
): Promise<Starts> {
  const starts: Starts = { ours: [], bare: [] };
  for (let run = 0; run < runs; run += 1) {
    for (const [list, program] of [[starts.ours, ours] as const, [starts.bare, bare] as const]) {
      const dataDir = join(folder, program.script.replaceAll('/', '-'));
      if (isFirst) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
      list.push(await measure(program, dataDir));
    }
  }
  return starts;
}

function compare(name: string, starts: Starts, ratio: number): Comparison[] {
  const show = (what: string, unit: string, key: keyof Start): Comparison => ({
    name: `${name}, ${what}`,
    unit,
    ours: starts.ours.map((each) => each[key]),
    peer: { name: bare.name, values: starts.bare.map((each) => each[key]) },
  });
  return [
    {
      ...show('CPU time of the main thread', 'ms', readsProc(starts) ? 'cpuMs' : 'elapsedMs'),
      promise: { bound: 'at most', ratio },
    },
    show('elapsed time', 'ms', 'elapsedMs'),
    show('resident memory', 'MB', 'residentMb'),
  ];
}

/** False outside Linux, where `/proc` is missing. */
function readsProc({ bare: starts }: Starts): boolean {
  return median(starts.map(({ cpuMs }) => cpuMs)) > 0;
}

async function measure(program: Program, dataDir: string): Promise<Start> {
  const port = await findFreePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--liftoff-only', program.script], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATA_DIR: dataDir,
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    await waitForResponse(child, { port, query: program.query });
    const elapsedMs = performance.now() - startedAt;
    const read = (file: string) => readFile(`/proc/${child.pid}/${file}`, 'utf8').catch(() => '');
    const [status, stat] = await Promise.all([read('status'), read(`task/${child.pid}/stat`)]);
    return { elapsedMs, cpuMs: readCpuMs(stat), residentMb: readMb(status, 'VmRSS') };
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

/** Repeats the query until a response has no errors. */
async function waitForResponse(child: ChildProcess, at: { port: number; query: string }) {
  while (child.exitCode === null) {
    const response = await fetch(`http://127.0.0.1:${at.port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: at.query }),
    }).catch(() => null);
    const answer = (await response?.json()) as { data?: unknown; errors?: unknown } | undefined;
    if (answer?.data && !answer.errors) return;
    await wait(5);
  }
  throw new Error('The program exited before its first response.');
}

/** User and system time in `/proc/PID/task/PID/stat`, whose unit is 10 ms; NaN if it is missing. */
function readCpuMs(stat: string): number {
  const [, user, system] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(stat) ?? [];
  return (Number(user) + Number(system)) * 10;
}

/** A value of `/proc/PID/status`; NaN if it is missing. */
function readMb(status: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
