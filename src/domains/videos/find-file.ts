import { Failure } from '../../errors.ts';
import type { CachedLists } from './cached-lists.ts';
import type { VideoDependencies } from './dependencies.ts';
import { findVideo } from './load.ts';
import { readVideoCopies } from './store.ts';
import type { StoredVideo } from './stored-video.ts';

/** Where the file of a video is now. `unknown`: there never was such a video, or it is not finished. */
export type VideoFile = { kind: 'found'; url: string } | { kind: 'gone' } | { kind: 'unknown' };

/**
 * Reads the present address, at most `READ_FRESH_MS` old. While the video service can't be read, the address that was stored
 * with a lip-sync is the best that is known.
 *
 * @throws the upstream's failures
 */
export async function findFile(
  deps: VideoDependencies,
  cached: CachedLists,
  key: string,
): Promise<VideoFile> {
  const upstreamId = await deps.ids.toUpstream(key);
  if (upstreamId === null) return { kind: 'unknown' };
  try {
    const fresh = cached.findAll([key]).get(key);
    const video = fresh ?? (await findVideo(cached, { key, upstreamId }));
    if (video === null) return { kind: 'gone' };
    return toFile(video);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    const [copy] = await readVideoCopies(deps.db, '', [key]);
    const file = copy?.video == null ? null : toFile(copy.video);
    if (file?.kind !== 'found') throw thrown;
    return file;
  }
}

function toFile({ status, url }: StoredVideo): VideoFile {
  if (status !== 'COMPLETED') return { kind: 'unknown' };
  // The address comes from the video service: a browser must not be sent to anything but a file on the web.
  const isWeb = url !== null && /^https?:$/.test(URL.parse(url)?.protocol ?? '');
  return isWeb ? { kind: 'found', url } : { kind: 'gone' };
}
