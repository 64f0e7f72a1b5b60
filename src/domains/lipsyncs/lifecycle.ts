import type { VideoStatus } from '../videos/service.ts';

/** Which state may follow which. The whole truth about a lip-sync's life is this table and the functions below. */

export const lipsyncStatuses = [
  'QUEUED',
  'SUBMITTING',
  'SUBMITTED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'CANCELLED',
  'EXPIRED',
] as const;

export type LipsyncStatus = (typeof lipsyncStatuses)[number];

export const eventSources = ['CALLBACK', 'POLL', 'GATEWAY'] as const;
export type EventSource = (typeof eventSources)[number];

const running: readonly LipsyncStatus[] = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED'];

const followers: Record<LipsyncStatus, readonly LipsyncStatus[]> = {
  QUEUED: ['SUBMITTING', 'CANCELLED', 'EXPIRED'],
  // Back to QUEUED only where the upstream surely has no job: it answered 429, or no byte was sent.
  SUBMITTING: ['QUEUED', 'SUBMITTED', 'FAILED', 'MODERATED', 'CANCELLED'],
  SUBMITTED: ['GENERATING', ...running],
  GENERATING: running,
  COMPLETED: [],
  FAILED: [],
  MODERATED: [],
  CANCELLED: [],
  EXPIRED: [],
};

/** What one that ended as OUTCOME_UNKNOWN may still turn out to be, once. */
const lateTruths: readonly LipsyncStatus[] = ['COMPLETED', 'FAILED', 'MODERATED'];

export function isTerminal(status: LipsyncStatus): boolean {
  return followers[status].length === 0;
}

export function mayFollow(
  from: LipsyncStatus,
  to: LipsyncStatus,
  isOutcomeUnknown = false,
): boolean {
  if (from === 'FAILED' && isOutcomeUnknown) return lateTruths.includes(to);
  return followers[from].includes(to);
}

const statusOfUpstream: Record<VideoStatus, LipsyncStatus | null> = {
  QUEUED: 'SUBMITTED',
  GENERATING: 'GENERATING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  MODERATED: 'MODERATED',
  UNKNOWN: null,
};

/** The status an observation leads to, or null where it says nothing new (also when it comes out of order). */
export function statusAfter(
  current: LipsyncStatus,
  observed: VideoStatus,
  isOutcomeUnknown = false,
): LipsyncStatus | null {
  const next = statusOfUpstream[observed];
  return next !== null && mayFollow(current, next, isOutcomeUnknown) ? next : null;
}
