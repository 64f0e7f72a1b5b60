import { GenerationFailedError, OutcomeUnknownError, storeFailure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import { addMs, type LipsyncDependencies } from '../dependencies.ts';
import { isOutcomeUnknown, isSearchOver, isTerminal, runningSince } from '../lifecycle.ts';
import { changeContext, failLipsync } from '../progress/transition.ts';
import { type Lipsync, lockLipsync } from '../store/lipsyncs.ts';
import { lockQueue } from '../store/queue.ts';
import { findOverdue, findUnknown, freeSlotsOfFinished } from '../store/upstream-jobs.ts';
import { reconcileAccount } from './find-job.ts';

/**
 * Fails lip-syncs whose job has not ended after `maxJobMs`, and those whose job was searched for long and often enough.
 * Their account is reconciled once more before: after a long downtime of this process, jobs may have completed and been
 * charged. If the upstream can't be read, the read is repeated once per poll interval.
 */
export function createGiveUp(deps: LipsyncDependencies): () => Promise<void> {
  const giveUpOverdue = createOverdueCheck(deps);
  const giveUpUnknown = createUnknownCheck(deps);
  return async () => {
    await giveUpOverdue();
    await giveUpUnknown();
  };
}

/** After two poll intervals in which the account can't be read, its overdue lip-syncs fail without a read. */
function createOverdueCheck(deps: LipsyncDependencies): () => Promise<void> {
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
    const overdue = await findOverdue(deps.db, addMs(deps.now(), -deps.timing.maxJobMs));
    await forEachAccount(overdue, async (accountId, lipsyncs) => {
      if (accountId !== null && !(await reconcileOnceMore(accountId))) return;
      for (const { id } of lipsyncs) await giveUp(deps, id, isOverdue);
    });
  };
}

/**
 * Polls search for the jobs of unknown outcomes. After `maxUnknownMs` the account is also read once per tick until it was
 * read often enough, because polls can be rare.
 */
function createUnknownCheck(deps: LipsyncDependencies): () => Promise<void> {
  /** When a read last failed, by account. */
  const failedReads = new Map<string, number>();

  async function readOnceMore(accountId: string, lipsyncs: readonly Lipsync[]): Promise<void> {
    const now = deps.now().getTime();
    if (now - (failedReads.get(accountId) ?? 0) < deps.timing.pollMs) return;
    await reconcileAccount(deps, accountId);
    failedReads.delete(accountId);
    for (const lipsync of lipsyncs) {
      const kept = await giveUp(deps, lipsync.id, isUnknownForLong);
      if (kept !== null && !hasMoreReads(kept, lipsync)) failedReads.set(accountId, now);
    }
  }

  return async () => {
    const unknown = await findUnknown(deps.db, unknownBefore(deps));
    await forEachAccount(unknown, async (accountId, lipsyncs) => {
      if (accountId !== null) await readOnceMore(accountId, lipsyncs);
    });
  };
}

function unknownBefore(deps: LipsyncDependencies): Date {
  return addMs(deps.now(), -deps.timing.maxUnknownMs);
}

function hasMoreReads(now: Lipsync, before: Lipsync): boolean {
  return now.schedulerReads + now.listReads > before.schedulerReads + before.listReads;
}

async function forEachAccount(
  lipsyncs: readonly Lipsync[],
  work: (accountId: string | null, lipsyncs: readonly Lipsync[]) => Promise<void>,
): Promise<void> {
  const byAccount = Map.groupBy(lipsyncs, ({ accountId }) => accountId);
  await Promise.all([...byAccount].map(([accountId, own]) => work(accountId, own)));
}

function isOverdue(deps: LipsyncDependencies, lipsync: Lipsync): boolean {
  const since = runningSince(lipsync);
  const ageMs = since === null ? 0 : deps.now().getTime() - since.getTime();
  return ageMs >= deps.timing.maxJobMs;
}

function isUnknownForLong(deps: LipsyncDependencies, lipsync: Lipsync): boolean {
  return isSearchOver(lipsync, unknownBefore(deps));
}

/** Returns the lip-sync if its job is still searched for. */
async function giveUp(
  deps: LipsyncDependencies,
  id: string,
  isDue: (deps: LipsyncDependencies, lipsync: Lipsync) => boolean,
): Promise<Lipsync | null> {
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || isTerminal(lipsync.status)) return null;
    if (!isDue(deps, lipsync)) return isOutcomeUnknown(lipsync) ? lipsync : null;
    const failure =
      lipsync.status === 'SUBMITTING'
        ? new OutcomeUnknownError(id)
        : new GenerationFailedError('The video service never reported the end of this generation.');
    const context = changeContext(deps, 'GATEWAY');
    await failLipsync(tx, lipsync, { failure: storeFailure(failure), context });
    await notifyQueue(tx);
    return null;
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
