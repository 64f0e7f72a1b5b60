import type { Sql } from '../../database/connect.ts';
import type { Failure } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { getVideo, isSameVideo, type UpstreamVideo } from './endpoints.ts';
import { findFile, type VideoFile } from './find-file.ts';
import { createVideoIds, type VideoIds } from './ids.ts';
import { listVideos, type VideoPage as UpstreamPage, type VideoQuery } from './list-endpoint.ts';
import { CachedLists } from './lists/cached-lists.ts';
import { createVideoList, type VideoPage, type VideoPageRequest } from './lists/list.ts';
import { loadVideos } from './load.ts';
import { removeVideo } from './remove.ts';
import { createSourceResolver, type VideoSource } from './resolve-source.ts';
import { videoStatuses } from './status.ts';
import { deleteUnused, insertOwnVideos, type OwnVideo } from './store.ts';
import { type StoredVideo, toStored } from './stored-video.ts';

export type { Viewer } from './dependencies.ts';
export type { UpstreamVideo } from './endpoints.ts';
export type { VideoIds } from './ids.ts';
export type { VideoPage, VideoPageRequest } from './lists/list.ts';
export type { VideoSource } from './resolve-source.ts';
export type { VideoStatus } from './status.ts';
export type { StoredVideo } from './stored-video.ts';
export { isSameVideo, toStored, videoStatuses };

export type VideoService = {
  ids: VideoIds;
  /** The URL under which this server redirects to the video's file. Null: it gives no such URLs. */
  permanentUrlOf(key: string): string | null;
  /** Where the file is of the video that the token was signed for. Throws the upstream's failures. */
  findFile(token: string): Promise<VideoFile>;
  /**
   * One result for each key, in order: null for a video that does not exist for this viewer, a failure if the upstream
   * could not be read. Videos of cached lists, and those that lip-syncs used or made, are returned without an upstream call.
   */
  load(viewer: Viewer, keys: readonly string[]): Promise<(StoredVideo | Failure | null)[]>;
  /** One page of an account's list, never from a response requested before this call. Concurrent equal reads share one call. */
  readPage(query: VideoQuery): Promise<UpstreamPage>;
  /** GET by upstream id, as fresh as `readPage`. Null on 404, which the upstream also gives for a running video. */
  readOne(upstreamId: string): Promise<UpstreamVideo | null>;
  /**
   * Newest first, of all accounts or of the viewer's own lip-syncs. The lists are at most `READ_FRESH_MS` old. Throws
   * failures. `signal` is aborted when the caller disconnects.
   */
  list(viewer: Viewer, request: VideoPageRequest, signal?: AbortSignal): Promise<VideoPage>;
  /**
   * The video as the source of a lip-sync; null if it does not exist for this viewer.
   *
   * @throws {InvalidInputError} if it is not finished
   */
  resolveSource(viewer: Viewer, key: string): Promise<VideoSource | null>;
  /** The account of such a video, without an upstream call; null if this viewer cannot see the video. */
  findSourceAccount(viewer: Viewer, key: string): Promise<Pick<VideoSource, 'accountId'> | null>;
  /** Stores videos that lip-syncs of these owners use or made, in the transaction that writes the lip-syncs. */
  keep(tx: Sql, videos: readonly { owner: string; video: StoredVideo }[]): Promise<void>;
  /** Deletes the videos to which no lip-sync refers any more, in the transaction that deleted lip-syncs of these owners. */
  release(tx: Sql, videos: readonly OwnVideo[]): Promise<void>;
  /**
   * Deletes the video permanently upstream, and its URLs from every lip-sync that used or made it. Throws failures.
   *
   * @param video a null key is not found; without `canDeleteAll` only videos that the owner's lip-syncs made
   */
  remove(viewer: Viewer, video: { key: string | null; canDeleteAll: boolean }): Promise<void>;
};

export function createVideoService(options: Omit<VideoDependencies, 'ids'>): VideoService {
  const deps: VideoDependencies = { ...options, ids: createVideoIds(options.db) };
  const cached = new CachedLists(deps);
  options.accounts.onChange((email) => cached.drop(email));
  const sources = createSourceResolver(deps);
  return {
    ids: deps.ids,
    permanentUrlOf: (key) => {
      const { resultTokens: tokens, publicUrl } = options;
      return tokens === null ? null : `${publicUrl()}/results/${tokens.sign(key)}`;
    },
    async findFile(token) {
      const key = options.resultTokens?.readKey(token) ?? null;
      return key === null ? { kind: 'unknown' } : findFile(deps, cached, key);
    },
    readPage: (query) => listVideos(options.upstream, query, { isFresh: true }),
    readOne: (upstreamId) => getVideo(options.upstream, upstreamId, { isFresh: true }),
    load: (viewer, keys) => loadVideos(deps, cached, { viewer, keys }),
    list: createVideoList(deps, cached),
    resolveSource: sources.resolve,
    findSourceAccount: sources.findAccount,
    keep: insertOwnVideos,
    release: deleteUnused,
    remove: (viewer, video) => removeVideo(deps, viewer, video),
  };
}
