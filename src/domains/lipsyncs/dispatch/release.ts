import { randomInt } from 'node:crypto';
import { RateLimitedError, storeFailure } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import { occasionOf } from '../progress/transition.ts';
import { type Lipsync, lockLipsync } from '../store/lipsyncs.ts';
import { tellPositions } from '../store/positions.ts';
import { deleteRefused } from '../store/refusals.ts';
import { lockQueue, notifyQueue } from './queue.ts';
import { putBack, type Settlement } from './settle.ts';

/**
 * Of a claim that is not sent after all, as the process stops or its `expiresAt` has passed: others may have it at once,
 * and not when its lease ends. Where it was lost to somebody else nothing is done.
 */
export function giveBack(
  engine: Engine,
  { id, attempts }: Pick<Lipsync, 'id' | 'attempts'>,
  { mayWait }: { mayWait: boolean },
): Promise<Settlement> {
  return engine.db.transaction<Settlement>(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    const isOurs = lipsync?.status === 'SUBMITTING' && lipsync.attempts === attempts;
    if (!isOurs || lipsync.postStartedAt !== null) return { kind: 'waiting' };
    const occasion = occasionOf(engine, 'GATEWAY');
    await notifyQueue(tx);
    if (mayWait) {
      await putBack(tx, lipsync, occasion);
      return { kind: 'waiting' };
    }
    const failure = new RateLimitedError('ALL_ACCOUNTS_BUSY', randomInt(10, 31));
    await deleteRefused(tx, lipsync, { failure: storeFailure(failure), at: occasion.at });
    await tellPositions(tx, lipsync.owner, occasion.at);
    return { kind: 'refused', failure };
  });
}
