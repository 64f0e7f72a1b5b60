import { setTimeout as wait } from 'node:timers/promises';
import type { Sql } from '../../../database/connect.ts';
import { isStatementRejected, isTransient } from '../../../database/failures.ts';
import { lineShare } from '../../../log.ts';
import { originFields } from '../../../tracing/tracer.ts';
import { addMs, type LipsyncDependencies, leaseMs } from '../dependencies.ts';
import { type PostOutcome, postLipsync } from '../endpoints.ts';
import { changeContext, changeStatus } from '../progress/transition.ts';
import { reconcileLipsync } from '../reconcile/find-job.ts';
import { markPostStarted } from '../store/claims.ts';
import { type Lipsync, lockWaitingLipsync, updateLipsync } from '../store/lipsyncs.ts';
import { lockQueue, nextTurn, readNextOfEachOwner } from '../store/queue.ts';
import { trace } from '../trace.ts';
import { isRateLimited } from './rate-limit.ts';
import { isAttemptLogged } from './requeue.ts';
import { releaseClaim, type Settlement, settle } from './settle.ts';
import { type AccountSlots, chooseAccount, hasSendableWork, readAccountSlots } from './slots.ts';
import { traceSubmission, traceWait } from './spans.ts';

/** A claimed lip-sync with the account to send it to. `mayWait`: requeued, not rejected, if the account is busy. */
export type Submission = { lipsync: Lipsync; slots: AccountSlots; mayWait: boolean };

/** `waitedSince`: when the lip-sync was last claimed before, or else created. */
type Claimed = Omit<Submission, 'mayWait'> & { waitedSince: Date };

/**
 * Sends waiting lip-syncs one after another until none fits. Called whenever a slot may have become free; concurrent calls
 * are safe.
 */
export async function dispatch(
  deps: LipsyncDependencies,
  isStopping: () => boolean,
): Promise<void> {
  while (!isStopping() && (await hasSendableWork(deps))) {
    const claimed = await claimNext(deps);
    if (claimed === null) return;
    const { lipsync, slots, waitedSince } = claimed;
    trace('row-written', { lipsyncId: lipsync.id });
    traceWait(deps, lipsync, waitedSince);
    // Not awaited: the outcome is written to the row, and the promise never rejects.
    void startSubmission(deps, { lipsync, slots, mayWait: true });
  }
}

/** Claims the next waiting lip-sync in the order of fairness for which an account has a slot. Null if there is none. */
async function claimNext(deps: LipsyncDependencies): Promise<Claimed | null> {
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const accounts = await readAccountSlots(deps, tx, deps.now());
    if (accounts.length === 0) return null;
    for (const next of await readNextOfEachOwner(tx, deps.now())) {
      const slots = chooseAccount(accounts, next);
      const lipsync = slots === null ? null : await lockWaitingLipsync(tx, next.id);
      if (slots === null || lipsync === null) continue;
      const waitedSince = lipsync.claimedAt ?? lipsync.createdAt;
      return { lipsync: await claim(deps, tx, { lipsync, slots }), slots, waitedSince };
    }
    return null;
  });
}

async function claim(
  deps: LipsyncDependencies,
  tx: Sql,
  { lipsync, slots }: { lipsync: Lipsync; slots: AccountSlots },
): Promise<Lipsync> {
  const turn = await nextTurn(tx);
  const { status, ...set } = claimColumns(deps, slots, { ...lipsync, turn });
  const context = changeContext(deps, 'GATEWAY');
  if (isAttemptLogged({ ...lipsync, ...set })) {
    return changeStatus(tx, lipsync, { status, set, context });
  }
  return (await updateLipsync(tx, lipsync.id, { ...set, status })) ?? lipsync;
}

/** The columns of a claim. From here on the lip-sync belongs to this process until the lease ends. */
export function claimColumns(
  deps: LipsyncDependencies,
  slots: AccountSlots,
  job: { offPeak: boolean; attempts: number; turn: number },
) {
  const now = deps.now();
  return {
    status: 'SUBMITTING',
    accountId: slots.accountId,
    holdsSlot: !job.offPeak,
    attempts: job.attempts + 1,
    turn: job.turn,
    claimedAt: now,
    leaseUntil: addMs(now, leaseMs(deps)),
  } satisfies Partial<Lipsync>;
}

/** Sends the one POST of a claimed lip-sync. It continues if the caller disconnects; shutdown waits for it. */
export function startSubmission(
  deps: LipsyncDependencies,
  submission: Submission,
): Promise<Settlement> {
  const { id, owner } = submission.lipsync;
  const settled = traceSubmission(deps, submission.lipsync, () => submit(deps, submission))
    .catch((error: unknown): Settlement => {
      // The row keeps its lease. When that ends, takeover searches for the job, or requeues if the POST had not started.
      const origin = originFields(submission.lipsync);
      const fields = { err: error, lipsyncId: id, ...origin, [lineShare]: owner };
      deps.log.error(fields, 'a submission failed unexpectedly');
      return { kind: 'unknown' };
    })
    .finally(() => {
      // A requeued lip-sync may already be submitted again by now.
      if (deps.submissions.get(id) === settled) deps.submissions.delete(id);
    });
  deps.submissions.set(id, settled);
  return settled;
}

async function submit(deps: LipsyncDependencies, submission: Submission): Promise<Settlement> {
  const { lipsync, mayWait } = submission;
  const { id: lipsyncId, leaseUntil } = lipsync;
  // Before the POST is marked as started, so that a failure here leaves a claim that was certainly not sent.
  const input = await toPostInput(deps, submission);
  const startedAt = deps.now();
  if (deps.stopping.aborted) return releaseClaim(deps, lipsync, { mayWait });
  // The point of no return, committed before the first byte can leave: from here on the POST is never sent again.
  const mayPost = await retryWhileDatabaseDown(deps, { lipsyncId, until: leaseUntil }, () =>
    markPostStarted(deps.db, lipsync, startedAt),
  );
  if (!mayPost) return releaseClaim(deps, lipsync, { mayWait });
  trace('post-started', { lipsyncId });
  const outcome = await postLipsync(deps.upstream, input);
  trace('answer-read', { lipsyncId });
  deps.meter.count('lipsync_submissions_total', { outcome: countedAs(outcome) });
  // Also if another process has taken over meanwhile: only this process knows the answer.
  const settlement = await retryWhileDatabaseDown(deps, { lipsyncId, until: null }, () =>
    settle(deps, lipsync, { ...outcome, mayWait }),
  );
  reconcileAtOnce(deps, lipsyncId, settlement);
  return settlement;
}

function countedAs(outcome: PostOutcome) {
  if (outcome.kind === 'rejected' && isRateLimited(outcome.failure)) return 'busy';
  return outcome.kind === 'not-sent' ? 'not_sent' : outcome.kind;
}

async function toPostInput(deps: LipsyncDependencies, { lipsync, slots }: Submission) {
  const videoId =
    lipsync.sourceVideoId === null ? null : await deps.videos.ids.toUpstream(lipsync.sourceVideoId);
  return {
    ...(videoId === null ? {} : { videoId }),
    ...(lipsync.sourcePath === null ? {} : { videoPath: lipsync.sourcePath, email: slots.email }),
    ...(lipsync.audioPath === null ? {} : { audioPath: lipsync.audioPath }),
    ...(lipsync.text === null ? {} : { prompt: lipsync.text }),
    ...(lipsync.voice === null ? {} : { speakerId: lipsync.voice.speakerId }),
    ...(lipsync.keepOriginalSound === null ? {} : { keepOriginalSound: lipsync.keepOriginalSound }),
    ...(lipsync.offPeak ? { offPeak: true } : {}),
    // It lowers the account's own limit and never raises it.
    ...(lipsync.maxJobs === null ? {} : { maxJobs: Math.min(lipsync.maxJobs, slots.maxJobs) }),
    replyUrl: deps.callbackUrl(lipsync.id),
    replyRef: lipsync.id,
  };
}

/** After a POST without an answer, or a callback that came before the answer, the job may already be visible. */
function reconcileAtOnce(deps: LipsyncDependencies, id: string, settlement: Settlement): void {
  const isUnknown = settlement.kind === 'unknown';
  if (!isUnknown && !(settlement.kind === 'submitted' && settlement.wasCalledBack)) return;
  reconcileLipsync(deps, id, isUnknown ? 'POLL' : 'CALLBACK').catch((error: unknown) => {
    const message = 'reconciling after a submission failed; the next poll repeats it';
    deps.log.warn({ err: error, lipsyncId: id }, message);
  });
}

/** Doubles with each retry. */
const firstDelayMs = 100;
const maxDelayMs = 2_000;

/**
 * Repeats a write of a claimed lip-sync while the database is unavailable or overloaded. Only this process knows the
 * outcome of the POST: if it gave up, the job of a rejected POST would be searched for until `MAX_JOB_MS`.
 *
 * @param options `until`: when the write is too late; null = retry until shutdown
 * @param write must be idempotent: it is repeated when it is not known whether it was committed
 */
async function retryWhileDatabaseDown<T>(
  deps: LipsyncDependencies,
  { lipsyncId, until }: { lipsyncId: string; until: Date | null },
  write: () => Promise<T>,
): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, maxDelayMs)) {
    try {
      return await write();
    } catch (error) {
      const isLate = until !== null && deps.now() >= until;
      if (isLate || (isStatementRejected(error) && !isTransient(error))) throw error;
      deps.log.warn({ err: error, lipsyncId }, 'a submission waits for the database');
      await wait(delayMs, undefined, { signal: deps.stopping });
    }
  }
}
