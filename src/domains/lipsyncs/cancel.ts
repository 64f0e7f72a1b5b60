import { isUuid } from '../../database/uuid.ts';
import { NotFoundError } from '../../errors.ts';
import { lineShare } from '../../log.ts';
import { originFields } from '../../tracing/tracer.ts';
import { notifyQueue } from '../accounts/service.ts';
import type { LipsyncDependencies } from './dependencies.ts';
import { stopTracking } from './endpoints.ts';
import { isOutcomePending, isTerminal } from './lifecycle.ts';
import type { LogWatcher } from './progress/log-watcher.ts';
import { changeContext, changeStatus } from './progress/transition.ts';
import { type Lipsync, lockOwnLipsync, updateLipsync } from './store/lipsyncs.ts';
import { appendPositionEvents } from './store/positions.ts';
import { lockQueue } from './store/queue.ts';

export type Cancellation = {
  kind: 'cancelled' | 'tracking-stopped' | 'already-finished';
  lipsync: Lipsync;
};

type Attempt = { cancellation: Cancellation; isRunning: boolean };

/**
 * A waiting lip-sync ends free of charge. A running one is no longer tracked, but the upstream continues and charges. If
 * the lip-sync is being submitted, the outcome of the POST is awaited, because a POST can't be undone. A repeated request
 * gets the first answer again.
 */
export async function cancelLipsync(
  deps: LipsyncDependencies,
  watcher: LogWatcher,
  request: { owner: string; id: string },
): Promise<Cancellation> {
  if (!isUuid(request.id)) throw new NotFoundError('The lip-sync');
  let attempt = await tryToCancel(deps, request);
  while (attempt === null) {
    await watcher.nextChange(request.id);
    attempt = await tryToCancel(deps, request);
    // The POST was accepted meanwhile, and the lip-sync cancelled in the same transaction.
    if (attempt?.cancellation.kind === 'tracking-stopped') attempt.isRunning = true;
  }
  if (attempt.isRunning) await freeSlot(deps, attempt.cancellation.lipsync);
  return attempt.cancellation;
}

/** Null while the POST has no answer. */
async function tryToCancel(
  deps: LipsyncDependencies,
  { owner, id }: { owner: string; id: string },
): Promise<Attempt | null> {
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockOwnLipsync(tx, { owner, id });
    if (lipsync === null) throw new NotFoundError('The lip-sync');
    if (isTerminal(lipsync.status)) {
      return { cancellation: toCancellation(lipsync), isRunning: false };
    }
    const context = changeContext(deps, 'GATEWAY');
    if (isOutcomePending(lipsync)) {
      await updateLipsync(tx, id, { cancelRequestedAt: context.at });
      return null;
    }
    const isTrackingStopped = lipsync.status !== 'QUEUED';
    // The upstream counts the job until `stopTracking`. Until then it would answer a POST for this slot with 429.
    const holdsSlot = lipsync.holdsSlot && lipsync.upstreamVideoId !== null;
    const cancelled = await changeStatus(tx, lipsync, {
      status: 'CANCELLED',
      set: { cancelRequestedAt: context.at, isTrackingStopped, holdsSlot },
      context,
    });
    await appendPositionEvents(tx, owner, context.at);
    await notifyQueue(tx);
    return { cancellation: toCancellation(cancelled), isRunning: isTrackingStopped };
  });
}

function toCancellation(lipsync: Lipsync): Cancellation {
  if (lipsync.status !== 'CANCELLED') return { kind: 'already-finished', lipsync };
  return { kind: lipsync.isTrackingStopped ? 'tracking-stopped' : 'cancelled', lipsync };
}

/** Stops the upstream's tracking, which frees the slot there. If that fails, the upstream frees it when the job ends. */
export async function freeSlot(deps: LipsyncDependencies, lipsync: Lipsync): Promise<void> {
  const { id, owner, upstreamVideoId, offPeak } = lipsync;
  if (upstreamVideoId === null || offPeak) return;
  try {
    await stopTracking(deps.upstream, upstreamVideoId);
  } catch (error) {
    const fields = { err: error, lipsyncId: id, ...originFields(lipsync), [lineShare]: owner };
    deps.log.warn(fields, 'the upstream still tracks a cancelled job');
  }
  await updateLipsync(deps.db, id, { holdsSlot: false });
  await notifyQueue(deps.db);
}
