import type { Sql } from '../../../database/connect.ts';
import { readDurations } from '../store/upstream-jobs.ts';
import { kindOf, secondsOfSpeech } from './estimate.ts';

/** Milliseconds that earlier jobs of the same kind and length took, else of the same kind. Empty if there are none. */
export async function readPastDurations(
  sql: Sql,
  job: { text: string | null; mediaSeconds: number | null; offPeak: boolean },
): Promise<number[]> {
  const isText = job.text !== null;
  const seconds = job.text === null ? job.mediaSeconds : secondsOfSpeech(job.text);
  const { isOffPeak, ...kind } = kindOf({ isText, seconds, isOffPeak: job.offPeak });
  const [from, to] = [kind.fromSeconds, Math.min(kind.toSeconds, 1e9)];
  const sameLength = await readDurations(sql, { isText, isOffPeak, from, to });
  return sameLength.length > 0
    ? sameLength
    : readDurations(sql, { isText, isOffPeak, from: -1, to: 1e9 });
}
