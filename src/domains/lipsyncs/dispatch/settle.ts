import type { Sql } from '../../../database/connect.ts';
import { afterCommit } from '../../../database/transaction.ts';
import { type Failure, type FailureCode, storeFailure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { PostOutcome } from '../endpoints.ts';
import { logLife } from '../life-log.ts';
import {
  isCancelRequested,
  isCreateRequestWaiting,
  isOutcomePending,
  isUnsentClaim,
} from '../lifecycle.ts';
import { expectedMs } from '../progress/estimate.ts';
import { readPastDurations } from '../progress/past-durations.ts';
import {
  type ChangeContext,
  changeContext,
  changeStatus,
  failLipsync,
} from '../progress/transition.ts';
import { ensurePoll } from '../reconcile/poll-interval.ts';
import { notifyChange } from '../store/events.ts';
import { type Lipsync, lockLipsync, updateLipsync, videosOf } from '../store/lipsyncs.ts';
import { appendPositionEvents } from '../store/positions.ts';
import { lockQueue } from '../store/queue.ts';
import { deleteRejected } from '../store/rejections.ts';
import { cooldownEnd, decideWhenBusy, isRateLimited, noFreeSlot } from './rate-limit.ts';
import { requeue } from './requeue.ts';

/** Rejections that concern the account, not the request: the account is paused until it recovers. */
const pausingCodes: ReadonlySet<FailureCode> = new Set([
  'UPSTREAM_UNAUTHORIZED',
  'SUBSCRIPTION_EXPIRED',
  'INSUFFICIENT_CREDITS',
  'ACCOUNT_PENDING',
]);

/** The outcome of a POST, and whether the lip-sync may wait if the account is busy. */
export type Outcome = PostOutcome & { mayWait: boolean };

type Rejection = Extract<Outcome, { kind: 'rejected' | 'not-sent' }>;

/** What a submission led to. `waiting` = requeued. */
export type Settlement =
  | { kind: 'submitted'; wasCalledBack: boolean }
  | { kind: 'waiting' | 'unknown' }
  | { kind: 'rejected'; failure: Failure };

/**
 * Writes the outcome of a POST. Only the process that marked the POST as started sends it and calls this; others can at
 * most have found the job meanwhile. Idempotent, so it can be repeated when it is not known whether a write was committed.
 */
export async function settle(
  deps: LipsyncDependencies,
  { id, attempts }: Pick<Lipsync, 'id' | 'attempts'>,
  outcome: Outcome,
): Promise<Settlement> {
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    const context = changeContext(deps, 'GATEWAY');
    if (lipsync === null && (outcome.kind === 'rejected' || outcome.kind === 'not-sent')) {
      return { kind: 'rejected', failure: outcome.failure };
    }
    if (lipsync?.status !== 'SUBMITTING' || lipsync.attempts !== attempts) {
      return { kind: 'submitted', wasCalledBack: false };
    }
    await notifyQueue(tx);
    if (outcome.kind === 'accepted') {
      await accept(deps, tx, { ...outcome, lipsync, context });
      return { kind: 'submitted', wasCalledBack: lipsync.hintedVideoIds.length > 0 };
    }
    if (outcome.kind === 'unknown') {
      await markOutcomeUnknown(deps, tx, { lipsync, at: context.at });
      return { kind: 'unknown' };
    }
    return handleRejection(deps, tx, { lipsync, outcome, context });
  });
}

/**
 * Gives up a claim before its POST, because the process stops or `expiresAt` has passed. The slot is free at once, not
 * only when the lease ends. Does nothing if another process has taken the claim over.
 */
export function releaseClaim(
  deps: LipsyncDependencies,
  { id, attempts }: Pick<Lipsync, 'id' | 'attempts'>,
  { mayWait }: { mayWait: boolean },
): Promise<Settlement> {
  return deps.db.transaction<Settlement>(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || lipsync.attempts !== attempts || !isUnsentClaim(lipsync)) {
      return { kind: 'waiting' };
    }
    const context = changeContext(deps, 'GATEWAY');
    await notifyQueue(tx);
    if (mayWait) {
      await requeue(tx, lipsync, context);
      return { kind: 'waiting' };
    }
    return reject(deps, tx, {
      lipsync,
      failure: noFreeSlot('ALL_ACCOUNTS_BUSY'),
      context,
    });
  });
}

/** From now on the job of the POST is searched for, and the POST is never sent again. */
export async function markOutcomeUnknown(
  deps: LipsyncDependencies,
  tx: Sql,
  { lipsync, at }: { lipsync: Lipsync; at: Date },
): Promise<void> {
  await updateLipsync(tx, lipsync.id, {
    outcomeUnknownAt: at,
    leaseUntil: null,
    schedulerReads: 0,
    listReads: 0,
  });
  logLife(deps.log, lipsync, { event: 'outcome unknown', source: 'GATEWAY' });
  await notifyChange(tx, lipsync.id);
  await appendPositionEvents(tx, lipsync.owner, at);
  if (lipsync.accountId === null) return;
  await ensurePoll(deps, lipsync.accountId, { tx });
  // The job may be in the list although the POST had no answer.
  await deps.accounts.announceChange(tx, lipsync.accountId);
}

/** The upstream has a job for the lip-sync. Also called when the job of a POST without an answer is found. */
export async function accept(
  deps: LipsyncDependencies,
  tx: Sql,
  job: {
    lipsync: Lipsync;
    upstreamVideoId: string;
    creditsCharged: number | null;
    context: ChangeContext;
  },
): Promise<Lipsync> {
  const { lipsync, context } = job;
  if (lipsync.accountId !== null) {
    await ensurePoll(deps, lipsync.accountId, { tx });
    await deps.accounts.endCooldown(tx, lipsync.accountId, context.at);
  }
  const submitted = await changeStatus(tx, lipsync, {
    status: 'SUBMITTED',
    set: {
      upstreamVideoId: job.upstreamVideoId,
      creditsCharged: job.creditsCharged,
      submittedAt: context.at,
      holdsSlot: !lipsync.offPeak,
      expectedMs: expectedMs(await readPastDurations(tx, lipsync), deps.timing.defaultJobMs),
      leaseUntil: null,
      outcomeUnknownAt: null,
    },
    context,
  });
  const cost = submitted.creditsCharged ?? submitted.estimatedCredits ?? 0;
  if (submitted.accountId !== null && cost > 0) {
    await deps.accounts.recordSpending(tx, submitted.accountId, cost);
  }
  await appendPositionEvents(tx, lipsync.owner, context.at);
  if (!isCancelRequested(submitted)) return submitted;
  return changeStatus(tx, submitted, {
    status: 'CANCELLED',
    set: { isTrackingStopped: true, holdsSlot: submitted.holdsSlot },
    context,
  });
}

/** The POST was rejected or never sent: the lip-sync waits again, fails, or is deleted. */
async function handleRejection(
  deps: LipsyncDependencies,
  tx: Sql,
  rejection: { lipsync: Lipsync; outcome: Rejection; context: ChangeContext },
): Promise<Settlement> {
  const { lipsync, outcome, context } = rejection;
  const { failure } = outcome;
  // Not if the answer came after the lease: the caller has then already received OutcomeUnknownError.
  const isFirstAnswer = isCreateRequestWaiting(lipsync) && isOutcomePending(lipsync);
  const { wasPaused } = await pauseOrCoolDownAccount(deps, tx, rejection);
  const mustRequeue =
    isRateLimited(failure) &&
    decideWhenBusy({ mayWait: outcome.mayWait, isFirstAnswer }) === 'requeue';
  if (isFirstAnswer && !mustRequeue) return reject(deps, tx, { lipsync, failure, context });
  // Else only the lip-sync whose failure pauses the account gets that failure. Others that are being sent to it are requeued.
  if (mustRequeue || wasPaused || outcome.kind === 'not-sent') {
    await requeue(tx, lipsync, context);
    return { kind: 'waiting' };
  }
  await failLipsync(tx, lipsync, { failure: storeFailure(failure), context });
  await appendPositionEvents(tx, lipsync.owner, context.at);
  return { kind: 'rejected', failure };
}

/** The failure answers the create request, and the lip-sync is deleted. */
async function reject(
  deps: LipsyncDependencies,
  tx: Sql,
  { lipsync, failure, context }: { lipsync: Lipsync; failure: Failure; context: ChangeContext },
): Promise<Settlement> {
  await deleteRejected(tx, lipsync, { failure: storeFailure(failure), at: context.at });
  await deps.videos.release(tx, videosOf(lipsync));
  await appendPositionEvents(tx, lipsync.owner, context.at);
  return { kind: 'rejected', failure };
}

/** Pauses the account or starts its cooldown. `wasPaused`: the account was already paused for the same reason. */
async function pauseOrCoolDownAccount(
  deps: LipsyncDependencies,
  tx: Sql,
  { lipsync, outcome, context }: { lipsync: Lipsync; outcome: Rejection; context: ChangeContext },
): Promise<{ wasPaused: boolean }> {
  const { accountId } = lipsync;
  const { failure } = outcome;
  if (accountId === null) return { wasPaused: false };
  if (pausingCodes.has(failure.code)) {
    const isPaused = await deps.accounts.pause(tx, accountId, failure.code);
    const { code } = failure;
    if (isPaused) afterCommit(() => deps.log.warn({ accountId, code }, 'account paused'));
    return { wasPaused: !isPaused };
  }
  if (isRateLimited(failure) || outcome.kind === 'not-sent') {
    await deps.accounts.coolDown(tx, accountId, cooldownEnd(failure, context.at));
  }
  return { wasPaused: false };
}
