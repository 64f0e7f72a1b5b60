import { Failure } from '../../../errors.ts';
import { addMs, type LipsyncDependencies } from '../dependencies.ts';
import { listAvailable, type SchedulerLoad } from '../endpoints.ts';
import { hasWaiting } from '../store/queue.ts';
import { readOwnSlots } from '../store/upstream-jobs.ts';
import { defaultMaxJobs } from './slots.ts';

/** The scheduler can still list a job of ours that ended within this time. It must not count as another client's. */
const justEndedMs = 60_000;

/**
 * While a lip-sync waits: reads how many slots other clients take in the accounts, once per poll interval, by one call of
 * one instance for all accounts. Without it, only 429 answers would show again and again that another client takes a slot,
 * and each 429 delays all waiting lip-syncs by half a minute.
 */
export async function refreshExternalLoad(deps: LipsyncDependencies): Promise<void> {
  if (!(await hasWaiting(deps.db))) return;
  const before = addMs(deps.now(), -deps.timing.pollMs);
  if (!(await deps.accounts.claimExternalLoadCheck(before))) return;
  try {
    // Refreshes the stored capacity of the accounts if it is over a minute old.
    await deps.accounts.listPresent();
    await recordExternalLoad(deps, await listAvailable(deps.upstream));
  } catch (thrown) {
    // Dispatch then relies on 429 answers.
    if (!(thrown instanceof Failure)) throw thrown;
    deps.log.debug({ code: thrown.code }, 'the external load could not be read');
  }
}

async function recordExternalLoad(
  deps: LipsyncDependencies,
  { executing, accounts }: SchedulerLoad,
): Promise<void> {
  const ownSlots = await readOwn(deps, executing);
  // If the scheduler shows no `replyRef`, a job whose POST is under way can't be distinguished from another client's.
  const showsReplyRefs = executing.some(({ replyRef }) => replyRef !== null);
  for (const { email, maxJobs, executing: running, available } of accounts) {
    const own = ownSlots.get(email);
    const listed = (own?.listed ?? 0) + (showsReplyRefs ? 0 : (own?.unlisted ?? 0));
    const taken = available === null ? running : (maxJobs ?? defaultMaxJobs) - available;
    if (taken === null) continue;
    await deps.accounts.recordExternalLoad(email, Math.max(0, Math.trunc(taken) - listed));
  }
}

/** Our own slots by the e-mail of the account. */
async function readOwn(deps: LipsyncDependencies, executing: SchedulerLoad['executing']) {
  const scheduler = {
    lipsyncIds: executing.flatMap(({ replyRef }) => replyRef ?? []),
    upstreamVideoIds: executing.map(({ upstreamVideoId }) => upstreamVideoId),
  };
  const slots = await readOwnSlots(deps.db, scheduler, addMs(deps.now(), -justEndedMs));
  const entries = slots.map(
    async (own) => [await deps.accounts.emailOf(deps.db, own.accountId), own] as const,
  );
  return new Map(await Promise.all(entries));
}
