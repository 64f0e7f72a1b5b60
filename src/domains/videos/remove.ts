import { NotAuthorizedError, NotFoundError } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { accountEmailOf, deleteVideo } from './endpoints.ts';
import { isMadeBy, markDeleted, readVideoCopies } from './store.ts';

/** See `VideoService.remove`. A second call throws NotFoundError, as the upstream does. */
export async function removeVideo(
  deps: VideoDependencies,
  viewer: Viewer,
  { key, canDeleteAll }: { key: string | null; canDeleteAll: boolean },
): Promise<void> {
  const upstreamId = key === null ? null : await deps.ids.toUpstream(key);
  if (key === null || upstreamId === null) throw new NotFoundError('The video');
  if (!canDeleteAll && !(await isMadeBy(deps.db, viewer.owner, key))) {
    throw (await isVisible(deps, viewer, key))
      ? new NotAuthorizedError('videos:write')
      : new NotFoundError('The video');
  }
  try {
    await deleteVideo(deps.upstream, upstreamId);
  } catch (thrown) {
    if (!(thrown instanceof NotFoundError)) throw thrown;
    // It may have been deleted by a request whose answer was lost, or on the website.
    await markDeleted(deps.db, key);
    // The endpoint's 404 does not say what is missing.
    throw new NotFoundError('The video');
  } finally {
    // Also after a failure: the video may be gone all the same.
    await deps.accounts.announceChangeOf(accountEmailOf(upstreamId));
  }
  await markDeleted(deps.db, key);
}

async function isVisible(deps: VideoDependencies, viewer: Viewer, key: string): Promise<boolean> {
  if (viewer.canSeeAll) return true;
  const [copy] = await readVideoCopies(deps.db, viewer.owner, [key]);
  return copy?.isOwn === true;
}
