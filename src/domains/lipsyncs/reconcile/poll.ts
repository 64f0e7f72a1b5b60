import type { LipsyncDependencies } from '../dependencies.ts';
import { findAccountsToPoll, readYoungestStart } from '../store/upstream-jobs.ts';
import { lateSince, reconcileAccount } from './find-job.ts';
import { ensurePoll, pollQueue } from './poll-interval.ts';

/** For a process that dies during a poll. A read that fails needs no retry: the next poll repeats it. */
const retryLimit = 5;

/**
 * Starts the worker of the polls, and schedules polls that are missing because a process crashed after a submission.
 * Returns the ids of the accounts with open or late lip-syncs.
 */
export async function startPolls(deps: LipsyncDependencies): Promise<string[]> {
  await deps.jobs.define(pollQueue, { policy: 'short', retryLimit, retryDelay: 1 });
  await deps.jobs.work<{ accountId: string }>(pollQueue, ({ data }) => poll(deps, data.accountId));
  const accountIds = await findAccountsToPoll(deps.db, lateSince(deps));
  for (const id of accountIds) await ensurePoll(deps, id);
  return accountIds;
}

/** Polling also continues while a lip-sync is being submitted: `settle` then finds a scheduled poll and adds none. */
async function poll(deps: LipsyncDependencies, accountId: string): Promise<void> {
  const youngest = await readYoungestStart(deps.db, accountId, lateSince(deps));
  if (youngest === undefined) return;
  // The next poll is scheduled before this one begins, so that a failure does not end the polling.
  const now = deps.now().getTime();
  const youngestAgeMs = now - (youngest?.getTime() ?? now);
  await ensurePoll(deps, accountId, { youngestAgeMs });
  const isRead = await reconcileAccount(deps, accountId);
  deps.meter.count('lipsync_polls_total', { result: isRead ? 'ok' : 'failed' });
}
