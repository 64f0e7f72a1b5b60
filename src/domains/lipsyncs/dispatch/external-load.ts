import { Failure } from '../../../errors.ts';
import type { AccountAvailability } from '../../accounts/service.ts';
import { addMs, type LipsyncDependencies } from '../dependencies.ts';
import { listAvailable, type SchedulerLoad } from '../endpoints.ts';
import { hasWaiting } from '../store/queue.ts';
import { readOwnSlots } from '../store/upstream-jobs.ts';
import { defaultMaxJobs } from './slots.ts';

type Dependencies = Pick<LipsyncDependencies, 'accounts' | 'db' | 'log' | 'now' | 'upstream'> & {
  timing: Pick<LipsyncDependencies['timing'], 'pollMs'>;
};

/** The scheduler can still list a job of ours that ended within this time. It must not count as another client's. */
const justEndedMs = 60_000;

/**
 * While a lip-sync waits: reads how many slots other clients take in the accounts, once per poll interval, by one call of
 * one instance for all accounts. Without it, only 429 answers would show again and again that another client takes a slot,
 * and each 429 delays all waiting lip-syncs by half a minute.
 */
export async function refreshExternalLoad(deps: Dependencies): Promise<void> {
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
  deps: Dependencies,
  { executing, accounts }: SchedulerLoad,
): Promise<void> {
  const ownSlots = await readOwn(deps, executing);
  // If the scheduler shows no `replyRef`, a job whose POST is under way can't be distinguished from another client's.
  const showsReplyRefs = executing.some(({ replyRef }) => replyRef !== null);
  for (const { email, maxJobs, executing: running, available } of accounts) {
    const own = ownSlots.get(email.toLowerCase());
    const listed = (own?.listed ?? 0) + (showsReplyRefs ? 0 : (own?.unlisted ?? 0));
    const taken = available === null ? running : (maxJobs ?? defaultMaxJobs) - available;
    if (taken === null) continue;
    await deps.accounts.recordExternalLoad(email, Math.max(0, Math.trunc(taken) - listed));
  }
}

/** Our own slots by the e-mail of the account, in lower case. */
async function readOwn(deps: Dependencies, executing: SchedulerLoad['executing']) {
  const accounts = await deps.accounts.readAvailability(deps.db, deps.now());
  const upstreamVideoIds = executing.map(({ upstreamVideoId }) => upstreamVideoId);
  const scheduled = {
    lipsyncIds: executing.flatMap(({ replyRef }) => replyRef ?? []),
    upstreamVideoIds,
    numbers: upstreamVideoIds.filter((id) => /^\d+$/.test(id)),
    numbersOfAccounts: upstreamVideoIds.flatMap((id) => numbersIn(accounts, id)),
  };
  const slots = await readOwnSlots(deps.db, scheduled, addMs(deps.now(), -justEndedMs));
  const own = new Map<string, { listed: number; unlisted: number }>();
  for (const { accountId, listed, unlisted } of slots) {
    const email = accounts.find(({ id }) => id === accountId)?.email.toLowerCase();
    if (email === undefined) continue;
    // An older version could store one account under two spellings of its e-mail.
    const known = own.get(email) ?? { listed: 0, unlisted: 0 };
    own.set(email, { listed: known.listed + listed, unlisted: known.unlisted + unlisted });
  }
  return own;
}

/** A full id as the id of its account, a space, and the number of the video. Empty for a number alone. */
function numbersIn(accounts: readonly AccountAvailability[], upstreamVideoId: string): string[] {
  const [, front = '', number = ''] = /^(.+)-video:(\d+)$/.exec(upstreamVideoId) ?? [];
  return accounts
    .filter(({ email }) => front.toLowerCase().endsWith(`-pixverse:${email.toLowerCase()}`))
    .map(({ id }) => `${id} ${number}`);
}
