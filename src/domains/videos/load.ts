import pLimit, { type LimitFunction } from 'p-limit';
import { Failure, InvalidInputError, NotFoundError } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import {
  accountEmailOf,
  getVideo,
  listVideos,
  type UpstreamVideo,
  type VideoPage,
  type VideoQuery,
} from './endpoints.ts';
import { isVideoKey, toUpstreamId } from './ids.ts';
import { readVideoCopies, type VideoCopy } from './store.ts';
import { isDeleted, type StoredVideo, toStored } from './stored-video.ts';

type Loaded = StoredVideo | Failure | null;
type Found = UpstreamVideo | Failure | null;

/** Concurrent GETs of single videos for one request: fast enough, without taking all pooled connections. */
const maxConcurrentGets = 4;

/**
 * GET of a running video gives 404; it is found near the top of the list. Accounts run at most 8 jobs, so two pages
 * contain all of them, unless another client floods the account.
 */
const pageSize = 40;
const pagesToSearch = 2;

/**
 * Gateways ask for many videos at once, and one large page replaces many GETs. No maximum is documented; an upstream that
 * rejects this size is asked for `pageSize` instead.
 */
const largePageSize = 100;

/** See `VideoService.load`. */
export async function loadVideos(
  deps: VideoDependencies,
  viewer: Viewer,
  keys: readonly string[],
): Promise<Loaded[]> {
  const copies = await readVideoCopies(deps.db, viewer.owner, keys.filter(isVideoKey));
  const visible = copies.filter(({ isOwn }) => isOwn || viewer.canSeeAll);
  const isStored = ({ video }: VideoCopy) => video !== null && !isDeleted(video);
  const missing = visible.filter((copy) => !isStored(copy));
  const loaded = new Map<string, Loaded>(visible.map(({ key, video }) => [key, video]));
  for (const [key, video] of await readMissing(deps, missing)) loaded.set(key, video);
  return keys.map((key) => loaded.get(key) ?? null);
}

async function readMissing(
  deps: VideoDependencies,
  copies: readonly VideoCopy[],
): Promise<[string, Loaded][]> {
  const ids = new Map(
    copies.flatMap(({ key, prefix }) =>
      prefix === null ? [] : [[key, toUpstreamId(key, prefix)] as const],
    ),
  );
  const found = await findUpstream(deps, [...ids.values()]);
  return copies.map(({ key }) => {
    const video = found.get(ids.get(key) ?? '') ?? null;
    return [key, video instanceof Failure || video === null ? video : toStored(key, video)];
  });
}

/** One video by its upstream id; null if there is none. Throws the upstream's failure. */
export async function findVideo(
  deps: VideoDependencies,
  upstreamId: string,
): Promise<UpstreamVideo | null> {
  const found = (await findUpstream(deps, [upstreamId])).get(upstreamId) ?? null;
  if (found instanceof Failure) throw found;
  return found;
}

async function findUpstream(
  deps: VideoDependencies,
  upstreamIds: readonly string[],
): Promise<Map<string, Found>> {
  const byAccount = Map.groupBy(new Set(upstreamIds), accountEmailOf);
  const limit = pLimit(maxConcurrentGets);
  const found = await Promise.all(
    [...byAccount].map(([email, ids]) => findInAccount(deps, { email, ids }, limit)),
  );
  return new Map(found.flatMap((entries) => [...entries]));
}

/**
 * For several ids, reads pages of the list as long as each page replaces more than one GET, then reads the rest by GET. A
 * single id is read by GET first, since a page is the larger response. If the whole list was read, the missing ids do not
 * exist: a caller that sends a thousand made-up ids causes no thousand calls.
 */
async function findInAccount(
  deps: VideoDependencies,
  { email, ids }: { email: string | null; ids: readonly string[] },
  limitGets: LimitFunction,
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const missing = () => ids.filter((id) => (found.get(id) ?? null) === null);
  const limit = ids.length > 1 ? largePageSize : pageSize;
  const search = createPageSearch(deps, { email, limit }, found);
  let savedGets = ids.length;
  for (let pages = 1; savedGets > 1 && missing().length > 1; pages += 1) {
    const before = missing().length;
    await search(pages);
    savedGets = before - missing().length;
  }
  if (search.isWhole()) return found;
  await Promise.all(
    missing().map((id) =>
      limitGets(async () => found.set(id, await readOrFailure(getVideo(deps.upstream, id)))),
    ),
  );
  for (let pages = 1; pages <= pagesToSearch && missing().length > 0; pages += 1) {
    await search(pages);
  }
  // Only the list shows running videos, so without it a missing video may still exist.
  if (search.failure() !== null) for (const id of missing()) found.set(id, search.failure());
  return found;
}

/**
 * Reads the list up to the given number of pages, each page once, and adds the videos to `found`. Remembers a failure, and
 * whether the whole list was read.
 */
function createPageSearch(
  deps: VideoDependencies,
  { email, limit }: { email: string | null; limit: number },
  found: Map<string, Found>,
) {
  let offset = 0;
  let pagesRead = 0;
  let isAtEnd = email === null;
  let isWhole = false;
  let failure: Failure | null = null;

  async function search(pages: number): Promise<void> {
    if (isAtEnd || pagesRead >= pages || email === null) return;
    pagesRead += 1;
    const page = await readOrFailure(readPage(deps, { email, limit, offset }));
    isAtEnd = page === null || page instanceof Failure || !page.hasMore;
    if (page instanceof Failure) failure = page;
    if (page === null || page instanceof Failure) return;
    isWhole = !page.hasMore;
    offset = page.nextOffset;
    for (const video of page.items) found.set(video.id, video);
  }

  return Object.assign(search, { failure: () => failure, isWhole: () => isWhole });
}

async function readPage({ upstream }: VideoDependencies, query: VideoQuery): Promise<VideoPage> {
  try {
    return await listVideos(upstream, query);
  } catch (thrown) {
    if (!(thrown instanceof InvalidInputError) || query.limit <= pageSize) throw thrown;
    return listVideos(upstream, { ...query, limit: pageSize });
  }
}

/** Null where the upstream does not know the id (404) or does not accept it as an id (400). */
async function readOrFailure<T>(read: Promise<T>): Promise<T | Failure | null> {
  try {
    return await read;
  } catch (thrown) {
    if (thrown instanceof NotFoundError || thrown instanceof InvalidInputError) return null;
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}
