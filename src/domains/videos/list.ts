import { SingleFlight } from '../../upstream/single-flight.ts';
import type { Library, Viewer } from './library.ts';
import type { VideoFilter } from './order.ts';
import { listOwn } from './own.ts';
import { readRange, type VideoPageRequest } from './range.ts';
import { scanAccounts } from './scan.ts';
import { cutPage, type VideoPage } from './slice.ts';

export type { VideoPageRequest } from './range.ts';
export type { VideoPage } from './slice.ts';

/** See `VideoService.list`. */
export function createVideoList(library: Library) {
  const flights = new SingleFlight<VideoPage>();
  return async (
    viewer: Viewer,
    request: VideoPageRequest,
    signal?: AbortSignal,
  ): Promise<VideoPage> => {
    const range = readRange(request);
    const filter: VideoFilter = {
      status: request.filter?.status ?? null,
      createdAfter: request.filter?.createdAfter ?? null,
      createdBefore: request.filter?.createdBefore ?? null,
    };
    if (!viewer.canSeeAll) return listOwn(library.db, viewer.owner, { range, filter });
    // What those with this scope see does not depend on who they are.
    const scan = async (shared: AbortSignal) =>
      cutPage(await scanAccounts(library, { range, filter }, shared), { range, filter });
    return flights.join(JSON.stringify([range, filter]), scan, signal);
  };
}
