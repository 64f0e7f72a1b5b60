import type { LipsyncStatus } from 'lipsync-graphql-client';

type Look = { label: string; color: string };

const looks: Record<LipsyncStatus, Look> = {
  QUEUED: { label: 'In line', color: 'gray' },
  SUBMITTING: { label: 'Being sent', color: 'blue' },
  SUBMITTED: { label: 'Accepted', color: 'blue' },
  GENERATING: { label: 'In the making', color: 'blue' },
  COMPLETED: { label: 'Ready', color: 'lagoon' },
  FAILED: { label: 'Not made', color: 'red' },
  MODERATED: { label: 'Refused', color: 'red' },
  CANCELLED: { label: 'Cancelled', color: 'gray' },
  EXPIRED: { label: 'Too late', color: 'gray' },
};

/** Also for a status that a newer server has. */
export function lookOf(status: string): Look {
  return status in looks ? looks[status as LipsyncStatus] : { label: status, color: 'gray' };
}

const running = ['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING'] satisfies LipsyncStatus[];

export const runningStatuses: readonly LipsyncStatus[] = running;

export function isRunning(status: string): boolean {
  return running.some((each) => each === status);
}
