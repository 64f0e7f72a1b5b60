import { InvalidInputError } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { accountEmailOf } from './endpoints.ts';
import { createDirectReader } from './kept-lists.ts';
import { findVideo } from './load.ts';
import { isFinalStatus } from './status.ts';
import { readVideoCopies } from './store.ts';
import { isDeleted, type StoredVideo } from './stored-video.ts';

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
  // Asked now: what is sent to be paid for must not depend on an older answer.
  const found = await findVideo(createDirectReader(deps), ids);
  if (found === null || found.status === 'COMPLETED') return found;
  const message = isFinalStatus(found.status)
    ? 'This video was not created successfully, so it cannot be used.'
    : 'The video is not finished yet. Try again when it is COMPLETED.';
  throw new InvalidInputError([{ path: ['input', 'video', 'id'], message }]);
}
