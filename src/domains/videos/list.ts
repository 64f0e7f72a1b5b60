import { CoalescedReads } from '../../upstream/coalesced-reads.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { mergePage, type VideoPage } from './merge-page.ts';
import type { VideoFilter } from './order.ts';
import { listOwnVideos } from './own-videos.ts';
import { parsePageArguments, type VideoPageRequest } from './page-arguments.ts';
import { scanAccounts } from './scan.ts';

export type { VideoPage } from './merge-page.ts';
export type { VideoPageRequest } from './page-arguments.ts';

/** See `VideoService.list`. */
export function createVideoList(deps: VideoDependencies) {
  const reads = new CoalescedReads<VideoPage>();
  return async (
    viewer: Viewer,
    request: VideoPageRequest,
    signal?: AbortSignal,
  ): Promise<VideoPage> => {
    const range = parsePageArguments(request);
    const filter: VideoFilter = {
      status: request.filter?.status ?? null,
      createdAfter: request.filter?.createdAfter ?? null,
      createdBefore: request.filter?.createdBefore ?? null,
    };
    if (!viewer.canSeeAll) return listOwnVideos(deps.db, viewer.owner, { range, filter });
    // All viewers that can see everything get the same page, so they share one read.
    const scan = async (shared: AbortSignal) =>
      mergePage(await scanAccounts(deps, { range, filter }, shared), { range, filter });
    return reads.read(JSON.stringify([range, filter]), scan, signal);
  };
}
