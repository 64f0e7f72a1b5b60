import { DerivedReads } from '../../../upstream/derived-reads.ts';
import { noteUncachedSource } from '../../../upstream/read-sources.ts';
import type { VideoDependencies, Viewer } from '../dependencies.ts';
import type { VideoReader } from './cached-lists.ts';
import { mergePage, type VideoPage } from './merge-page.ts';
import type { VideoFilter } from './order.ts';
import { listOwnVideos } from './own-videos.ts';
import { parsePageArguments, type VideoPageRequest } from './page-arguments.ts';
import { scanAccounts } from './scan.ts';

export type { VideoPage } from './merge-page.ts';
export type { VideoPageRequest } from './page-arguments.ts';

/** Pages of different arguments and filters. A page does not copy its videos. */
const maxCachedPages = 200;

/** See `VideoService.list`. */
export function createVideoList(deps: VideoDependencies, reader: VideoReader) {
  const pages = new DerivedReads<VideoPage>({ maxCached: maxCachedPages });
  // A page that is being merged may have been read before the change.
  deps.accounts.onChange(() => pages.forgetRunning());
  return async (
    viewer: Viewer,
    request: VideoPageRequest,
    signal?: AbortSignal,
  ): Promise<VideoPage> => {
    const range = parsePageArguments(request);
    const filter: VideoFilter = {
      statuses: request.filter?.statuses ?? null,
      createdAfter: request.filter?.createdAfter ?? null,
      createdBefore: request.filter?.createdBefore ?? null,
    };
    if (!viewer.canSeeAll) {
      noteUncachedSource();
      return listOwnVideos(deps.db, viewer.owner, { range, filter });
    }
    // All viewers that can see everything get the same page.
    const scan = async (shared: AbortSignal) =>
      mergePage(await scanAccounts({ ...deps, reader }, { range, filter }, shared), {
        range,
        filter,
      });
    return pages.read(JSON.stringify([range, filter]), scan, signal);
  };
}
