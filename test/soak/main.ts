import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runSoak } from './run.ts';
import { formatOutcome, problemsOf } from './verdict.ts';

const usage = `npm run soak -- [--seed 1] [--lipsyncs 2000] [--clients 20]

  --seed      the same requests again; without it one is drawn
  --lipsyncs  how many are asked for
  --clients   how many act at the same time
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    lipsyncs: { type: 'string', default: '2000' },
    clients: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await run();

async function run(): Promise<void> {
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const lipsyncs = wholeNumber('lipsyncs', values.lipsyncs);
  const clients = wholeNumber('clients', values.clients);
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-soak-'));
  const began = performance.now();
  print(`seed ${seed}: ${lipsyncs} lip-syncs by ${clients} clients`);
  try {
    const outcome = await runSoak({ seed, lipsyncs, clients, dataDir, onProgress: print });
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
