import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { submissionStage } from '../lifecycle.ts';
import { changeContext } from '../progress/transition.ts';
import { findAbandonedClaims } from '../store/claims.ts';
import { lockLipsync } from '../store/lipsyncs.ts';
import { lockQueue } from '../store/queue.ts';
import { eachInTurn } from './each-in-turn.ts';
import { requeue } from './requeue.ts';
import { markOutcomeUnknown } from './settle.ts';

/**
 * Takes over claims whose process died: requeues them if the POST had not started, else marks the outcome as unknown.
 * Returns the ids of the latter, whose jobs must be searched for.
 *
 * @param options `areLeasesVoid`: at startup on the embedded database, where no other process can hold a lease
 */
export async function takeOver(
  deps: LipsyncDependencies,
  { areLeasesVoid = false } = {},
): Promise<string[]> {
  const now = areLeasesVoid ? null : deps.now();
  const unknown: string[] = [];
  await eachInTurn(await findAbandonedClaims(deps.db, now), async (id) => {
    if (deps.submissions.has(id)) return;
    if ((await takeOverClaim(deps, id, now)) === 'outcome-unknown') unknown.push(id);
  });
  return unknown;
}

async function takeOverClaim(
  deps: LipsyncDependencies,
  id: string,
  now: Date | null,
): Promise<'requeued' | 'outcome-unknown' | 'unchanged'> {
  return deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    const stage = lipsync === null ? null : submissionStage(lipsync, now);
    if (lipsync === null || (stage !== 'claim-abandoned' && stage !== 'post-abandoned')) {
      return 'unchanged';
    }
    await notifyQueue(tx);
    if (stage === 'claim-abandoned') {
      await requeue(tx, lipsync, changeContext(deps, 'GATEWAY'));
      return 'requeued';
    }
    await markOutcomeUnknown(deps, tx, { lipsync, at: deps.now() });
    return 'outcome-unknown';
  });
}
