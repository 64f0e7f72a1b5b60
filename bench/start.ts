/**
 * Measures the time from start to the first response, and the memory at that point, and compares them with a minimal
 * program: graphql-yoga and PGlite with one field. Both run alternately, so that a busy machine slows both. Exits with 1 if
 * the ratio exceeds `maxRatios`.
 *
 *     node bench/start.ts [--runs 7]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/**
 * Maximum ratio to the minimal program. The promise is a first response within 1.5 s, and within 5 s on the first start,
 * which a busy machine cannot verify. On two idle cores the minimal program takes 0.6 and 2.6 s, so these ratios keep the
 * promise. Measured: 1.9 and 0.8; the minimal program creates its database with initdb and is slower on the first start.
 */
const maxRatios = { again: 2.4, first: 1.3 };

const root = join(import.meta.dirname, '..');

type Subject = { name: string; script: string; query: string };
const subjects = {
  product: { name: 'lipsync-graphql', script: 'src/main.ts', query: '{ viewer { name } }' },
  bare: { name: 'bare yoga + PGlite', script: 'bench/start/bare.ts', query: '{ ready }' },
} satisfies Record<string, Subject>;

/** `cpuMs` is the CPU time of the main thread until the first response. */
type Measured = { ms: number; cpuMs: number; residentMb: number; peakMb: number };

const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } });
const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
try {
  await compare(Number(values.runs));
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function compare(runs: number): Promise<void> {
  await race('very first start', { runs: 1, maxRatio: maxRatios.first });
  await race('existing database', { runs, maxRatio: maxRatios.again });
}

async function race(
  name: string,
  { runs, maxRatio }: { runs: number; maxRatio: number },
): Promise<void> {
  const product: Measured[] = [];
  const bare: Measured[] = [];
  for (let run = 0; run < runs; run += 1) {
    product.push(await measure(subjects.product));
    bare.push(await measure(subjects.bare));
  }
  print(`${subjects.product.name}: ${name}`, product);
  print(`${subjects.bare.name}: ${name}`, bare);
  const ratio = median(product.map(workOf)) / median(bare.map(workOf));
  process.stdout.write(`  ratio ${ratio.toFixed(2)}, at most ${maxRatio}\n`);
  if (ratio > maxRatio) process.exitCode = 1;
}

/** CPU time of the main thread, on which other processes have little effect; elapsed time if CPU time is not available. */
function workOf({ ms, cpuMs }: Measured): number {
  return cpuMs > 0 ? cpuMs : ms;
}

async function measure(subject: Subject): Promise<Measured> {
  const port = await findFreePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--liftoff-only', subject.script], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATA_DIR: join(folder, subject.script.replaceAll('/', '-')),
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    await waitForResponse(child, { port, query: subject.query });
    const ms = performance.now() - startedAt;
    const read = (file: string) => readFile(`/proc/${child.pid}/${file}`, 'utf8').catch(() => '');
    const [status, stat] = await Promise.all([read('status'), read(`task/${child.pid}/stat`)]);
    const memory = { residentMb: readMb(status, 'VmRSS'), peakMb: readMb(status, 'VmHWM') };
    return { ms, cpuMs: readCpuMs(stat), ...memory };
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

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function print(name: string, measured: readonly Measured[]): void {
  const ms = measured.map((each) => Math.round(each.ms)).toSorted((a, b) => a - b);
  const cpuMs = median(measured.map((each) => each.cpuMs));
  const residentMb = median(measured.map((each) => each.residentMb));
  const peakMb = Math.max(...measured.map((each) => each.peakMb));
  process.stdout.write(
    `${name.padEnd(42)} first response ${ms[0]} … ${median(ms)} … ${ms.at(-1)} ms, main thread ${cpuMs} ms, resident ${residentMb} MB, peak ${peakMb} MB\n`,
  );
}
