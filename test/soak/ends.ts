import { keyOf } from '../../src/graphql/ids.ts';
import type { Plan } from './plans.ts';
import type { Ended } from './traffic.ts';

/** As the sandbox has it. */
export type Job = { replyRef: string; status: string };

/** What a fault answers to the POST, and so the failure of a lip-sync that was sent later. */
const rejections: Record<string, string> = {
  '402': 'SUBSCRIPTION_EXPIRED',
  '412': 'INSUFFICIENT_CREDITS',
  '422': 'CONTENT_MODERATED',
  '596': 'ACCOUNT_PENDING',
};

/** Files that never arrive or are not audio. */
const isBrokenFile = ({ speech }: Plan) =>
  speech === 'missing import' || speech === 'unreadable import';

/** Lip-syncs whose end is not that of their job, or that have none. */
export function findWrongEnds(ended: readonly Ended[], jobs: readonly Job[]): string[] {
  const statuses = new Map(jobs.map(({ replyRef, status }) => [replyRef, status]));
  return ended.flatMap((each) => {
    const { id, plan, end, refusedWith } = each;
    if (id === null) return isRightRefusal(each) ? [] : describe({ refusedWith, plan });
    const job = statuses.get(keyOf('Lipsync', id) ?? '');
    return isRightEnd(each, job) ? [] : describe({ id, end, job, plan });
  });
}

function isRightRefusal({ plan, refusedWith }: Ended): boolean {
  return refusedWith !== null && refusedWith === rejections[plan.fault];
}

/** An unknown outcome is an honest end, as long as the fault hides the outcome. A file may not reach the service. */
function isRightEnd({ plan, end }: Ended, jobStatus: string | undefined): boolean {
  if (end === null) return false;
  const { status, code } = end;
  if (status === 'CANCELLED') return plan.isCancelled;
  if (isBrokenFile(plan)) return status === 'FAILED' && code === 'INVALID_INPUT' && !jobStatus;
  if (status === jobStatus) return true;
  if (code === 'UPSTREAM_UNAVAILABLE') return plan.speech.endsWith('import') && !jobStatus;
  if (code === 'OUTCOME_UNKNOWN') return plan.fault !== '';
  return jobStatus === undefined && code !== null && code === rejections[plan.fault];
}

export function findDoubled(jobs: readonly Job[]): string[] {
  const byLipsync = Map.groupBy(jobs, ({ replyRef }) => replyRef);
  return [...byLipsync].filter(([, own]) => own.length > 1).map(([replyRef]) => replyRef);
}

const describe = (wrong: object) => JSON.stringify(wrong);
