import { z } from 'zod';
import { InvalidInputError, NotFoundError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import {
  lenientBoolean,
  lenientList,
  lenientNumber,
  readItems,
} from '../../upstream/lenient-shapes.ts';
import { listedVideo, type UpstreamVideo } from './endpoints.ts';
import { defaultLimit, judgeLength } from './lists/page-length.ts';

export type VideoPage = {
  items: UpstreamVideo[];
  /** Number of items on the page, including unreadable items, which an offset counts too. */
  rawCount: number;
  nextOffset: number;
  /** The upstream says so, or the page is full as far as that is known. */
  hasMore: boolean;
  /** False only where this page is certainly the end: a search for a video that must exist reads on until then. */
  mayHaveMore: boolean;
};

export type VideoQuery = { email?: string | undefined; limit: number; offset: number };

const page = z
  .object({ next_offset: lenientNumber, has_more: lenientBoolean })
  .catch({ next_offset: null, has_more: null });

const videoPage = z.unknown().transform((body, context) => {
  const list = lenientList('data').safeParse(body);
  if (!list.success) {
    context.addIssue({ code: 'custom', message: 'The list of videos is missing.' });
    return z.NEVER;
  }
  return { list: list.data, ...page.parse(body) };
});

/** How many empty pages are skipped: an upstream may leave out items after it has cut the page. */
const maxEmptyPages = 10;

/** GET /videos/: the account's videos, also running ones. The upstream requires `email` if it has several accounts. */
export async function listVideos(
  upstream: Upstream,
  query: VideoQuery,
  options: ReadOptions = {},
): Promise<VideoPage> {
  for (let { offset } = query, skipped = 0; ; skipped += 1) {
    const { page, isEmptyWithMore } = await readPage(upstream, { ...query, offset }, options);
    if (!isEmptyWithMore || skipped === maxEmptyPages) return page;
    offset = page.nextOffset;
  }
}

async function readPage(
  upstream: Upstream,
  query: VideoQuery,
  options: ReadOptions,
): Promise<{ page: VideoPage; isEmptyWithMore: boolean }> {
  const path = '/videos/';
  const { email, limit, offset } = query;
  const body = await upstream
    .read({ path, query: { email, limit, offset }, schema: videoPage }, options)
    .catch((thrown: unknown) => {
      // An upstream may answer 404 or 400 to an offset behind the last video; a larger page may be rejected for its size.
      const isRejected = thrown instanceof InvalidInputError && limit <= defaultLimit;
      const isEnd = offset > 0 && (isRejected || thrown instanceof NotFoundError);
      if (isEnd) return { list: [], next_offset: null, has_more: false };
      throw thrown;
    });
  const items = readItems(body.list, listedVideo, (dropped) =>
    upstream.log.debug({ path, dropped }, 'upstream videos without an id'),
  );
  const rawCount = body.list.length;
  const length = judgeLength(upstream, { email: email ?? '', limit, offset, rawCount, items });
  const reportedOffset = body.next_offset;
  const advances = reportedOffset !== null && reportedOffset > offset;
  const says = body.has_more ?? (advances ? true : null);
  // An offset that does not advance, or a next page after an empty page, would cause an endless loop.
  const nextOffset = advances ? reportedOffset : offset + rawCount;
  const hasMore = rawCount > 0 && (says ?? length.isFull);
  const mayHaveMore = rawCount > 0 && (says ?? length.mayBeFull);
  return {
    page: { items, rawCount, nextOffset, hasMore, mayHaveMore },
    isEmptyWithMore: rawCount === 0 && advances && body.has_more === true,
  };
}
