import pLimit, { type LimitFunction } from 'p-limit';
import { Failure, InvalidInputError, NotFoundError } from '../../errors.ts';
import { noteUncachedSource } from '../../upstream/read-sources.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { accountEmailOf } from './endpoints.ts';
import { isVideoKey, toUpstreamId } from './ids.ts';
import type { CachedLists, VideoReader } from './lists/cached-lists.ts';
import { pageSize } from './lists/list-window.ts';
import { readVideoCopies, type VideoCopy } from './store.ts';
import { isDeleted, type StoredVideo } from './stored-video.ts';

type Loaded = StoredVideo | Failure | null;
type Wanted = { key: string; upstreamId: string };

/** Concurrent GETs of single videos for one request: fast enough, without taking all pooled connections. */
const maxConcurrentGets = 4;

/**
 * GET of a running video gives 404; it is found near the top of the list. Accounts run at most 8 jobs, so two pages
 * contain all of them, unless another client floods the account.
 */
const pagesToSearch = 2;

/** Gateways ask for many videos at once, and one large page replaces many GETs. */
const largePageSize = 100;

/** See `VideoService.load`. */
export async function loadVideos(
  { db, ids }: Pick<VideoDependencies, 'db' | 'ids'>,
  cached: CachedLists,
  { viewer, keys }: { viewer: Viewer; keys: readonly string[] },
): Promise<Loaded[]> {
  const loaded = new Map<string, Loaded>(viewer.canSeeAll ? cached.findAll(keys) : []);
  const others = keys.filter((key) => isVideoKey(key) && !loaded.has(key));
  if (others.length > 0) {
    // Copies belong to lip-syncs, which change without a change of the upstream's lists.
    noteUncachedSource();
    const copies = await readVideoCopies(db, viewer.owner, others);
    for (const { key, prefix } of copies) if (prefix !== null) ids.remember(key, prefix);
    const visible = copies.filter(({ isOwn }) => isOwn || viewer.canSeeAll);
    const isStored = ({ video }: VideoCopy) => video !== null && !isDeleted(video);
    const missing = visible.filter((copy) => !isStored(copy));
    for (const { key, video } of visible) loaded.set(key, video);
    for (const [key, video] of await readMissing(cached, missing)) loaded.set(key, video);
  }
  return keys.map((key) => loaded.get(key) ?? null);
}

async function readMissing(
  reader: VideoReader,
  copies: readonly VideoCopy[],
): Promise<[string, Loaded][]> {
  const wanted = copies.flatMap(({ key, prefix }) =>
    prefix === null ? [] : [{ key, upstreamId: toUpstreamId(key, prefix) }],
  );
  const found = await findAll(reader, wanted);
  return copies.map(({ key }) => [key, found.get(key) ?? null]);
}

/** One video; null if there is none. Throws the upstream's failure. */
export async function findVideo(reader: VideoReader, wanted: Wanted): Promise<StoredVideo | null> {
  const found = (await findAll(reader, [wanted])).get(wanted.key) ?? null;
  if (found instanceof Failure) throw found;
  return found;
}

async function findAll(
  reader: VideoReader,
  wanted: readonly Wanted[],
): Promise<Map<string, Loaded>> {
  const byAccount = Map.groupBy(wanted, ({ upstreamId }) => accountEmailOf(upstreamId));
  const limit = pLimit(maxConcurrentGets);
  const found = await Promise.all(
    [...byAccount].map(([email, videos]) => findInAccount(reader, { email, videos }, limit)),
  );
  return new Map(found.flatMap((entries) => [...entries]));
}

/**
 * For several ids, reads pages of the list as long as each page replaces more than one GET, then reads the rest by GET. A
 * single id is read by GET first, since a page is the larger response. If the whole list was read, the missing ids do not
 * exist: a caller that sends a thousand made-up ids causes no thousand calls.
 */
async function findInAccount(
  reader: VideoReader,
  { email, videos }: { email: string | null; videos: readonly Wanted[] },
  limitGets: LimitFunction,
): Promise<Map<string, Loaded>> {
  const found = new Map<string, Loaded>();
  const missing = () => videos.filter(({ key }) => (found.get(key) ?? null) === null);
  const limit = videos.length > 1 ? largePageSize : pageSize;
  const search = createPageSearch(reader, { email, limit }, found);
  let savedGets = videos.length;
  for (let pages = 1; savedGets > 1 && missing().length > 1; pages += 1) {
    const before = missing().length;
    await search(pages);
    savedGets = before - missing().length;
  }
  // One more call shows whether a page that is shorter than requested, or repeats videos, is the end of the list.
  if (missing().length > 1 && search.isUnclear()) await search(search.pagesRead() + 1);
  if (search.isWhole()) return found;
  await Promise.all(
    missing().map((video) =>
      limitGets(async () =>
        found.set(video.key, await readOrFailure(reader.readOne({ ...video, email }))),
      ),
    ),
  );
  for (let pages = 1; pages <= pagesToSearch && missing().length > 0; pages += 1) {
    await search(pages);
  }
  // Only the list shows running videos, so without it a missing video may still exist.
  if (search.failure() !== null) for (const { key } of missing()) found.set(key, search.failure());
  return found;
}

/**
 * Reads the list up to the given number of pages, each page once, and adds the videos to `found`. Remembers a failure, and
 * whether the whole list was read.
 */
function createPageSearch(
  reader: VideoReader,
  { email, limit }: { email: string | null; limit: number },
  found: Map<string, Loaded>,
) {
  let offset = 0;
  let pagesRead = 0;
  let isAtEnd = email === null;
  let isWhole = false;
  let isUnclear = false;
  let failure: Failure | null = null;

  async function search(pages: number): Promise<void> {
    if (isAtEnd || pagesRead >= pages || email === null) return;
    pagesRead += 1;
    const page = await readOrFailure(reader.readPage({ email, limit, offset }));
    if (page instanceof Failure) failure = page;
    if (page === null || page instanceof Failure) {
      isAtEnd = true;
      isUnclear = false;
      return;
    }
    isWhole = !page.mayHaveMore;
    isAtEnd = isWhole;
    // Without a new video the upstream may ignore the offset, or the list has moved down.
    const hasNew = page.items.some(({ video }) => !found.has(video.key));
    isUnclear = page.mayHaveMore && !(page.hasMore && hasNew);
    offset = page.nextOffset;
    for (const { video } of page.items) found.set(video.key, video);
  }

  return Object.assign(search, {
    failure: () => failure,
    isUnclear: () => isUnclear,
    isWhole: () => isWhole,
    pagesRead: () => pagesRead,
  });
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
