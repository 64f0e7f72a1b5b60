import type { Sql } from '../../../database/connect.ts';
import { ContentModeratedError, GenerationFailedError, storeFailure } from '../../../errors.ts';
import { isSameVideo, toStored, type UpstreamVideo } from '../../videos/service.ts';
import type { Engine } from '../dependencies.ts';
import { lockQueue, notifyQueue } from '../dispatch/queue.ts';
import { accept } from '../dispatch/settle.ts';
import { isTerminal, type LipsyncStatus, statusAfter } from '../lifecycle.ts';
import { changeStatus, type Occasion, tellProgress } from '../progress/transition.ts';
import { type Lipsync, lockLipsync } from '../store/lipsyncs.ts';

/** Writes down what the upstream says of a job that is ours. */
export async function observe(
  engine: Engine,
  id: string,
  seen: { video: UpstreamVideo; occasion: Occasion },
): Promise<void> {
  const { video, occasion } = seen;
  const key = await engine.videos.ids.toKey(video.id);
  await engine.db.transaction(async (tx) => {
    const lipsync = await lockLipsync(tx, id);
    const ours = lipsync?.upstreamVideoId ?? null;
    if (lipsync === null || ours === null || !isSameVideo(ours, video.id)) return;
    const isUnknown = lipsync.failure?.code === 'OUTCOME_UNKNOWN';
    const status = statusAfter(lipsync.status, video.status, isUnknown);
    if (status !== null) {
      await changeStatus(tx, lipsync, { status, set: endOf(status, key, video), occasion });
      if (isTerminal(status)) await notifyQueue(tx);
    } else if (!isTerminal(lipsync.status)) {
      await tellProgress(tx, lipsync, occasion);
    }
  });
}

function endOf(status: LipsyncStatus, key: string, video: UpstreamVideo): Partial<Lipsync> {
  if (status === 'COMPLETED') {
    return { resultVideoId: key, resultVideo: toStored(key, video), failure: null };
  }
  if (status === 'FAILED') return { failure: storeFailure(new GenerationFailedError()) };
  if (status === 'MODERATED') return { failure: storeFailure(new ContentModeratedError()) };
  return {};
}

/**
 * The job of a POST without an answer was found. One that had already been given up as OUTCOME_UNKNOWN keeps that
 * end until the job's own is known, which `observe` then adds as its one more event.
 */
export async function attach(
  engine: Engine,
  id: string,
  found: { upstreamVideoId: string; occasion: Occasion },
): Promise<boolean> {
  return engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    if (lipsync === null || lipsync.upstreamVideoId !== null) return false;
    if (await isTaken(tx, found.upstreamVideoId)) return false;
    if (lipsync.status === 'SUBMITTING' && lipsync.outcomeUnknownAt !== null) {
      await accept(engine, tx, { ...found, lipsync, creditsCharged: null });
      return true;
    }
    if (lipsync.failure?.code !== 'OUTCOME_UNKNOWN') return false;
    await tx.query('update lipsyncs set upstream_video_id = $2 where id = $1', [
      id,
      found.upstreamVideoId,
    ]);
    return true;
  });
}

async function isTaken(tx: Sql, upstreamVideoId: string): Promise<boolean> {
  const rows = await tx.query('select 1 from lipsyncs where upstream_video_id = $1', [
    upstreamVideoId,
  ]);
  return rows.length > 0;
}
