/**
 * Measures how long the most expensive message of each transport blocks the event loop, and prints a table. While the loop
 * is blocked the process answers no other client. Exits with 1 if a message blocks it for longer than `maxBlockedMs`.
 *
 *     npm run bench:loop -- [--runs 5]
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Message, messages, type Target } from './event-loop/messages.ts';
import { readUrl } from './read-url.ts';

/** A delay of 50 ms is not noticed by a caller, and a heartbeat or a timer that is late by that much has no effect. */
const maxBlockedMs = 50;

const root = join(import.meta.dirname, '..');
const token = 'event-loop-bench';
const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });

const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
const program = spawn(
  process.execPath,
  ['--liftoff-only', '--import', join(root, 'bench/event-loop/probe.ts'), 'src/main.ts'],
  {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATA_DIR: folder,
      ALLOW_ANONYMOUS: 'false',
      API_KEYS: `bench:${createHash('sha256').update(token).digest('hex')}:lipsync:read`,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  },
);
const exited = once(program, 'exit');
try {
  const target = { url: await readUrl(program), token };
  await settle();
  report({ transport: '—', name: 'nothing', outcome: '' }, await measure(async () => undefined));
  for (const message of messages) await measureMessage(message, target);
} finally {
  program.kill('SIGTERM');
  await exited;
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function measureMessage(message: Message, target: Target): Promise<void> {
  let outcome = '';
  const blockedMs = await measure(async () => {
    outcome = await message.send(target);
  });
  report({ ...message, outcome }, blockedMs);
  if (median(blockedMs) > maxBlockedMs) process.exitCode = 1;
}

/** The longest block of each run, in milliseconds. */
async function measure(send: () => Promise<unknown>): Promise<number[]> {
  const blockedMs: number[] = [];
  for (let run = 0; run < Number(values.runs); run += 1) {
    await wait(50);
    program.send('reset');
    await send();
    await wait(20);
    const answer = once(program, 'message');
    program.send('read');
    blockedMs.push(Number((await answer)[0]));
  }
  return blockedMs;
}

/** The work of the start, such as loading modules at the first request, is not measured. */
async function settle(): Promise<void> {
  await wait(2_000);
}

function report(
  { transport, name, outcome }: { transport: string; name: string; outcome: string },
  blockedMs: readonly number[],
): void {
  const ms = (value: number) => `${value.toFixed(0).padStart(6)} ms`;
  process.stdout.write(
    `${transport.padEnd(22)}${name.padEnd(36)}${ms(median(blockedMs))}, at most${ms(Math.max(...blockedMs))}  ${outcome}\n`,
  );
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
