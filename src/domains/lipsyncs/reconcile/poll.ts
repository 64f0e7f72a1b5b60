import type { Engine } from '../dependencies.ts';
import { openWhere } from '../store/lipsyncs.ts';
import { lookAtAccount } from './find-job.ts';
import { ensurePoll, pollQueue } from './poll-interval.ts';

/** A look that fails is made again at the next turn anyway: this is for a process that died in the middle. */
const retryLimit = 5;

/**
 * Works the polls, and starts those that a crash between a submission and its poll has left out. Returns the accounts
 * that have something open.
 */
export async function startPolls(engine: Engine): Promise<string[]> {
  await engine.jobs.define(pollQueue, { policy: 'short', retryLimit, retryDelay: 1 });
  await engine.jobs.work<{ accountId: string }>(pollQueue, ({ data }) =>
    poll(engine, data.accountId),
  );
  const accounts = await engine.db.query<{ id: string }>(
    `select distinct account_id as id from lipsyncs where ${openWhere} and account_id is not null`,
  );
  for (const { id } of accounts) await ensurePoll(engine, id);
  return accounts.map(({ id }) => id);
}

/**
 * Also goes on for what is just being submitted, although there is nothing of it to look at yet: who writes its answer
 * down sees this poll waiting, and sends none of its own.
 */
async function poll(engine: Engine, accountId: string): Promise<void> {
  const [open] = await engine.db.query<{ youngest: Date | null }>(
    `select max(coalesce(submitted_at, post_started_at, claimed_at)) as youngest from lipsyncs
     where account_id = $1 and finished_at is null and status <> 'QUEUED' having count(*) > 0`,
    [accountId],
  );
  if (open === undefined) return;
  // The next look is certain before this one begins: whatever happens here, the chain goes on.
  const now = engine.now().getTime();
  const youngestAgeMs = now - (open.youngest?.getTime() ?? now);
  await ensurePoll(engine, accountId, { youngestAgeMs });
  await lookAtAccount(engine, accountId);
}
