import fc from 'fast-check';
import { schema } from '../../src/schema.ts';
import { execute } from './execute.ts';
import { judge } from './judge.ts';
import { operationPlans, type Plan, tokenPlans } from './plans.ts';
import type { Fuzzed } from './program.ts';

export type FuzzOptions = {
  seed: number;
  /** The number of GraphQL operations; a fifth as many requests go to the other endpoints. */
  runs: number;
  /** Called at each quarter of the run, when no request is under way. */
  onRest?: (percent: number) => Promise<void>;
};

/** `plan` is null for a finding in the program's own output. */
export type Finding = { number: number; problem: string; plan: Plan | null };

export type Report = {
  findings: Finding[];
  /** The number of plans, by kind. */
  tried: Record<string, number>;
  /** The number of answers, by HTTP status; `none` for a WebSocket. */
  statuses: Record<string, number>;
};

/** Concurrent requests: some races need them. */
const lanes = 8;
const batch = 250;

/** Sends plans to the program and checks the answers. */
export async function fuzz(fuzzed: Fuzzed, options: FuzzOptions): Promise<Report> {
  const report: Report = { findings: [], tried: {}, statuses: {} };
  const rests = [25, 50, 75, 100];
  let done = 0;
  await learnWhatIsThere(fuzzed);
  while (done < options.runs && !isOver(fuzzed)) {
    const count = Math.min(batch, options.runs - done);
    await runAll(fuzzed, report, { plans: plansOf(options.seed + done, count), from: done });
    done += count;
    while (100 * done >= (rests[0] ?? Number.POSITIVE_INFINITY) * options.runs) {
      const percent = rests.shift() ?? 100;
      await options.onRest?.(percent);
    }
  }
  judgeLog(fuzzed, report);
  return report;
}

/** The same for the same seed; a fifth are for endpoints that take tokens. */
function plansOf(seed: number, count: number): Plan[] {
  const sample = (arbitrary: fc.Arbitrary<Plan>, numRuns: number) =>
    fc.sample(arbitrary, { seed, numRuns });
  const few = Math.ceil(count / 12);
  const plans = [
    ...sample(operationPlans(schema), count),
    ...sample(tokenPlans('callback'), few),
    ...sample(tokenPlans('upload'), few),
    ...sample(tokenPlans('path'), Math.ceil(few / 3)),
  ];
  // Mixed, so that all endpoints are busy at the same time.
  return plans
    .map((plan, at) => ({ plan, position: (at * 7_919) % plans.length }))
    .toSorted((one, other) => one.position - other.position)
    .map(({ plan }) => plan);
}

async function runAll(
  fuzzed: Fuzzed,
  report: Report,
  { plans, from }: { plans: Plan[]; from: number },
): Promise<void> {
  let next = 0;
  const runLane = async () => {
    while (next < plans.length && !isOver(fuzzed)) {
      const number = next;
      next += 1;
      const plan = plans[number];
      if (plan !== undefined) await tryOne(fuzzed, report, { plan, number: from + number });
    }
  };
  await Promise.all(Array.from({ length: lanes }, runLane));
}

async function tryOne(
  { target }: Fuzzed,
  report: Report,
  { plan, number }: { plan: Plan; number: number },
): Promise<void> {
  const outcome = await execute(target, plan);
  report.tried[plan.kind] = (report.tried[plan.kind] ?? 0) + 1;
  const status = String(outcome.status ?? 'none');
  report.statuses[status] = (report.statuses[status] ?? 0) + 1;
  const problem = judge(outcome);
  if (problem !== null)
    report.findings.push({ number, problem: `${problem} ${outcome.text.slice(0, 800)}`, plan });
}

function isOver({ program }: Fuzzed): boolean {
  return program.child.exitCode !== null || program.child.signalCode !== null;
}

/** Reads some ids first: without them no operation would find an object. */
async function learnWhatIsThere({ target }: Fuzzed): Promise<void> {
  const query = `mutation { ${Array.from({ length: 5 }, (_, at) => `a${at}: createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { ... on CreateUploadSuccess { uploadUrl upload { id } } }`).join(' ')} }`;
  const reads =
    '{ videos { ... on VideoConnection { nodes { id } edges { cursor } } } voices { ... on VoiceList { nodes { id } } } accounts { ... on AccountList { nodes { id } } } }';
  for (const body of [{ query: reads }, { query }]) {
    await execute(target, {
      kind: 'post',
      caller: 'admin',
      envelope: { kind: 'query', body },
      headers: {},
      map: null,
    });
  }
}

/** Errors in the log of the program, and output outside of the log. */
function judgeLog({ program }: Fuzzed, report: Report): void {
  const add = (problem: string) => report.findings.push({ number: -1, problem, plan: null });
  if (isOver({ program } as Fuzzed)) add(`the program ended: ${program.output.slice(-2_000)}`);
  for (const line of program.lines) {
    if (line.level === 'error' || line.level === 'fatal')
      add(`in its log: ${JSON.stringify(line)}`);
  }
  const written = program.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  if (written.length > 0) add(`beside its log: ${written.join('\n').slice(0, 2_000)}`);
}
