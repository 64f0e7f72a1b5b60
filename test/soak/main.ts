import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runSoak } from './run.ts';
import { formatOutcome, problemsOf } from './verdict.ts';

const usage = `npm run soak -- [--seed 1] [--requests 2000 | --minutes 10] [--clients 20] [--pauses]

  --seed      the same requests again; without it one is drawn
  --requests  how many are sent; each is for one lip-sync or for a batch of three
  --minutes   how long they are sent, instead of how many
  --clients   how many act at the same time
  --pauses    also faults that stop an account for up to a minute, with which lip-syncs wait
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    requests: { type: 'string', default: '2000' },
    minutes: { type: 'string' },
    clients: { type: 'string', default: '20' },
    pauses: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

// The reason can be an event of a connection, which Node prints without its fields.
process.on('unhandledRejection', (reason) => {
  const { code, reason: text } = Object(reason) as { code?: unknown; reason?: unknown };
  print(`BROKEN: a promise was rejected: ${reason} ${code} ${text}`);
  process.exitCode = 1;
});

if (values.help) process.stdout.write(usage);
else await run();

async function run(): Promise<void> {
  const seed = wholeNumber('seed', values.seed ?? String((Date.now() % 1_000_000) + 1));
  const length =
    values.minutes === undefined
      ? { requests: wholeNumber('requests', values.requests) }
      : { minutes: wholeNumber('minutes', values.minutes) };
  const clients = wholeNumber('clients', values.clients);
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-soak-'));
  const began = performance.now();
  print(`seed ${seed}: ${JSON.stringify(length)} by ${clients} clients`);
  try {
    const { pauses: hasPauses } = values;
    const options = { seed, length, clients, hasPauses, dataDir };
    const outcome = await runSoak({ ...options, onProgress: print });
    print(formatOutcome(outcome));
    print(`took ${Math.round((performance.now() - began) / 1000)} s`);
    const problems = problemsOf(outcome);
    for (const problem of problems) print(`BROKEN: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--${name} is a whole number, and not ${text}.`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
