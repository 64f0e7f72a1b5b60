import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../support/postgres.ts';
import { points } from './points.ts';
import { type ChaosOptions, type Outcome, runChaos } from './run.ts';
import { isUnfound } from './verdict.ts';

const usage = `npm run chaos -- [--seed 1] [--lipsyncs 100] [--kills 10] [--minutes 15] [--postgres] [--lists-reply-ref]

  --seed             the same kills and the same requests again; without it one is drawn
  --lipsyncs         how many are asked for
  --kills            how often each point is hit, at least
  --minutes          no life begins after these
  --postgres         on a real PostgreSQL, with a second instance that lives on
  --lists-reply-ref  the upstream's list of videos shows their replyRef, so that every job can be found
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    lipsyncs: { type: 'string', default: '100' },
    kills: { type: 'string', default: '10' },
    minutes: { type: 'string', default: '15' },
    postgres: { type: 'boolean', default: false },
    'lists-reply-ref': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await run();

async function run(): Promise<void> {
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const kills = wholeNumber('kills', values.kills);
  const lipsyncs = wholeNumber('lipsyncs', values.lipsyncs);
  const minutes = wholeNumber('minutes', values.minutes);
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-chaos-'));
  const postgres = values.postgres ? await startPostgres() : null;
  const began = performance.now();
  print(`seed ${seed}: ${lipsyncs} lip-syncs on ${postgres === null ? 'PGlite' : 'PostgreSQL'}`);
  try {
    const options: ChaosOptions = {
      seed,
      kills,
      lipsyncs,
      dataDir,
      databaseUrl: await postgres?.createDatabase(),
      listsReplyRef: values['lists-reply-ref'],
      // Longer than a restart, so that most jobs still run during the search for them.
      generatingMs: 15_000,
      maxJobMs: 40_000,
      mostMs: minutes * 60_000,
      onLife: print,
    };
    const outcome = await runChaos(options);
    const missed = printOutcome(outcome, kills);
    print(`took ${Math.round((performance.now() - began) / 1000)} s`);
    if (outcome.broken.length + missed.length === 0) {
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    } else {
      process.exitCode = 1;
      await keepEvidence({ seed, dataDir, missed }, outcome);
    }
  } finally {
    await postgres?.remove();
  }
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name} is a whole number, and not ${text}.`);
}

/** Prints the results; returns the points that were not hit often enough. */
function printOutcome({ kills, findings, broken }: Outcome, wanted: number): string[] {
  print('\npoint            kills   under way at the kill: fewest, median, most');
  for (const { name } of points) {
    const open = (kills.get(name) ?? []).toSorted((a, b) => a - b);
    const median = open[Math.floor(open.length / 2)];
    const spread = open.length === 0 ? '' : `${open[0]}, ${median}, ${open.at(-1)}`;
    print(`${name.padEnd(16)} ${String(open.length).padStart(5)}   ${spread}`);
  }
  const ends = Object.entries(Object.groupBy(findings, ({ lipsync }) => lipsync?.status ?? 'LOST'));
  const count = (fits: (each: Outcome['findings'][number]) => boolean) =>
    findings.filter(fits).length;
  print(
    [
      `\n${findings.length} lip-syncs: ${ends.map(([status, all]) => `${all?.length} ${status}`).join(', ')}`,
      `of them unknown: ${count((each) => isUnfound(each) && each.jobs.length === 0)} without a job, ` +
        `${count((each) => isUnfound(each) && each.jobs.length > 0)} with a job that was not found`,
      `POSTs upstream: ${findings.reduce((sum, { posts }) => sum + posts, 0)}, jobs ${findings.reduce((sum, { jobs }) => sum + jobs.length, 0)}`,
      `broken: ${broken.filter((what) => what.includes('doubled')).length} doubled, ` +
        `${broken.filter((what) => what.includes('lost')).length} lost, ` +
        `${broken.filter((what) => what.includes('gap')).length} sequence gaps, ${broken.length} in all`,
    ].join('\n'),
  );
  const missed = points
    .map(({ name }) => name)
    .filter((name) => (kills.get(name)?.length ?? 0) < wanted);
  for (const name of missed) print(`MISSED: ${name} was hit fewer than ${wanted} times`);
  for (const what of broken) print(`BROKEN: ${what}`);
  return missed;
}

/** Saves the evidence next to the databases, which are kept. */
async function keepEvidence(
  about: { seed: number; dataDir: string; missed: string[] },
  { kills, broken, findings, output }: Outcome,
): Promise<void> {
  const file = join(about.dataDir, 'evidence.json');
  const evidence = { ...about, kills: Object.fromEntries(kills), broken, findings, output };
  await writeFile(file, JSON.stringify(evidence, null, 2));
  print(`evidence: ${file}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
