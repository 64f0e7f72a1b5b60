import type { Sql } from '../../../database/connect.ts';
import { isUuid } from '../../../database/uuid.ts';
import {
  GenerationFailedError,
  InvalidInputError,
  NotFoundError,
  OutcomeUnknownError,
  storeFailure,
} from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { UpstreamVideo } from '../../videos/service.ts';
import { freeSlot } from '../cancel.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { requeue } from '../dispatch/requeue.ts';
import {
  hasFailedAsUnknown,
  isOutcomeUnknown,
  isTerminal,
  isUnsentClaim,
  type SubmissionStage,
  submissionStage,
} from '../lifecycle.ts';
import { changeContext, changeStatus } from '../progress/transition.ts';
import { applyStatus, attachJob } from '../reconcile/apply-status.ts';
import { readUpstreamVideo } from '../reconcile/read-videos.ts';
import { isUpstreamIdTaken } from '../store/claims.ts';
import { findLipsync, type Lipsync, lockLipsync } from '../store/lipsyncs.ts';
import { appendPositionEvents } from '../store/positions.ts';
import { lockQueue } from '../store/queue.ts';

/*
 * What an operator can do with a stuck lip-sync. `lifecycle.ts` says what the stages allow: no repair sends a POST a second
 * time, or adds an event after a terminal status.
 */

const maxReasonLength = 500;

function invalidId(message: string, field = 'id'): InvalidInputError {
  return new InvalidInputError([{ path: ['input', field], message, code: 'INVALID' }]);
}

/** Runs `work` with the locked row. */
function withLocked<T>(
  deps: LipsyncDependencies,
  id: string,
  work: (tx: Sql, lipsync: Lipsync) => Promise<T>,
): Promise<T> {
  if (!isUuid(id)) throw new NotFoundError('The lip-sync');
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null) throw new NotFoundError('The lip-sync');
    return work(tx, lipsync);
  });
}

async function readAgain(sql: Sql, id: string): Promise<Lipsync> {
  const lipsync = await findLipsync(sql, id);
  if (lipsync === null) throw new NotFoundError('The lip-sync');
  return lipsync;
}

/** Why a lip-sync of this stage can't be put back into the queue. */
const whyNotRequeued: Partial<Record<SubmissionStage, string>> = {
  posting: 'It is being sent. Wait for the outcome.',
  'post-abandoned': 'It may have been sent. Sending it again could be charged twice.',
  'outcome-unknown': 'It may have been sent. Sending it again could be charged twice.',
};

/**
 * Puts a claim that was certainly not sent back into the queue, without waiting for its lease to end. A waiting one stays as it
 * is.
 */
function requeueLipsync(deps: LipsyncDependencies, id: string): Promise<Lipsync> {
  return withLocked(deps, id, async (tx, lipsync) => {
    if (lipsync.status === 'QUEUED') return lipsync;
    if (!isUnsentClaim(lipsync)) {
      const stage = submissionStage(lipsync, deps.now());
      const why = stage === null ? undefined : whyNotRequeued[stage];
      throw invalidId(why ?? `A lip-sync that is ${lipsync.status} can't be sent again.`);
    }
    await requeue(tx, lipsync, changeContext(deps, 'GATEWAY'));
    await notifyQueue(tx);
    return readAgain(tx, id);
  });
}

export type Ending = {
  lipsync: Lipsync;
  /** The job may run, and is charged then: the service can't stop it. */
  mayContinue: boolean;
};

/**
 * Ends an unfinished lip-sync as FAILED with the operator's reason. The job of an unknown outcome may still be found
 * afterwards; the end of the job is then added to the log.
 */
async function endLipsync(
  deps: LipsyncDependencies,
  { id, reason }: { id: string; reason: string },
): Promise<Ending> {
  const text = reason.trim();
  if (text === '' || text.length > maxReasonLength || !text.isWellFormed() || text.includes('\0')) {
    throw invalidId(`The reason must have 1 to ${maxReasonLength} characters.`, 'reason');
  }
  const ended = await withLocked(deps, id, async (tx, lipsync) => {
    if (isTerminal(lipsync.status)) throw invalidId('It has already ended.');
    const stage = submissionStage(lipsync, null);
    if (stage === 'post-abandoned') throw invalidId('It is being sent. Wait for the outcome.');
    const isUnknown = isOutcomeUnknown(lipsync);
    const isRunning = lipsync.status === 'SUBMITTED' || lipsync.status === 'GENERATING';
    const failure = isUnknown ? new OutcomeUnknownError(id) : new GenerationFailedError(text);
    const context = changeContext(deps, 'GATEWAY');
    const failed = await changeStatus(tx, lipsync, {
      status: 'FAILED',
      set: {
        failure: { ...storeFailure(failure), message: text },
        isTrackingStopped: isRunning,
        // The upstream counts the job until its tracking is stopped.
        holdsSlot: isRunning && lipsync.holdsSlot,
      },
      context,
    });
    await appendPositionEvents(tx, lipsync.owner, context.at);
    await notifyQueue(tx);
    return { lipsync: failed, mayContinue: isRunning || isUnknown };
  });
  if (ended.lipsync.isTrackingStopped) await freeSlot(deps, ended.lipsync);
  return ended;
}

/** The video of the account of the lip-sync, which must be a job of no other lip-sync. */
async function findFreeVideo(
  deps: LipsyncDependencies,
  lipsync: Lipsync,
  upstreamVideoId: string,
): Promise<UpstreamVideo> {
  const { accountId } = lipsync;
  const email = accountId === null ? null : await deps.accounts.emailOf(deps.db, accountId);
  const video =
    email === null || !/^[!-~]{1,512}$/.test(upstreamVideoId)
      ? null
      : await readUpstreamVideo(deps, email, upstreamVideoId);
  if (video === null) throw new NotFoundError('The job');
  if (await isUpstreamIdTaken(deps.db, video.id)) {
    throw invalidId('This job belongs to another lip-sync.', 'upstreamVideoId');
  }
  return video;
}

/** Names the job of a lip-sync whose outcome is or was unknown, and applies the job's present state. */
async function attachLipsyncJob(
  deps: LipsyncDependencies,
  { id, upstreamVideoId }: { id: string; upstreamVideoId: string },
): Promise<Lipsync> {
  if (!isUuid(id)) throw new NotFoundError('The lip-sync');
  const lipsync = await readAgain(deps.db, id);
  const isSearched = isOutcomeUnknown(lipsync) || hasFailedAsUnknown(lipsync);
  if (!isSearched || lipsync.upstreamVideoId !== null) {
    throw invalidId('Only a lip-sync whose outcome is unknown can get a job.');
  }
  const video = await findFreeVideo(deps, lipsync, upstreamVideoId);
  const context = changeContext(deps, 'GATEWAY');
  await attachJob(deps, id, { upstreamVideoId: video.id, context });
  await applyStatus(deps, id, { video, context });
  return readAgain(deps.db, id);
}

/** For admins. All throw failures. */
export function createRepairs(deps: LipsyncDependencies) {
  return {
    requeue: (id: string) => requeueLipsync(deps, id),
    end: (request: { id: string; reason: string }) => endLipsync(deps, request),
    attachJob: (request: { id: string; upstreamVideoId: string }) =>
      attachLipsyncJob(deps, request),
  };
}
