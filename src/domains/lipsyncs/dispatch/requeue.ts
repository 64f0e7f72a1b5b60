import type { Sql } from '../../../database/connect.ts';
import { isCancelRequested } from '../lifecycle.ts';
import { type ChangeContext, changeStatus } from '../progress/transition.ts';
import { type Lipsync, updateLipsync } from '../store/lipsyncs.ts';
import { appendPositionEvents } from '../store/positions.ts';

/** Keeps the log short: later attempts change the status without an event, so the log shows the lip-sync as waiting. */
const maxLoggedAttempts = 5;

export function isAttemptLogged(lipsync: Lipsync): boolean {
  return lipsync.attempts <= maxLoggedAttempts;
}

/**
 * Puts a claimed lip-sync back at its old position in the queue, or cancels it if that was requested. Only for a lip-sync
 * for which the upstream certainly has no job.
 *
 * The owner keeps its turn, or a series of 429 answers for one owner would let other owners overtake it. Off-peak
 * lip-syncs and those with `maxJobs` lose it: the 429 may be due to these options, and retrying them first each time
 * would block all others.
 */
export async function requeue(tx: Sql, lipsync: Lipsync, context: ChangeContext): Promise<void> {
  const waiting: Partial<Lipsync> = {
    holdsSlot: false,
    leaseUntil: null,
    postStartedAt: null,
    outcomeUnknownAt: null,
    hintedVideoIds: [],
    accountId: lipsync.isAccountFixed ? lipsync.accountId : null,
    ...(lipsync.offPeak || lipsync.maxJobs !== null ? {} : { turn: null }),
  };
  if (isCancelRequested(lipsync)) {
    await changeStatus(tx, lipsync, { status: 'CANCELLED', set: waiting, context });
    await appendPositionEvents(tx, lipsync.owner, context.at);
  } else if (isAttemptLogged(lipsync)) {
    await changeStatus(tx, lipsync, { status: 'QUEUED', set: waiting, context });
  } else {
    await updateLipsync(tx, lipsync.id, { ...waiting, status: 'QUEUED' });
  }
}
