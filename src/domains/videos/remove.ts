import { NotAuthorizedError, NotFoundError } from '../../errors.ts';
import { deleteVideo } from './endpoints.ts';
import type { Library, Viewer } from './library.ts';
import { isMadeBy, readSnapshots } from './store.ts';

/** Without `canDeleteAll` only what the owner's lip-syncs made. */
export type Remover = Viewer & { canDeleteAll: boolean };

/** See `VideoService.remove`. Twice gives NotFoundError the second time, as the upstream does. */
export async function removeVideo(
  library: Library,
  remover: Remover,
  key: string | null,
): Promise<void> {
  const upstreamId = key === null ? null : await library.ids.toUpstream(key);
  if (key === null || upstreamId === null) throw new NotFoundError('The video');
  if (!remover.canDeleteAll && !(await isMadeBy(library.db, remover.owner, key))) {
    throw (await isVisible(library, remover, key))
      ? new NotAuthorizedError('videos:write')
      : new NotFoundError('The video');
  }
  await deleteVideo(library.upstream, upstreamId).catch((thrown: unknown) => {
    // The endpoint says the same of any path; here it is known what was missing.
    throw thrown instanceof NotFoundError ? new NotFoundError('The video') : thrown;
  });
  await library.eraseStoredUrls(key);
}

async function isVisible(library: Library, viewer: Viewer, key: string): Promise<boolean> {
  if (viewer.canSeeAll) return true;
  const [snapshot] = await readSnapshots(library.db, viewer.owner, [key]);
  return snapshot?.isOwn === true;
}
