import type { LipsyncDependencies } from '../dependencies.ts';
import { changeContext, changeStatus } from '../progress/transition.ts';
import { lockLipsync } from '../store/lipsyncs.ts';
import { appendPositionEvents } from '../store/positions.ts';
import { findExpired, lockQueue } from '../store/queue.ts';
import { eachInTurn } from './each-in-turn.ts';

/** Ends waiting lip-syncs whose `expiresAt` has passed. */
export async function expireDue(deps: LipsyncDependencies): Promise<void> {
  await eachInTurn(await findExpired(deps.db, deps.now()), (id) =>
    deps.db.transaction(async (tx) => {
      await lockQueue(tx);
      const lipsync = await lockLipsync(tx, id);
      if (lipsync?.status !== 'QUEUED') return;
      const context = changeContext(deps, 'GATEWAY');
      await changeStatus(tx, lipsync, { status: 'EXPIRED', context });
      await appendPositionEvents(tx, lipsync.owner, context.at);
    }),
  );
}
