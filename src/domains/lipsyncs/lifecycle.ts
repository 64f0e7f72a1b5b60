import type { VideoStatus } from '../videos/service.ts';

/**
 * The life of a lip-sync: which status may follow which, and in which stage a submission is. All other code asks the
 * functions below and does not compare the columns itself. Queries repeat some of these rules in SQL: see `store/`.
 */

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

const nextOfRunning: readonly LipsyncStatus[] = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED'];

const nextStatuses: Record<LipsyncStatus, readonly LipsyncStatus[]> = {
  // To FAILED if a file that it awaits does not arrive, to MODERATED if that was rejected, or to FAILED by an admin.
  QUEUED: ['SUBMITTING', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'],
  // Back to QUEUED only if the upstream certainly has no job: it answered 429, or no byte was sent.
  SUBMITTING: ['QUEUED', 'SUBMITTED', 'FAILED', 'MODERATED', 'CANCELLED'],
  SUBMITTED: ['GENERATING', ...nextOfRunning],
  GENERATING: nextOfRunning,
  COMPLETED: [],
  FAILED: [],
  MODERATED: [],
  CANCELLED: [],
  EXPIRED: [],
};

/** The status of a lip-sync that FAILED because its outcome was unknown may be corrected once, when its job is found. */
const lateOutcomes: readonly LipsyncStatus[] = ['COMPLETED', 'FAILED', 'MODERATED'];

export function isTerminal(status: LipsyncStatus): boolean {
  return nextStatuses[status].length === 0;
}

export function canTransition(
  from: LipsyncStatus,
  to: LipsyncStatus,
  isOutcomeUnknown = false,
): boolean {
  if (from === 'FAILED' && isOutcomeUnknown) return lateOutcomes.includes(to);
  return nextStatuses[from].includes(to);
}

const statusOfUpstream: Record<VideoStatus, LipsyncStatus | null> = {
  QUEUED: 'SUBMITTED',
  GENERATING: 'GENERATING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  MODERATED: 'MODERATED',
  UNKNOWN: null,
};

/** The status that an upstream state leads to. Null if it changes nothing, which includes states seen out of order. */
export function statusAfter(
  current: LipsyncStatus,
  observed: VideoStatus,
  isOutcomeUnknown = false,
): LipsyncStatus | null {
  const next = statusOfUpstream[observed];
  // A waiting lip-sync has no job: the state belongs to an attempt that was rejected.
  if (current === 'QUEUED') return null;
  return next !== null && canTransition(current, next, isOutcomeUnknown) ? next : null;
}

/**
 * The stages of SUBMITTING:
 *
 * | stage | the POST | a crash or an expired lease leads to |
 * |---|---|---|
 * | `claimed` | has not started | `claim-abandoned` |
 * | `posting` | may have left this process: it is never sent again | `post-abandoned` |
 * | `claim-abandoned` | was certainly not sent | takeover requeues the lip-sync |
 * | `post-abandoned` | may have been sent | takeover marks the outcome as unknown |
 * | `outcome-unknown` | may have started a job, which is searched for | the search continues |
 */
export type SubmissionStage =
  | 'claimed'
  | 'posting'
  | 'claim-abandoned'
  | 'post-abandoned'
  | 'outcome-unknown';

/** The columns of a row that say how far its submission is. */
export type SubmissionState = {
  readonly status: LipsyncStatus;
  /** Until when the claim belongs to the process that made it. */
  readonly leaseUntil: Date | null;
  /** Committed before the first byte of the POST can leave. */
  readonly postStartedAt: Date | null;
  /** When the POST ended without a clear answer, or was taken over. */
  readonly outcomeUnknownAt: Date | null;
};

/** Null if the status is not SUBMITTING. `now` null: all leases count as over. */
export function submissionStage(row: SubmissionState, now: Date | null): SubmissionStage | null {
  if (row.status !== 'SUBMITTING') return null;
  if (row.outcomeUnknownAt !== null) return 'outcome-unknown';
  const isLeaseOver = now === null || (row.leaseUntil?.getTime() ?? 0) <= now.getTime();
  if (row.postStartedAt === null) return isLeaseOver ? 'claim-abandoned' : 'claimed';
  return isLeaseOver ? 'post-abandoned' : 'posting';
}

/** SUBMITTING, and the search for the job of its POST has begun. */
export function isOutcomeUnknown(row: SubmissionState): boolean {
  return submissionStage(row, null) === 'outcome-unknown';
}

/** SUBMITTING, and the outcome of the POST is still expected from the process that claimed the row. */
export function isOutcomePending(row: SubmissionState): boolean {
  return row.status === 'SUBMITTING' && !isOutcomeUnknown(row);
}

/** SUBMITTING, and nothing was sent: the claim can be released. */
export function isUnsentClaim(row: SubmissionState): boolean {
  return submissionStage(row, null) === 'claim-abandoned';
}

/**
 * Whether the createLipsync request that made this row has not been answered yet: the row was claimed in the transaction
 * that inserted it and never waited. A rejection is then the answer to that request, and the row is deleted. A row that
 * waited has `loggedPosition`, which its first QUEUED event sets and nothing clears; a rejection becomes its failure.
 */
export function isCreateRequestWaiting(
  row: SubmissionState & { readonly loggedPosition: number | null },
): boolean {
  return row.status === 'SUBMITTING' && row.loggedPosition === null;
}

/** Without this many reads of the scheduler, and of the account's list, an unknown outcome is not given up. */
export const readsBeforeGivingUp = 3;

/** The job of an unknown outcome was searched for long and often enough: the lip-sync FAILS. */
export function isSearchOver(
  row: SubmissionState & { readonly schedulerReads: number; readonly listReads: number },
  unknownBefore: Date,
): boolean {
  return (
    isOutcomeUnknown(row) &&
    row.outcomeUnknownAt !== null &&
    row.outcomeUnknownAt <= unknownBefore &&
    Math.min(row.schedulerReads, row.listReads) >= readsBeforeGivingUp
  );
}

/** A cancel request came during the submission. It takes effect when the outcome of the POST is known. */
export function isCancelRequested(row: { readonly cancelRequestedAt: Date | null }): boolean {
  return row.cancelRequestedAt !== null;
}

/** FAILED because its outcome was unknown: the job may still be found, and the job's end is then added to the log. */
export function hasFailedAsUnknown(row: { readonly failure: { code: string } | null }): boolean {
  return row.failure?.code === 'OUTCOME_UNKNOWN';
}

/** Since when a job may run upstream: since it was accepted, else since its POST started. */
export function runningSince(row: {
  readonly submittedAt: Date | null;
  readonly postStartedAt: Date | null;
}): Date | null {
  return row.submittedAt ?? row.postStartedAt;
}

export const charges = ['NONE', 'POSSIBLE', 'CHARGED'] as const;
export type Charge = (typeof charges)[number];

/** What is known about the charge of a lip-sync. */
export function chargeOf(row: {
  readonly status: LipsyncStatus;
  readonly upstreamVideoId: string | null;
  readonly isTrackingStopped: boolean;
  readonly failure: { code: string } | null;
}): Charge {
  const { status, upstreamVideoId, isTrackingStopped } = row;
  switch (status) {
    case 'QUEUED':
    case 'EXPIRED':
    // The video service refunds the credits of a job that its moderation rejects.
    case 'MODERATED':
      return 'NONE';
    case 'SUBMITTING':
    case 'SUBMITTED':
    case 'GENERATING':
      return 'POSSIBLE';
    case 'COMPLETED':
      return 'CHARGED';
    case 'CANCELLED':
      if (!isTrackingStopped) return 'NONE';
      // Without an id, the job of a POST without an answer had not been found yet.
      return upstreamVideoId === null ? 'POSSIBLE' : 'CHARGED';
    case 'FAILED':
      // Whether the credits of a job that failed are refunded is not documented. A rejected POST made no job.
      return upstreamVideoId !== null || hasFailedAsUnknown(row) ? 'POSSIBLE' : 'NONE';
  }
}
