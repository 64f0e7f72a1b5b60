import { Failure } from '../../../errors.ts';
import { type Engine, later } from '../dependencies.ts';
import { type Capacity, listAvailable } from '../endpoints.ts';
import { assumedMaxJobs } from './queue.ts';

/** A job that has just ended may still be in a list that was read a moment ago, and is none of others. */
const justEndedMs = 60_000;

/**
 * What there is room for, while something waits: the accounts and what each may run, as of a minute ago, and what others
 * run there, as of an interval ago. One call serves all accounts, and one instance makes it. Without it a place that
 * somebody else took would be found out again and again by a 429, at the cost of half a minute for all that wait.
 */
export async function learnCapacity(engine: Engine): Promise<void> {
  const waiting = await engine.db.query("select 1 from lipsyncs where status = 'QUEUED' limit 1");
  if (waiting.length === 0) return;
  const before = later(engine.now(), -engine.timing.pollMs);
  if (!(await engine.accounts.claimExternalLoadCheck(before))) return;
  try {
    await engine.accounts.listPresent();
    await noteOthers(engine, await listAvailable(engine.upstream));
  } catch (thrown) {
    // Then a 429 tells.
    if (!(thrown instanceof Failure)) throw thrown;
    engine.log.debug({ code: thrown.code }, 'the room upstream is not known');
  }
}

type Own = { email: string; listed: number; unlisted: number };

async function noteOthers(engine: Engine, { executing, accounts }: Capacity): Promise<void> {
  const owns = await readOwn(engine, executing);
  // Where the scheduler shows no `replyRef`, one whose POST is under way can't be told from a stranger's.
  const tellsOwn = executing.some(({ replyRef }) => replyRef !== null);
  for (const { email, maxJobs, executing: running, available } of accounts) {
    const own = owns.find((each) => each.email === email);
    const listed = (own?.listed ?? 0) + (tellsOwn ? 0 : (own?.unlisted ?? 0));
    const all = available === null ? running : (maxJobs ?? assumedMaxJobs) - available;
    if (all === null) continue;
    await engine.accounts.recordExternalLoad(email, Math.max(0, Math.trunc(all) - listed));
  }
}

/** How many places of each account are ours: those that the scheduler lists, and those that it does not or not by name. */
function readOwn(engine: Engine, executing: Capacity['executing']): Promise<Own[]> {
  return engine.db.query<Own>(
    `select email, (count(*) filter (where is_listed))::int as listed,
       (count(*) filter (where not is_listed and holds_slot and upstream_video_id is null))::int as unlisted
     from (
       select account_id, upstream_video_id, holds_slot,
         id::text = any($1::text[]) or coalesce(upstream_video_id = any($2::text[]), false) as is_listed
       from lipsyncs where holds_slot or finished_at > $3
     ) own join accounts on accounts.id = account_id group by email`,
    [
      executing.flatMap(({ replyRef }) => replyRef ?? []),
      executing.map(({ upstreamVideoId }) => upstreamVideoId),
      later(engine.now(), -justEndedMs),
    ],
  );
}
