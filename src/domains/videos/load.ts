import { Failure, InvalidInputError, NotFoundError } from '../../errors.ts';
import {
  accountEmailOf,
  getVideo,
  listVideos,
  type UpstreamVideo,
  type VideoPage,
  type VideoQuery,
} from './endpoints.ts';
import { isVideoKey, toUpstreamId } from './ids.ts';
import type { Library, Viewer } from './library.ts';
import { readSnapshots, type Snapshot } from './store.ts';
import { isGone, type StoredVideo, toStored } from './stored.ts';

type Loaded = StoredVideo | Failure | null;
type Found = UpstreamVideo | Failure | null;

/** GETs of single videos at once, for one request: enough to be quick, few enough to leave room for others. */
const readsAtOnce = 4;

/**
 * A video that is still made answers 404 to GET one, and stands near the top of the list. Accounts run 8 jobs at
 * most, so two pages have all of them, unless somebody floods the account from outside.
 */
const pageSize = 40;
const pagesToSearch = 2;

/**
 * Where several are asked for at once, as gateways do, one large page is worth many calls. No maximum is documented: an
 * upstream that refuses this is asked for less.
 */
const largestPage = 100;

/** See `VideoService.load`. */
export async function loadVideos(
  library: Library,
  viewer: Viewer,
  keys: readonly string[],
): Promise<Loaded[]> {
  const snapshots = await readSnapshots(library.db, viewer.owner, keys.filter(isVideoKey));
  const visible = snapshots.filter(({ isOwn }) => isOwn || viewer.canSeeAll);
  const isKept = ({ video }: Snapshot) => video !== null && !isGone(video);
  const missing = visible.filter((snapshot) => !isKept(snapshot));
  const loaded = new Map<string, Loaded>(visible.map(({ key, video }) => [key, video]));
  for (const [key, video] of await readMissing(library, missing)) loaded.set(key, video);
  return keys.map((key) => loaded.get(key) ?? null);
}

async function readMissing(
  library: Library,
  snapshots: readonly Snapshot[],
): Promise<[string, Loaded][]> {
  const ids = new Map(
    snapshots.flatMap(({ key, prefix }) =>
      prefix === null ? [] : [[key, toUpstreamId(key, prefix)] as const],
    ),
  );
  const found = await findUpstream(library, [...ids.values()]);
  return snapshots.map(({ key }) => {
    const video = found.get(ids.get(key) ?? '') ?? null;
    return [key, video instanceof Failure || video === null ? video : toStored(key, video)];
  });
}

/** One video by its upstream id; null where there is none. Throws the upstream's failure. */
export async function findVideo(
  library: Library,
  upstreamId: string,
): Promise<UpstreamVideo | null> {
  const found = (await findUpstream(library, [upstreamId])).get(upstreamId) ?? null;
  if (found instanceof Failure) throw found;
  return found;
}

async function findUpstream(
  library: Library,
  upstreamIds: readonly string[],
): Promise<Map<string, Found>> {
  const byAccount = Map.groupBy(new Set(upstreamIds), accountEmailOf);
  const bounded = createBound(readsAtOnce);
  const found = await Promise.all(
    [...byAccount].map(([email, ids]) => findInAccount(library, { email, ids }, bounded)),
  );
  return new Map(found.flatMap((entries) => [...entries]));
}

/**
 * Pages of the list serve many, as long as each of them spares more than one GET, and GETs serve the rest. A single one
 * is asked for directly, since the list would be the larger answer. What is not in a list that was read whole is not
 * there at all: whoever sends a thousand ids of nothing causes no thousand calls.
 */
async function findInAccount(
  library: Library,
  { email, ids }: { email: string | null; ids: readonly string[] },
  bounded: Bound,
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const missing = () => ids.filter((id) => (found.get(id) ?? null) === null);
  const limit = ids.length > 1 ? largestPage : pageSize;
  const search = createSearch(library, { email, limit }, found);
  let spared = ids.length;
  for (let pages = 1; spared > 1 && missing().length > 1; pages += 1) {
    const before = missing().length;
    await search(pages);
    spared = before - missing().length;
  }
  if (search.isWhole()) return found;
  await Promise.all(
    missing().map((id) =>
      bounded(async () => found.set(id, await settled(getVideo(library.upstream, id)))),
    ),
  );
  for (let pages = 1; pages <= pagesToSearch && missing().length > 0; pages += 1) {
    await search(pages);
  }
  // Only the list could have told whether these are being made.
  if (search.failure() !== null) for (const id of missing()) found.set(id, search.failure());
  return found;
}

/** Reads pages of the list up to the given number of them, each once; remembers a failure, and whether it was all. */
function createSearch(
  library: Library,
  { email, limit }: { email: string | null; limit: number },
  found: Map<string, Found>,
) {
  let offset = 0;
  let pagesRead = 0;
  let isOver = email === null;
  let isWhole = false;
  let failure: Failure | null = null;

  async function search(pages: number): Promise<void> {
    if (isOver || pagesRead >= pages || email === null) return;
    pagesRead += 1;
    const page = await settled(readPage(library, { email, limit, offset }));
    isOver = page === null || page instanceof Failure || !page.hasMore;
    if (page instanceof Failure) failure = page;
    if (page === null || page instanceof Failure) return;
    isWhole = !page.hasMore;
    offset = page.nextOffset;
    for (const video of page.items) found.set(video.id, video);
  }

  return Object.assign(search, { failure: () => failure, isWhole: () => isWhole });
}

async function readPage({ upstream }: Library, query: VideoQuery): Promise<VideoPage> {
  try {
    return await listVideos(upstream, query);
  } catch (thrown) {
    if (!(thrown instanceof InvalidInputError) || query.limit <= pageSize) throw thrown;
    return listVideos(upstream, { ...query, limit: pageSize });
  }
}

/** What the upstream knows nothing of (404), or takes for no id at all (400), is missing. */
async function settled<T>(work: Promise<T>): Promise<T | Failure | null> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof NotFoundError || thrown instanceof InvalidInputError) return null;
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

type Bound = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs at most so many at once, the others in the order they came. */
function createBound(most: number): Bound {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
