import { OutcomeUnknownError, storeFailure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { isUnsentClaim } from '../lifecycle.ts';
import { changeContext, failLipsync } from '../progress/transition.ts';
import { type Lipsync, lockLipsync, updateLipsync } from '../store/lipsyncs.ts';
import { appendPositionEvents } from '../store/positions.ts';
import { lockQueue } from '../store/queue.ts';
import { findWaitingInBackup, forgetBackup } from '../store/restored.ts';

const batchSize = 100;

/**
 * After a restore: a lip-sync that waited in the backup may have been sent since, and a second POST would be charged again.
 * So it ends with OUTCOME_UNKNOWN. If its account is known, its job is searched for like that of any unknown outcome, and
 * the end of the job is added to the log. Every instance does this before it sends anything.
 */
export async function endWaitingOfBackup(deps: LipsyncDependencies): Promise<void> {
  let ended = 0;
  for (;;) {
    const ids = await findWaitingInBackup(deps.db, batchSize);
    if (ids === null) return;
    if (ids.length === 0) break;
    for (const id of ids) await endWaiting(deps, id);
    ended += ids.length;
  }
  await forgetBackup(deps.db);
  deps.log.warn({ ended }, 'a backup was restored: lip-syncs that waited in it were not sent');
}

async function endWaiting(deps: LipsyncDependencies, id: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || !mayHaveBeenSent(lipsync)) return;
    const context = changeContext(deps, 'GATEWAY');
    // Its job is searched for from now on, for as long as that of any unknown outcome.
    const postStartedAt = context.at;
    await updateLipsync(tx, id, { postStartedAt });
    const failure = storeFailure(new OutcomeUnknownError(id));
    await failLipsync(tx, { ...lipsync, postStartedAt }, { failure, context });
    await appendPositionEvents(tx, lipsync.owner, context.at);
    await notifyQueue(tx);
  });
}

function mayHaveBeenSent(lipsync: Lipsync): boolean {
  return lipsync.status === 'QUEUED' || isUnsentClaim(lipsync);
}
