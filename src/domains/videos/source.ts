import { InvalidInputError } from '../../errors.ts';
import { accountEmailOf } from './endpoints.ts';
import type { Library, Viewer } from './library.ts';
import { findVideo } from './load.ts';
import { readSnapshots } from './store.ts';
import { isGone, type StoredVideo, toStored } from './stored.ts';

/** A finished video that a lip-sync may use. `accountId` = the account that must do it; null where the id names none. */
export type VideoSource = { upstreamId: string; accountId: string | null; video: StoredVideo };

/** See `VideoService.resolveSource`. */
export async function resolveSource(
  library: Library,
  viewer: Viewer,
  key: string,
): Promise<VideoSource | null> {
  const upstreamId = await library.ids.toUpstream(key);
  if (upstreamId === null) return null;
  const [snapshot] = await readSnapshots(library.db, viewer.owner, [key]);
  if (snapshot === undefined || !(snapshot.isOwn || viewer.canSeeAll)) return null;
  const video = await readFinished(library, snapshot.video, { key, upstreamId });
  if (video === null) return null;
  const email = accountEmailOf(upstreamId);
  const account = email === null ? null : await library.accounts.ensure(email);
  return { upstreamId, accountId: account?.id ?? null, video };
}

async function readFinished(
  library: Library,
  kept: StoredVideo | null,
  ids: { key: string; upstreamId: string },
): Promise<StoredVideo | null> {
  if (kept?.status === 'COMPLETED' && !isGone(kept)) return kept;
  const found = await findVideo(library, ids.upstreamId);
  if (found === null) return null;
  if (found.state === 'COMPLETED') return toStored(ids.key, found);
  const message = found.isFinal
    ? 'This video was not made, so it cannot be used.'
    : 'The video is still being made. Try again when it is COMPLETED.';
  throw new InvalidInputError([{ path: ['input', 'video', 'id'], message }]);
}
