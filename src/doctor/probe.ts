import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { type Finding, inOrder, skipped, warning } from './finding.ts';
import { type Answers, readAll } from './probe-reads.ts';
import { answerQuestions } from './questions.ts';
import { compareShapes, type ShapeDifference, shapeOf } from './shapes.ts';

/**
 * Reads each GET endpoint of the upstream and of a fresh sandbox, and reports where the shapes of their responses differ.
 * Also answers, as far as reads can, the questions that the upstream's documents leave open. Sends only GET requests.
 */
export async function probe(upstream: Config['upstream']): Promise<Finding[]> {
  const { token, baseUrl, timeoutMs } = upstream;
  if (token === null) {
    return [skipped('probe', 'Without USEAPI_TOKEN there is no service to compare with.')];
  }
  const real = await readAll({ baseUrl, token, timeoutMs });
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-doctor-'));
  try {
    const sandbox = await startSandbox({ dataDir });
    try {
      const expected = await readAll({ ...sandbox, timeoutMs });
      return [...compare(real, expected), ...answerQuestions(real)];
    } finally {
      await sandbox.close();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function compare(real: Answers, expected: Answers): Finding[] {
  const findings = Object.keys(expected).flatMap((name) => {
    const [here, there] = [real[name], expected[name]];
    if (here === undefined || there === undefined) {
      return [skipped('probe', `${name}: there is nothing to ask for.`)];
    }
    if (here.status !== there.status) {
      const message = `${name}: HTTP ${here.status}; the sandbox answers ${there.status}.`;
      return [warning('probe', 'sandbox-status-differs', { message, advice: reportIt })];
    }
    const differences = compareShapes(shapeOf(here.body), shapeOf(there.body));
    return differences.map((each) =>
      warning('probe', 'sandbox-shape-differs', {
        message: `${name}: ${describe(each)}.`,
        advice: reportIt,
      }),
    );
  });
  if (findings.some(({ severity }) => severity === 'warning')) return findings;
  return [...findings, inOrder('probe', 'Every answer has the shape of the sandbox.')];
}

const reportIt =
  'The server reads answers leniently, so this need not be a fault. Report it, so that the sandbox can follow.';

function describe(difference: ShapeDifference): string {
  const { kind, path, types, expected = [] } = difference;
  const at = path === '' ? 'the body' : path;
  if (kind === 'absent') return `${at} is absent; the sandbox has ${types.join(' or ')}`;
  if (kind === 'added') return `${at} (${types.join(' or ')}) is not in the sandbox's answer`;
  return `${at} is ${types.join(' or ')}; the sandbox has ${expected.join(' or ')}`;
}
