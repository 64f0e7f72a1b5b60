import { InvalidInputError } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { accountEmailOf } from './endpoints.ts';
import { findVideo } from './load.ts';
import { readVideoCopies } from './store.ts';
import { isDeleted, type StoredVideo, toStored } from './stored-video.ts';

/** A finished video as the source of a lip-sync. `accountId`: the only account that can use it; null if the id names none. */
export type VideoSource = { upstreamId: string; accountId: string | null; video: StoredVideo };

/** See `VideoService.resolveSource`. */
export async function resolveSource(
  deps: VideoDependencies,
  viewer: Viewer,
  key: string,
): Promise<VideoSource | null> {
  const upstreamId = await deps.ids.toUpstream(key);
  if (upstreamId === null) return null;
  const [copy] = await readVideoCopies(deps.db, viewer.owner, [key]);
  if (copy === undefined || !(copy.isOwn || viewer.canSeeAll)) return null;
  const video = await readFinished(deps, copy.video, { key, upstreamId });
  if (video === null) return null;
  const email = accountEmailOf(upstreamId);
  const account = email === null ? null : await deps.accounts.ensure(email);
  return { upstreamId, accountId: account?.id ?? null, video };
}

async function readFinished(
  deps: VideoDependencies,
  stored: StoredVideo | null,
  ids: { key: string; upstreamId: string },
): Promise<StoredVideo | null> {
  if (stored?.status === 'COMPLETED' && !isDeleted(stored)) return stored;
  const found = await findVideo(deps, ids.upstreamId);
  if (found === null) return null;
  if (found.status === 'COMPLETED') return toStored(ids.key, found);
  const message = found.isFinal
    ? 'This video was not created successfully, so it cannot be used.'
    : 'The video is not finished yet. Try again when it is COMPLETED.';
  throw new InvalidInputError([{ path: ['input', 'video', 'id'], message }]);
}
