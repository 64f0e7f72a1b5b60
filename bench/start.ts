/**
 * How long a start takes until the first answer, and what the process holds then, beside the least that such a program
 * can be: graphql-yoga and PGlite with one field. Both run in turn, so that a noisy machine slows both. It exits with 1
 * where a start takes more than `mostRatio` times as long as that.
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

/** Measured on two quiet cores: 1.9, and 1.4 for the very first start. Reading twice the modules passes it, noise does not. */
const mostRatio = 2.5;

const root = join(import.meta.dirname, '..');

type Subject = { name: string; script: string; query: string };
const subjects = {
  product: { name: 'lipsync-graphql', script: 'src/main.ts', query: '{ viewer { name } }' },
  bare: { name: 'bare yoga + PGlite', script: 'bench/peers/bare.ts', query: '{ ready }' },
} satisfies Record<string, Subject>;

type Measured = { ms: number; residentMb: number; peakMb: number };

const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } });
const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
try {
  await compare(Number(values.runs));
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function compare(runs: number): Promise<void> {
  await race('very first start', 1);
  await race('existing database', runs);
}

async function race(name: string, runs: number): Promise<void> {
  const product: Measured[] = [];
  const bare: Measured[] = [];
  for (let run = 0; run < runs; run += 1) {
    product.push(await measure(subjects.product));
    bare.push(await measure(subjects.bare));
  }
  print(`${subjects.product.name}: ${name}`, product);
  print(`${subjects.bare.name}: ${name}`, bare);
  const ratio = median(product.map(({ ms }) => ms)) / median(bare.map(({ ms }) => ms));
  process.stdout.write(`  ratio ${ratio.toFixed(2)}, at most ${mostRatio}\n`);
  if (ratio > mostRatio) process.exitCode = 1;
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
    await firstAnswer(child, { port, query: subject.query });
    const ms = performance.now() - startedAt;
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    return { ms, residentMb: readMb(status, 'VmRSS'), peakMb: readMb(status, 'VmHWM') };
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

/** Asks again and again until there is an answer without errors. */
async function firstAnswer(child: ChildProcess, at: { port: number; query: string }) {
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
  throw new Error('The program ended before it answered.');
}

/** Of `/proc/PID/status`; NaN where there is none. */
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
  const residentMb = median(measured.map((each) => each.residentMb));
  const peakMb = Math.max(...measured.map((each) => each.peakMb));
  process.stdout.write(
    `${name.padEnd(42)} first answer ${ms[0]} … ${median(ms)} … ${ms.at(-1)} ms, resident ${residentMb} MB, peak ${peakMb} MB\n`,
  );
}
