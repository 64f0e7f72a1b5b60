import { GenerationFailedError, OutcomeUnknownError, storeFailure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { isTerminal, runningSince } from '../lifecycle.ts';
import { changeContext, failLipsync } from '../progress/transition.ts';
import { type Lipsync, lockLipsync } from '../store/lipsyncs.ts';
import { lockQueue } from '../store/queue.ts';
import { findOverdue, freeSlotsOfFinished } from '../store/upstream-jobs.ts';
import { reconcileAccount } from './find-job.ts';

/**
 * Fails lip-syncs whose job has not ended after `maxJobMs`. Their account is reconciled once more before: after a long
 * downtime of this process, jobs may have completed and been charged. If the upstream can't be read, the read is repeated
 * once per poll interval. After two intervals the lip-syncs fail without it.
 */
export function createGiveUp(deps: LipsyncDependencies): () => Promise<void> {
  /** Times of the first and the last failed attempt, by account. */
  const failedReads = new Map<string, { first: number; last: number }>();
  const { pollMs } = deps.timing;

  /** True if the account was reconciled, or could not be read for two poll intervals. */
  async function reconcileOnceMore(accountId: string): Promise<boolean> {
    const now = deps.now().getTime();
    const failed = failedReads.get(accountId);
    if (failed !== undefined && now - failed.last < pollMs) return false;
    const isRead = await reconcileAccount(deps, accountId);
    if (isRead) failedReads.delete(accountId);
    else failedReads.set(accountId, { first: failed?.first ?? now, last: now });
    return isRead || now - (failed?.first ?? now) >= 2 * pollMs;
  }

  return async () => {
    const before = new Date(deps.now().getTime() - deps.timing.maxJobMs);
    const overdue = await findOverdue(deps.db, before);
    const byAccount = Map.groupBy(overdue, (each) => each.accountId);
    const ends = [...byAccount].map(async ([accountId, lipsyncs]) => {
      if (accountId !== null && !(await reconcileOnceMore(accountId))) return;
      for (const { id } of lipsyncs) await giveUp(deps, id);
    });
    await Promise.all(ends);
  };
}

function isOverdue(deps: LipsyncDependencies, lipsync: Lipsync): boolean {
  const since = runningSince(lipsync);
  const ageMs = since === null ? 0 : deps.now().getTime() - since.getTime();
  return ageMs >= deps.timing.maxJobMs;
}

async function giveUp(deps: LipsyncDependencies, id: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || isTerminal(lipsync.status) || !isOverdue(deps, lipsync)) return;
    const failure =
      lipsync.status === 'SUBMITTING'
        ? new OutcomeUnknownError(id)
        : new GenerationFailedError('The video service never reported the end of this generation.');
    const context = changeContext(deps, 'GATEWAY');
    await failLipsync(tx, lipsync, { failure: storeFailure(failure), context });
    await notifyQueue(tx);
  });
}

/** How long the request that stops the upstream's tracking of a cancelled job may take, beyond its timeout. */
const stopTrackingMs = 60_000;

/** Frees slots of cancelled lip-syncs whose process died between the cancellation and the release of the slot. */
export async function freeAbandonedSlots(deps: LipsyncDependencies): Promise<void> {
  const { upstreamTimeoutMs } = deps.timing;
  const before = new Date(deps.now().getTime() - upstreamTimeoutMs - stopTrackingMs);
  if (await freeSlotsOfFinished(deps.db, before)) await notifyQueue(deps.db);
}
