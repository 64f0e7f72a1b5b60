import { Failure } from '../../../errors.ts';
import { lineShare } from '../../../log.ts';
import { originFields } from '../../../tracing/tracer.ts';
import { notifyQueue } from '../../accounts/service.ts';
import { isSameVideo, type UpstreamVideo } from '../../videos/service.ts';
import { addMs, type LipsyncDependencies } from '../dependencies.ts';
import type { RunningJob } from '../endpoints.ts';
import type { EventSource } from '../lifecycle.ts';
import { changeContext } from '../progress/transition.ts';
import { hintWithoutId } from '../store/claims.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import {
  countReads,
  findJobsOfAccount,
  findReconcilable,
  freeSlotWithoutJob,
} from '../store/upstream-jobs.ts';
import { applyStatus, attachJob } from './apply-status.ts';
import { readIfUnclear, readOneOrNull, readPages, readScheduled } from './read-videos.ts';
import { traceReads } from './spans.ts';

/** After this many failures in one search the remaining jobs are not read one by one. */
const maxFailures = 3;

/** Clocks differ: only a video that is older than the POST by more than this is certainly not its job. */
const clockSkewMs = 5 * 60_000;

type Search = { missing: Set<Lipsync>; scheduled: RunningJob[] | null; source: EventSource };

/** A lip-sync whose POST started before this time, and that FAILED because its outcome was unknown, is not searched for. */
export function lateSince(deps: LipsyncDependencies): Date {
  return addMs(deps.now(), -deps.timing.maxJobMs);
}

/**
 * Reads an account's videos once, and applies them to all of its lip-syncs that run, or whose outcome is or was unknown.
 * False if the upstream could not be read.
 */
export async function reconcileAccount(
  deps: LipsyncDependencies,
  accountId: string,
): Promise<boolean> {
  const lipsyncs = await findJobsOfAccount(deps.db, accountId, lateSince(deps));
  return reconcile(deps, { accountId, lipsyncs, source: 'POLL' });
}

/** Reads the upstream's state of one lip-sync and applies it. */
export async function reconcileLipsync(
  deps: LipsyncDependencies,
  id: string,
  source: EventSource,
): Promise<void> {
  const lipsync = await findReconcilable(deps.db, id);
  if (lipsync === null || lipsync.accountId === null) return;
  await reconcile(deps, { accountId: lipsync.accountId, lipsyncs: [lipsync], source });
}

async function reconcile(
  deps: LipsyncDependencies,
  { accountId, lipsyncs, source }: { accountId: string; lipsyncs: Lipsync[]; source: EventSource },
): Promise<boolean> {
  if (lipsyncs.length === 0) return true;
  const email = await deps.accounts.emailOf(deps.db, accountId);
  if (email === null) return true;
  try {
    const reads = { accountId, lipsyncs, source };
    await traceReads(deps, reads, () => findJobs(deps, { email, lipsyncs, source }));
    return true;
  } catch (thrown) {
    // Nothing changes: the next poll or callback repeats the read.
    if (!(thrown instanceof Failure)) throw thrown;
    deps.log.warn({ code: thrown.code, accountId }, 'the upstream could not be read');
    return false;
  }
}

async function findJobs(
  deps: LipsyncDependencies,
  { email, lipsyncs, source }: { email: string; lipsyncs: Lipsync[]; source: EventSource },
): Promise<void> {
  const scheduled = lipsyncs.some(hasNoJobId) ? await readScheduled(deps) : null;
  const search: Search = { missing: new Set(lipsyncs), scheduled, source };
  const { missing } = search;
  const failures: Failure[] = [];
  const collect = (failure: Failure | null) => {
    if (failure !== null) failures.push(failure);
  };
  const listFailure = await failureOf(searchList(deps, email, search));
  collect(listFailure);
  // A job can be read by its id even if the list can't be read, and a finished one must not wait for the list.
  for (const lipsync of [...missing]) {
    if (failures.length >= maxFailures) break;
    collect(await failureOf(searchById(deps, lipsync, search)));
  }
  const unknown = [...missing].filter(hasNoJobId).map(({ id }) => id);
  if (unknown.length > 0) {
    await countReads(deps.db, unknown, {
      scheduler: scheduled !== null,
      list: listFailure === null,
    });
  }
  if (missing.size > 0 && failures[0] !== undefined) throw failures[0];
}

/** Applies the states in the account's list, and removes the lip-syncs that it found from `missing`. */
async function searchList(
  deps: LipsyncDependencies,
  email: string,
  { missing, scheduled, source }: Search,
): Promise<void> {
  for await (const videos of readPages(deps, email)) {
    for (const lipsync of missing) {
      const video = findVideo(lipsync, { videos, scheduled });
      if (video === null) continue;
      missing.delete(lipsync);
      await applyVideo(deps, lipsync, { video: await readIfUnclear(deps, video), source });
    }
    if (missing.size === 0) return;
  }
}

/** The upstream's failure, or null. */
async function failureOf(work: Promise<void>): Promise<Failure | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

/** The POST had no answer, so the id of the job is not known. */
function hasNoJobId(lipsync: Lipsync): boolean {
  return lipsync.upstreamVideoId === null;
}

function findVideo(
  lipsync: Lipsync,
  read: { videos: UpstreamVideo[]; scheduled: RunningJob[] | null },
): UpstreamVideo | null {
  const id = lipsync.upstreamVideoId ?? scheduledId(lipsync, read.scheduled);
  const match = read.videos.find((video) =>
    id === null ? isJobOf(lipsync, video, read.scheduled) : isSameVideo(video.id, id),
  );
  if (match === undefined) return null;
  // One of the two ids may be the number alone. The longer one is kept: it is needed to read and delete the video.
  return id !== null && id.length > match.id.length ? { ...match, id } : match;
}

function scheduledId(lipsync: Lipsync, scheduled: RunningJob[] | null): string | null {
  return scheduled?.find(({ replyRef }) => replyRef === lipsync.id)?.upstreamVideoId ?? null;
}

/**
 * Decided by our own id, which the POST sent as `replyRef`. A video without one counts only if a callback with this
 * lip-sync's token named it, it is not older than the POST, and the scheduler does not show it with another `replyRef`.
 * An equal prompt or time proves nothing.
 */
function isJobOf(lipsync: Lipsync, video: UpstreamVideo, scheduled: RunningJob[] | null): boolean {
  const job = scheduled?.find(({ upstreamVideoId }) => isSameVideo(upstreamVideoId, video.id));
  const replyRef = video.replyRef ?? job?.replyRef ?? null;
  if (replyRef !== null) return replyRef === lipsync.id;
  const { postStartedAt, hintedVideoIds } = lipsync;
  const isOlder =
    postStartedAt !== null &&
    video.createdAt !== null &&
    video.createdAt.getTime() < postStartedAt.getTime() - clockSkewMs;
  return hintedVideoIds.some((id) => isSameVideo(id, video.id)) && !isOlder;
}

/** For a job that the list doesn't show: reads it by its id, or by the ids that callbacks named. */
async function searchById(
  deps: LipsyncDependencies,
  lipsync: Lipsync,
  { missing, scheduled, source }: Search,
): Promise<void> {
  const known = lipsync.upstreamVideoId ?? scheduledId(lipsync, scheduled);
  if (known !== null && hasNoJobId(lipsync)) {
    await attachJob(deps, lipsync.id, {
      upstreamVideoId: known,
      context: changeContext(deps, source),
    });
  }
  const hinted = lipsync.hintedVideoIds.filter((id) => id !== hintWithoutId);
  for (const id of known === null ? hinted : [known]) {
    // Null means still generating, unknown, or not an id of a video, so it changes nothing. A callback's body can name
    // anything: an unusable id must not end the search for the others.
    const video = await readOneOrNull(deps, id);
    if (video === null || (known === null && !isJobOf(lipsync, video, scheduled))) continue;
    missing.delete(lipsync);
    await applyVideo(deps, lipsync, { video, source });
    return;
  }
  // Not in the scheduler: whatever the outcome of the POST, it holds no slot there.
  if (known === null && scheduled !== null && (await freeSlotWithoutJob(deps.db, lipsync.id))) {
    await notifyQueue(deps.db);
  }
}

async function applyVideo(
  deps: LipsyncDependencies,
  lipsync: Lipsync,
  { video, source }: { video: UpstreamVideo; source: EventSource },
): Promise<void> {
  const context = changeContext(deps, source);
  try {
    if (hasNoJobId(lipsync)) {
      await attachJob(deps, lipsync.id, { upstreamVideoId: video.id, context });
    }
    await applyStatus(deps, lipsync.id, { video, context });
  } catch (error) {
    // One lip-sync that can't be updated must not stop the updates of the others.
    const origin = originFields(lipsync);
    const fields = { err: error, lipsyncId: lipsync.id, ...origin, [lineShare]: lipsync.owner };
    deps.log.error(fields, 'a job state could not be stored');
  }
}
