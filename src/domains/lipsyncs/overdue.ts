import { GenerationFailedError, OutcomeUnknownError, storeFailure } from '../../errors.ts';
import type { Engine } from './engine.ts';
import { isTerminal } from './lifecycle.ts';
import { lookAtAccount } from './look.ts';
import { lockQueue, notifyQueue } from './queue.ts';
import { fail, occasionOf } from './record.ts';
import { type Lipsync, lockLipsync, openWhere, selectLipsyncs } from './store.ts';

/**
 * Ends what nobody has heard of for the longest time a job may take, after one last look: a process that was away all
 * that time must not call FAILED what was made and paid for meanwhile. Where the upstream can't be read, that look is
 * waited for as long again, and tried once an interval like any other: an upstream that is unwell is not asked every second.
 */
export function createGiveUp(engine: Engine): () => Promise<void> {
  /** Accounts that could not be read, and since when. */
  const failedAt = new Map<string, number>();

  async function tryToLook(accountId: string): Promise<boolean> {
    const now = engine.now().getTime();
    const last = failedAt.get(accountId) ?? Number.NEGATIVE_INFINITY;
    if (now - last < engine.timing.pollMs) return false;
    const isRead = await lookAtAccount(engine, accountId);
    if (isRead) failedAt.delete(accountId);
    else failedAt.set(accountId, now);
    return isRead;
  }

  return async () => {
    const before = new Date(engine.now().getTime() - engine.timing.maxJobMs);
    const overdue = await selectLipsyncs(
      engine.db,
      `where ${openWhere} and coalesce(submitted_at, post_started_at) <= $1`,
      [before],
    );
    const byAccount = Map.groupBy(overdue, (each) => each.accountId);
    const ends = [...byAccount].map(async ([accountId, lipsyncs]) => {
      const hasLooked = accountId === null || (await tryToLook(accountId));
      for (const lipsync of lipsyncs) {
        if (hasLooked || isOverdue(engine, lipsync, 2)) await giveUp(engine, lipsync.id);
      }
    });
    await Promise.all(ends);
  };
}

function isOverdue(engine: Engine, lipsync: Lipsync, times = 1): boolean {
  const since = lipsync.submittedAt ?? lipsync.postStartedAt;
  const ageMs = since === null ? 0 : engine.now().getTime() - since.getTime();
  return ageMs >= engine.timing.maxJobMs * times;
}

async function giveUp(engine: Engine, id: string): Promise<void> {
  await engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || isTerminal(lipsync.status) || !isOverdue(engine, lipsync)) return;
    const failure =
      lipsync.status === 'SUBMITTING'
        ? new OutcomeUnknownError(id)
        : new GenerationFailedError('The video service never told the end of this generation.');
    const occasion = occasionOf(engine, 'GATEWAY');
    await fail(tx, lipsync, { failure: storeFailure(failure), occasion });
    await notifyQueue(tx);
  });
}

/** How long a slot is kept for a cancelled job that the upstream is just being told to let go. */
const letGoMs = 60_000;

/** Slots that whoever cancelled did not live to free. */
export async function freeForgottenSlots(engine: Engine): Promise<void> {
  const before = new Date(engine.now().getTime() - engine.timing.upstreamTimeoutMs - letGoMs);
  const freed = await engine.db.query(
    'update lipsyncs set holds_slot = false where holds_slot and finished_at <= $1 returning id',
    [before],
  );
  if (freed.length > 0) await notifyQueue(engine.db);
}
