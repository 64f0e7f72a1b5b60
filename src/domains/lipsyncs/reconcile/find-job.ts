import { Failure } from '../../../errors.ts';
import { isSameVideo, type UpstreamVideo } from '../../videos/service.ts';
import type { Engine } from '../dependencies.ts';
import { notifyQueue } from '../dispatch/queue.ts';
import { listScheduled, type RunningJob } from '../endpoints.ts';
import type { EventSource } from '../lifecycle.ts';
import { occasionOf } from '../progress/transition.ts';
import { type Lipsync, openWhere, selectLipsyncs } from '../store/lipsyncs.ts';
import { attach, observe } from './apply-status.ts';

/** The upstream's own default: its documents name no maximum. */
const pageSize = 40;

/** A job is among an account's newest; a thousand videos back there is nothing to look for any more. */
const mostPages = 25;

/** An upstream that failed so often in one look is not asked for each of a hundred jobs. */
const mostFailures = 3;

/** Clocks differ: a video this much older than the POST is surely not its job. */
const clockSkewMs = 5 * 60_000;

/**
 * Reads an account's videos once for all of its lip-syncs that run or whose outcome is unknown. False where the
 * upstream could not be read.
 */
export async function lookAtAccount(engine: Engine, accountId: string): Promise<boolean> {
  const open = await selectLipsyncs(engine.db, `where account_id = $1 and ${openWhere}`, [
    accountId,
  ]);
  return look(engine, { accountId, lipsyncs: open, source: 'POLL' });
}

/** Reads what the upstream says of one lip-sync. */
export async function lookAtLipsync(
  engine: Engine,
  id: string,
  source: EventSource,
): Promise<void> {
  const [lipsync] = await selectLipsyncs(
    engine.db,
    `where id = $1 and (${openWhere} or failure->>'code' = 'OUTCOME_UNKNOWN')`,
    [id],
  );
  if (lipsync === undefined || lipsync.accountId === null) return;
  await look(engine, { accountId: lipsync.accountId, lipsyncs: [lipsync], source });
}

async function look(
  engine: Engine,
  { accountId, lipsyncs, source }: { accountId: string; lipsyncs: Lipsync[]; source: EventSource },
): Promise<boolean> {
  if (lipsyncs.length === 0) return true;
  const [account] = await engine.db.query<{ email: string }>(
    'select email from accounts where id = $1',
    [accountId],
  );
  if (account === undefined) return true;
  try {
    await searchPages(engine, { email: account.email, lipsyncs, source });
    return true;
  } catch (thrown) {
    // What the upstream can't say now it will say at the next look; nothing of ours changes by its silence.
    if (!(thrown instanceof Failure)) throw thrown;
    engine.log.warn({ code: thrown.code, accountId }, 'the upstream could not be read');
    return false;
  }
}

async function searchPages(
  engine: Engine,
  { email, lipsyncs, source }: { email: string; lipsyncs: Lipsync[]; source: EventSource },
): Promise<void> {
  const scheduled = lipsyncs.some(isLost) ? await readScheduled(engine) : null;
  const missing = new Set(lipsyncs);
  const failures: Failure[] = [];
  const remember = (failure: Failure | null) => {
    if (failure !== null) failures.push(failure);
  };
  remember(await failureOf(searchList(engine, { email, missing, scheduled, source })));
  // Where the list can't be read, a job may still be read by its id: one that is over must not wait for the list.
  for (const lipsync of [...missing]) {
    if (failures.length >= mostFailures) break;
    remember(await failureOf(lookAlone(engine, lipsync, { missing, scheduled, source })));
  }
  if (missing.size > 0 && failures[0] !== undefined) throw failures[0];
}

/** Takes those that the account's list shows out of `missing`. */
async function searchList(
  engine: Engine,
  { email, missing, scheduled, source }: Search & { email: string },
): Promise<void> {
  for await (const videos of pages(engine, email)) {
    for (const lipsync of missing) {
      const video = findVideo(lipsync, { videos, scheduled });
      if (video === null) continue;
      missing.delete(lipsync);
      await settleSight(engine, lipsync, { video: await lookCloser(engine, video), source });
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

type Search = { missing: Set<Lipsync>; scheduled: RunningJob[] | null; source: EventSource };

/** What the upstream's scheduler runs. Where it can't be read, the list of videos and the callbacks may still tell. */
async function readScheduled(engine: Engine): Promise<RunningJob[] | null> {
  try {
    return await listScheduled(engine.upstream, { isFresh: true });
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return null;
  }
}

/** The account's videos, page by page as the upstream lists them. */
async function* pages(engine: Engine, email: string): AsyncGenerator<UpstreamVideo[]> {
  let offset = 0;
  for (let page = 0; page < mostPages; page += 1) {
    const { items, nextOffset, hasMore } = await engine.videos.readPage({
      email,
      limit: pageSize,
      offset,
    });
    yield items;
    if (!hasMore || nextOffset <= offset) return;
    offset = nextOffset;
  }
}

/** One whose POST had no answer, so that we don't know the upstream's id. */
function isLost(lipsync: Lipsync): boolean {
  return lipsync.upstreamVideoId === null;
}

function findVideo(
  lipsync: Lipsync,
  seen: { videos: UpstreamVideo[]; scheduled: RunningJob[] | null },
): UpstreamVideo | null {
  const id = lipsync.upstreamVideoId ?? scheduledId(lipsync, seen.scheduled);
  const match = seen.videos.find((video) =>
    id === null ? isItsJob(lipsync, video, seen.scheduled) : isSameVideo(video.id, id),
  );
  if (match === undefined) return null;
  // The whole id, where one of the two is its number alone: by that one it is read and deleted.
  return id !== null && id.length > match.id.length ? { ...match, id } : match;
}

/** What the list leaves open is asked for by the video's id. Where that doesn't help, the list stands. */
async function lookCloser(engine: Engine, video: UpstreamVideo): Promise<UpstreamVideo> {
  if (!video.isUnclear) return video;
  try {
    return (await engine.videos.readOne(video.id)) ?? video;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return video;
  }
}

function scheduledId(lipsync: Lipsync, scheduled: RunningJob[] | null): string | null {
  return scheduled?.find(({ replyRef }) => replyRef === lipsync.id)?.upstreamVideoId ?? null;
}

/**
 * By our own id, which the POST carried as `replyRef`. An item that shows none must have been named by a callback
 * that came with this lip-sync's token, be no older than the POST, and run for nobody else in the scheduler: a prompt
 * or a time alone proves nothing.
 */
function isItsJob(lipsync: Lipsync, video: UpstreamVideo, scheduled: RunningJob[] | null): boolean {
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

/** One that the list doesn't show: read by its id, where we know or guess one. */
async function lookAlone(
  engine: Engine,
  lipsync: Lipsync,
  { missing, scheduled, source }: Search,
): Promise<void> {
  const known = lipsync.upstreamVideoId ?? scheduledId(lipsync, scheduled);
  if (known !== null && isLost(lipsync)) {
    await attach(engine, lipsync.id, {
      upstreamVideoId: known,
      occasion: occasionOf(engine, source),
    });
  }
  for (const id of known === null ? lipsync.hintedVideoIds : [known]) {
    // 404 means still generating or unknown: neither says anything new.
    const video = await engine.videos.readOne(id);
    if (video === null || (known === null && !isItsJob(lipsync, video, scheduled))) continue;
    missing.delete(lipsync);
    await settleSight(engine, lipsync, { video, source });
    return;
  }
  if (known === null && scheduled !== null) await freeSlot(engine, lipsync.id);
}

/** Nothing of it runs in the upstream's scheduler, so that it takes no place there, whatever became of its POST. */
async function freeSlot(engine: Engine, id: string): Promise<void> {
  const freed = await engine.db.query(
    'update lipsyncs set holds_slot = false where id = $1 and holds_slot and upstream_video_id is null returning id',
    [id],
  );
  if (freed.length > 0) await notifyQueue(engine.db);
}

async function settleSight(
  engine: Engine,
  lipsync: Lipsync,
  { video, source }: { video: UpstreamVideo; source: EventSource },
): Promise<void> {
  const occasion = occasionOf(engine, source);
  try {
    if (isLost(lipsync)) {
      await attach(engine, lipsync.id, { upstreamVideoId: video.id, occasion });
    }
    await observe(engine, lipsync.id, { video, occasion });
  } catch (error) {
    // One that can't be written down must not keep the others of this look from ending.
    engine.log.error({ err: error, lipsyncId: lipsync.id }, 'a sight could not be written down');
  }
}
