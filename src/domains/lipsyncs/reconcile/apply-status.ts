import type { Sql } from '../../../database/connect.ts';
import { ContentModeratedError, GenerationFailedError, storeFailure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import {
  isSameVideo,
  type StoredVideo,
  toStored,
  type UpstreamVideo,
} from '../../videos/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { accept } from '../dispatch/settle.ts';
import {
  hasFailedAsUnknown,
  isOutcomeUnknown,
  isTerminal,
  type LipsyncStatus,
  statusAfter,
} from '../lifecycle.ts';
import { appendProgressEvent, type ChangeContext, changeStatus } from '../progress/transition.ts';
import { isUpstreamIdTaken } from '../store/claims.ts';
import { type Lipsync, type LipsyncRow, lockLipsync, updateLipsync } from '../store/lipsyncs.ts';
import { lockQueue } from '../store/queue.ts';

/** Applies the upstream's state of a job to its lip-sync. Does nothing if the video is not this lip-sync's job. */
export async function applyStatus(
  deps: LipsyncDependencies,
  id: string,
  seen: { video: UpstreamVideo; context: ChangeContext },
): Promise<void> {
  const { video, context } = seen;
  const key = await deps.videos.ids.toKey(video.id);
  await deps.db.transaction(async (tx) => {
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || !isSameVideo(lipsync.upstreamVideoId ?? '', video.id)) return;
    const status = statusAfter(lipsync.status, video.status, hasFailedAsUnknown(lipsync));
    if (status !== null) {
      const set = await writeEnd(deps, tx, { lipsync, status, result: toStored(key, video) });
      await changeStatus(tx, lipsync, { status, set, context });
      if (isTerminal(status)) await notifyQueue(tx);
    } else if (!isTerminal(lipsync.status)) {
      await appendProgressEvent(tx, lipsync, context);
    }
  });
}

/** Stores the video of a completed job. Returns the columns that the end of a job changes. */
async function writeEnd(
  deps: LipsyncDependencies,
  tx: Sql,
  { lipsync, status, result }: { lipsync: Lipsync; status: LipsyncStatus; result: StoredVideo },
): Promise<Partial<LipsyncRow>> {
  if (status === 'COMPLETED') {
    await deps.videos.keep(tx, [{ owner: lipsync.owner, video: result }]);
    return { resultVideoId: result.key, failure: null };
  }
  if (status === 'FAILED') return { failure: storeFailure(new GenerationFailedError()) };
  if (status === 'MODERATED') {
    // The upstream refunds what its moderation rejects.
    const refund = lipsync.creditsCharged === null ? {} : { creditsCharged: 0 };
    return { ...refund, failure: storeFailure(new ContentModeratedError()) };
  }
  return {};
}

/**
 * Records the job that was found for a POST without an answer. A lip-sync that already FAILED with OUTCOME_UNKNOWN keeps
 * that status until the job ends; `applyStatus` then adds the job's end as one more event.
 */
export async function attachJob(
  deps: LipsyncDependencies,
  id: string,
  found: { upstreamVideoId: string; context: ChangeContext },
): Promise<void> {
  const { upstreamVideoId } = found;
  await deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || lipsync.upstreamVideoId !== null) return;
    if (await isUpstreamIdTaken(tx, upstreamVideoId)) return;
    if (isOutcomeUnknown(lipsync)) {
      await accept(deps, tx, { ...found, lipsync, creditsCharged: null });
    } else if (hasFailedAsUnknown(lipsync)) {
      await updateLipsync(tx, id, { upstreamVideoId });
    }
  });
}
