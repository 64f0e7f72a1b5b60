import type { Config } from '../config.ts';
import type { Sql } from '../database/connect.ts';
import { findStuck, type StuckLipsyncs } from '../domains/lipsyncs/store/stuck.ts';
import { encodeId } from '../graphql/ids.ts';
import { type Finding, formatAge, inOrder, type Problem, warning } from './finding.ts';

/** Jobs take minutes. Whether a queue of an hour is a problem, the operator decides. */
export const maxWaitingMs = 3_600_000;

type Timing = Pick<Config['timing'], 'maxUnknownMs' | 'maxJobMs' | 'pollIntervalMs'>;

export async function checkLipsyncs(
  sql: Sql,
  { timing, now }: { timing: Timing; now: Date },
): Promise<Finding[]> {
  const { maxUnknownMs, maxJobMs, pollIntervalMs } = timing;
  const before = (ms: number) => new Date(now.getTime() - ms);
  const stuck = await findStuck(sql, {
    waiting: before(maxWaitingMs),
    // The search for a job ends at the third poll after `maxUnknownMs`, and a job at the first poll after `maxJobMs`.
    unknown: before(maxUnknownMs + 4 * pollIntervalMs),
    running: before(maxJobMs + 2 * pollIntervalMs),
  });
  if (stuck.length === 0) return [inOrder('lipsyncs', 'No lip-sync is stuck.')];
  return stuck.map((each) => describeStuck(each, now));
}

const advice: Record<StuckLipsyncs['stage'], { problem: Problem; what: string; advice: string }> = {
  WAITING: {
    problem: 'lipsyncs-waiting',
    what: 'waiting for more than an hour',
    advice:
      'Look at the accounts: paused, cooling down or busy. More accounts or a higher maxJobs help.',
  },
  UNKNOWN: {
    problem: 'lipsyncs-outcome-unknown',
    what: 'without a known outcome for longer than MAX_UNKNOWN_MS',
    advice:
      'Is a server running, and can it read the video service? Else find the job there and use attachLipsyncJob or endLipsync. They are never sent again.',
  },
  RUNNING: {
    problem: 'lipsyncs-running-long',
    what: 'running for longer than MAX_JOB_MS',
    advice:
      'Is a server running, and can it read the video service? It ends them at its next poll; endLipsync ends one by hand.',
  },
};

function describeStuck({ stage, count, since, ids }: StuckLipsyncs, now: Date): Finding {
  const { problem, what, advice: text } = advice[stage];
  const age = formatAge(now.getTime() - since.getTime());
  const shown = ids.map((id) => encodeId('Lipsync', id)).join(', ');
  const message = `${count} lip-sync${count === 1 ? ' is' : 's are'} ${what}, one for ${age}: ${shown}.`;
  return warning('lipsyncs', problem, { message, advice: text });
}
