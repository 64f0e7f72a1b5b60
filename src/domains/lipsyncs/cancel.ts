import { isUuid } from '../../database/uuid.ts';
import { NotFoundError } from '../../errors.ts';
import type { Engine } from './dependencies.ts';
import { lockQueue, notifyQueue } from './dispatch/queue.ts';
import { stopTracking } from './endpoints.ts';
import { isTerminal } from './lifecycle.ts';
import type { Watch } from './progress/log-watcher.ts';
import { changeStatus, occasionOf } from './progress/transition.ts';
import { type Lipsync, lockOwn, updateLipsync } from './store/lipsyncs.ts';
import { tellPositions } from './store/positions.ts';

export type Cancellation = {
  kind: 'cancelled' | 'tracking-stopped' | 'already-finished';
  lipsync: Lipsync;
};

/**
 * Waiting: it ends, free of charge. Running: we stop looking, the upstream goes on and charges. Being submitted: the
 * answer of the POST is waited for, as nothing can call it back. A second time gives the first answer again.
 */
export async function cancelLipsync(
  engine: Engine,
  watch: Watch,
  request: { owner: string; id: string },
): Promise<Cancellation> {
  if (!isUuid(request.id)) throw new NotFoundError('The lip-sync');
  let answer = await tryToCancel(engine, request);
  while (answer === null) {
    await watch.nextChange(request.id);
    answer = await tryToCancel(engine, request);
    // It was accepted meanwhile, and cancelled in the same step.
    if (answer?.cancellation.kind === 'tracking-stopped') answer.isRunning = true;
  }
  if (answer.isRunning) await freeSlot(engine, answer.cancellation.lipsync);
  return answer.cancellation;
}

/** Null while the POST has no answer. */
async function tryToCancel(
  engine: Engine,
  { owner, id }: { owner: string; id: string },
): Promise<{ cancellation: Cancellation; isRunning: boolean } | null> {
  return engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockOwn(tx, { owner, id });
    if (lipsync === null) throw new NotFoundError('The lip-sync');
    if (isTerminal(lipsync.status)) return { cancellation: answerOf(lipsync), isRunning: false };
    const occasion = occasionOf(engine, 'GATEWAY');
    if (lipsync.status === 'SUBMITTING' && lipsync.outcomeUnknownAt === null) {
      await updateLipsync(tx, id, { cancelRequestedAt: occasion.at });
      return null;
    }
    const isTrackingStopped = lipsync.status !== 'QUEUED';
    // The upstream counts it until it is told: one that is sent into its place too early is answered 429.
    const holdsSlot = lipsync.holdsSlot && lipsync.upstreamVideoId !== null;
    const cancelled = await changeStatus(tx, lipsync, {
      status: 'CANCELLED',
      set: { cancelRequestedAt: occasion.at, isTrackingStopped, holdsSlot },
      occasion,
    });
    await tellPositions(tx, owner, occasion.at);
    await notifyQueue(tx);
    return { cancellation: answerOf(cancelled), isRunning: isTrackingStopped };
  });
}

function answerOf(lipsync: Lipsync): Cancellation {
  if (lipsync.status !== 'CANCELLED') return { kind: 'already-finished', lipsync };
  return { kind: lipsync.isTrackingStopped ? 'tracking-stopped' : 'cancelled', lipsync };
}

/** The upstream frees the slot when it stops tracking. Where that fails it is free there when the job has ended. */
async function freeSlot(engine: Engine, lipsync: Lipsync): Promise<void> {
  if (lipsync.upstreamVideoId === null || lipsync.offPeak) return;
  await tellUpstream(engine, lipsync, lipsync.upstreamVideoId);
  await updateLipsync(engine.db, lipsync.id, { holdsSlot: false });
  await notifyQueue(engine.db);
}

async function tellUpstream(
  engine: Engine,
  lipsync: Lipsync,
  upstreamVideoId: string,
): Promise<void> {
  try {
    await stopTracking(engine.upstream, upstreamVideoId);
  } catch (error) {
    engine.log.warn(
      { err: error, lipsyncId: lipsync.id },
      'the upstream still tracks a cancelled job',
    );
  }
}
