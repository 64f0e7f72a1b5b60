import { GenerationFailedError, OutcomeUnknownError, storeFailure } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import { lockQueue, notifyQueue } from '../dispatch/queue.ts';
import { isTerminal } from '../lifecycle.ts';
import { fail, occasionOf } from '../progress/transition.ts';
import { type Lipsync, lockLipsync, openWhere, selectLipsyncs } from '../store/lipsyncs.ts';
import { lookAtAccount } from './find-job.ts';

/**
 * Ends what nobody has heard of for the longest time a job may take, after one last look: a process that was away all
 * that time must not call FAILED what was made and paid for meanwhile. Where the upstream can't be read, that look is tried
 * again for two intervals, once in each like any other: an upstream that is unwell is not asked every second.
 */
export function createGiveUp(engine: Engine): () => Promise<void> {
  /** Accounts that could not be read: since when, and when that was tried last. */
  const unread = new Map<string, { since: number; last: number }>();
  const { pollMs } = engine.timing;

  /** Whether there is nothing more to wait for: a look, or that none came about for long enough. */
  async function hasHadItsLook(accountId: string): Promise<boolean> {
    const now = engine.now().getTime();
    const failed = unread.get(accountId);
    if (failed !== undefined && now - failed.last < pollMs) return false;
    const isRead = await lookAtAccount(engine, accountId);
    if (isRead) unread.delete(accountId);
    else unread.set(accountId, { since: failed?.since ?? now, last: now });
    return isRead || now - (failed?.since ?? now) >= 2 * pollMs;
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
      if (accountId !== null && !(await hasHadItsLook(accountId))) return;
      for (const { id } of lipsyncs) await giveUp(engine, id);
    });
    await Promise.all(ends);
  };
}

function isOverdue(engine: Engine, lipsync: Lipsync): boolean {
  const since = lipsync.submittedAt ?? lipsync.postStartedAt;
  const ageMs = since === null ? 0 : engine.now().getTime() - since.getTime();
  return ageMs >= engine.timing.maxJobMs;
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
