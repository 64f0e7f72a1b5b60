import type { Upstream } from '../../../upstream/client.ts';

/** A page of an account's list that does not say whether there are more. */
type ListedPage = {
  email: string;
  /** As requested. */
  limit: number;
  offset: number;
  /** Also the items that could not be read. */
  rawCount: number;
  items: readonly { id: string; createdAt: Date | null }[];
};

/**
 * `isFull`: the upstream probably has more, so an ordinary read continues. `mayBeFull`: it can have more, so a search for a
 * video that must exist continues. False = this page is the end of the list.
 */
type PageLength = { isFull: boolean; mayBeFull: boolean };

/** The upstream's default. A page of this length counts as full, whatever limit was requested. */
export const defaultLimit = 40;

/** No upstream is expected to allow less, so searches in a short list cost one call. */
const smallestLimit = 5;

const commonLimits: ReadonlySet<number> = new Set([5, 10, 12, 15, 16, 20, 24, 25, 30]);

type LastPage = {
  offset: number;
  end: number;
  ids: ReadonlySet<string>;
  /** The same videos were seen at another offset too. */
  isRepeated: boolean;
  /** Null unless it is a first page with the newest video first. */
  name: string | null;
};

/** What the pages of one upstream have shown. */
type Known = {
  /** The longest page: a shorter one is not full. */
  longest: number;
  /** A page of this length was followed by other videos. */
  proven: number | null;
  /** By e-mail, as `wholeLists`. */
  lastPages: Map<string, LastPage>;
  /** The names of first pages that are the whole list. */
  wholeLists: Map<string, string>;
};

const knownOf = new WeakMap<Upstream, Known>();

/**
 * Whether a page is full. A page that is shorter than requested may be full too, because an upstream may allow less, and no
 * maximum is documented. A common length counts as full until a further read shows that the list ends there; any other
 * length counts as full once a further read has found more videos.
 */
export function judgeLength(upstream: Upstream, page: ListedPage): PageLength {
  const known = open(upstream);
  const last = known.lastPages.get(page.email);
  const seen = compare(page, last);
  const { offset, end, ids } = seen;
  // The upstream ignores the offset: each page is the first one. Two pages do not prove it: the second one shows the same
  // videos also if as many were added in between as it begins further down.
  if (last?.isRepeated && seen.isRepeated && offset > last.offset) return whole;
  if (last !== undefined && offset > last.offset && offset <= last.end) {
    const addsVideos = !last.ids.isSupersetOf(ids);
    // Videos that moved down because newer ones were added prove nothing.
    if (addsVideos && end > last.end) known.proven = last.end - last.offset;
    // Each change of a list costs one further read, and not each read of it. In a list with the oldest first, new videos
    // come after this page and do not change its name.
    if (end === last.end && last.name !== null) known.wholeLists.set(page.email, last.name);
  }
  known.longest = Math.max(known.longest, page.rawCount);
  known.lastPages.set(page.email, seen);
  return lengthOf(known, page);
}

function compare(page: ListedPage, last: LastPage | undefined): LastPage {
  const { offset, rawCount } = page;
  const ids = new Set(page.items.map(({ id }) => id));
  const isSame =
    last !== undefined && ids.size > 0 && ids.size === last.ids.size && last.ids.isSupersetOf(ids);
  const isRepeated = isSame && (last.isRepeated || offset !== last.offset);
  return { offset, end: offset + rawCount, ids, isRepeated, name: nameOf(page) };
}

const whole: PageLength = { isFull: false, mayBeFull: false };

function lengthOf(known: Known, page: ListedPage): PageLength {
  const { email, limit, rawCount } = page;
  if (rawCount === 0) return whole;
  if (rawCount >= Math.min(limit, defaultLimit)) return { isFull: true, mayBeFull: true };
  if (rawCount < smallestLimit || rawCount < known.longest) return whole;
  const name = nameOf(page);
  if (name !== null && name === known.wholeLists.get(email)) return whole;
  return { isFull: rawCount === known.proven || commonLimits.has(rawCount), mayBeFull: true };
}

function open(upstream: Upstream): Known {
  const opened = knownOf.get(upstream);
  if (opened !== undefined) return opened;
  const known: Known = {
    longest: 0,
    proven: null,
    lastPages: new Map(),
    wholeLists: new Map(),
  };
  knownOf.set(upstream, known);
  return known;
}

/** A list with the newest first has the same name until a video is added, or one of the page's videos is deleted. */
function nameOf({ offset, rawCount, items }: ListedPage): string | null {
  if (offset > 0) return null;
  const times = items.map(({ createdAt }) => createdAt?.getTime() ?? Number.NaN);
  const isSorted = times.every((at, index) => at <= (times[index - 1] ?? at));
  const isNewestFirst = isSorted && (times[0] ?? 0) > (times.at(-1) ?? 0);
  return isNewestFirst ? `${rawCount} ${items[0]?.id}` : null;
}
