import { Failure, InvalidInputError } from '../../../errors.ts';
import { isSameVideo, type UpstreamVideo } from '../../videos/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { listScheduled, type RunningJob } from '../endpoints.ts';

/** The upstream's default. Its documents name no maximum. */
const pageSize = 40;

/** A job is among an account's newest videos, so the search ends after a thousand. */
const maxVideos = 1_000;

/** For an upstream that allows only short pages: a thousand videos, five by five. */
const maxPages = 200;

/** The jobs in the upstream's scheduler. Null if it can't be read: the list and callbacks may still identify the job. */
export async function readScheduled(deps: LipsyncDependencies): Promise<RunningJob[] | null> {
  try {
    return await listScheduled(deps.upstream, { isFresh: true });
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return null;
  }
}

/**
 * The account's videos, page by page in the upstream's order. The caller stops when it has found its jobs; until then pages
 * are read up to an empty one, because a page that is shorter than requested can be all that the upstream allows.
 */
export async function* readPages(
  deps: LipsyncDependencies,
  email: string,
): AsyncGenerator<UpstreamVideo[]> {
  const seen = new Set<string>();
  let offset = 0;
  for (let page = 0; page < maxPages && offset < maxVideos; page += 1) {
    const query = { email, limit: pageSize, offset };
    const { items, nextOffset, hasMore, mayHaveMore } = await deps.videos.readPage(query);
    yield items;
    const hasNew = items.some(({ id }) => !seen.has(id));
    for (const { id } of items) seen.add(id);
    // Videos that are all known again: the upstream ignores the offset.
    if (!(hasMore || (mayHaveMore && hasNew)) || nextOffset <= offset) return;
    offset = nextOffset;
  }
}

/** Reads the video by its id if its list entry leaves the state open. If that fails, the list entry counts. */
export async function readIfUnclear(
  deps: LipsyncDependencies,
  video: UpstreamVideo,
): Promise<UpstreamVideo> {
  if (!video.isUnclear) return video;
  try {
    return (await deps.videos.readOne(video.id)) ?? video;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return video;
  }
}

/** The video with this id in the account; null if neither the list nor a read by the id shows it. */
export async function readUpstreamVideo(
  deps: LipsyncDependencies,
  email: string,
  id: string,
): Promise<UpstreamVideo | null> {
  for await (const videos of readPages(deps, email)) {
    const listed = videos.find((video) => isSameVideo(video.id, id));
    if (listed !== undefined) return readIfUnclear(deps, listed);
  }
  const video = await readOneOrNull(deps, id);
  return video === null || (video.accountEmail !== null && video.accountEmail !== email)
    ? null
    : video;
}

/**
 * The video with this id; null on 404, and for an id that the upstream rejects because it has another form: a number alone,
 * or what a callback named.
 */
export async function readOneOrNull(
  deps: LipsyncDependencies,
  id: string,
): Promise<UpstreamVideo | null> {
  try {
    return await deps.videos.readOne(id);
  } catch (thrown) {
    if (thrown instanceof InvalidInputError) return null;
    throw thrown;
  }
}
