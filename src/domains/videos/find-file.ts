import { Failure } from '../../errors.ts';
import type { VideoDependencies } from './dependencies.ts';
import { accountEmailOf } from './endpoints.ts';
import type { CachedLists } from './lists/cached-lists.ts';
import { findVideo } from './load.ts';
import { readVideoCopies } from './store.ts';
import type { StoredVideo } from './stored-video.ts';

/** Where the file of a video is now. `unknown`: there never was such a video, or it is not finished. */
export type VideoFile = { kind: 'found'; url: string } | { kind: 'gone' } | { kind: 'unknown' };

/**
 * Reads the present address, at most `READ_FRESH_MS` old. While the video service can't be read, and after the account of the
 * video was removed from it, the address that was stored with a lip-sync is the best that is known.
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
    if (video !== null) return toFile(video);
    const isAccountGone = await isRemoved(deps, accountEmailOf(upstreamId));
    return (isAccountGone ? await findStored(deps, key) : null) ?? { kind: 'gone' };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    const file = await findStored(deps, key);
    if (file === null) throw thrown;
    return file;
  }
}

/** The video service answers 404 for a deleted video and for all videos of an account that it does not have any more. */
async function isRemoved({ accounts }: VideoDependencies, email: string | null): Promise<boolean> {
  if (email === null) return false;
  const present = await accounts.listPresent();
  return present.every((account) => account.email.toLowerCase() !== email.toLowerCase());
}

async function findStored({ db }: VideoDependencies, key: string): Promise<VideoFile | null> {
  const [copy] = await readVideoCopies(db, '', [key]);
  const file = copy?.video == null ? null : toFile(copy.video);
  return file?.kind === 'found' ? file : null;
}

function toFile({ status, url }: StoredVideo): VideoFile {
  if (status !== 'COMPLETED') return { kind: 'unknown' };
  // The address comes from the video service: a browser must not be sent to anything but a file on the web.
  const isWeb = url !== null && /^https?:$/.test(URL.parse(url)?.protocol ?? '');
  return isWeb ? { kind: 'found', url } : { kind: 'gone' };
}
