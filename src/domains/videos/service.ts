import type { Failure } from '../../errors.ts';
import {
  getVideo,
  isSameVideo,
  listVideos,
  type VideoPage as UpstreamPage,
  type UpstreamVideo,
  type VideoQuery,
} from './endpoints.ts';
import { createVideoIds, type VideoIds } from './ids.ts';
import type { Library, Viewer } from './library.ts';
import { createVideoList, type VideoPage, type VideoPageRequest } from './list.ts';
import { loadVideos } from './load.ts';
import { type Remover, removeVideo } from './remove.ts';
import { resolveSource, type VideoSource } from './source.ts';
import { type StoredVideo, toStored } from './stored.ts';

export type { UpstreamVideo } from './endpoints.ts';
export type { VideoIds } from './ids.ts';
export type { Viewer } from './library.ts';
export type { VideoPage, VideoPageRequest } from './list.ts';
export type { Remover } from './remove.ts';
export type { VideoSource } from './source.ts';
export type { StoredVideo, VideoStatus } from './stored.ts';
export { isSameVideo, toStored };

export type VideoService = {
  ids: VideoIds;
  /**
   * One answer for each key, in order: null for what does not exist for this viewer, a failure where the upstream
   * could not say. What lip-syncs keep answers without the upstream.
   */
  load(viewer: Viewer, keys: readonly string[]): Promise<(StoredVideo | Failure | null)[]>;
  /** One page of an account's list as the upstream gives it from now on; equal reads at the same time are one call. */
  readPage(query: VideoQuery): Promise<UpstreamPage>;
  /** GET of one by its upstream id, as of now; null on 404, which a video that still runs answers too. */
  readOne(upstreamId: string): Promise<UpstreamVideo | null>;
  /** Newest first, of all accounts or of the viewer's own lip-syncs. Throws failures. `signal`: the caller left. */
  list(viewer: Viewer, request: VideoPageRequest, signal?: AbortSignal): Promise<VideoPage>;
  /**
   * The video as the source of a lip-sync; null for what does not exist for this viewer.
   *
   * @throws {InvalidInputError} where it is not finished
   */
  resolveSource(viewer: Viewer, key: string): Promise<VideoSource | null>;
  /** Deletes it upstream for good, and its addresses from every lip-sync that used or made it. Throws failures. */
  remove(remover: Remover, key: string | null): Promise<void>;
};

export function createVideoService(options: Omit<Library, 'ids'>): VideoService {
  const library: Library = { ...options, ids: createVideoIds(options.db) };
  return {
    ids: library.ids,
    readPage: (query) => listVideos(options.upstream, query, { isFresh: true }),
    readOne: (upstreamId) => getVideo(options.upstream, upstreamId, { isFresh: true }),
    load: (viewer, keys) => loadVideos(library, viewer, keys),
    list: createVideoList(library),
    resolveSource: (viewer, key) => resolveSource(library, viewer, key),
    remove: (remover, key) => removeVideo(library, remover, key),
  };
}
