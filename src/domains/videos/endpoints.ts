import { z } from 'zod';
import { NotFoundError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import { rawSegment } from '../../upstream/path.ts';
import {
  looseBoolean,
  looseDate,
  looseId,
  looseList,
  looseNumber,
  loosePositive,
  looseRecord,
  looseText,
  looseUrl,
  readItems,
} from '../../upstream/wire.ts';
import { isFinalState, isUnclear, stateOf, type VideoState } from './state.ts';

export type UpstreamVideo = {
  /** `user:<userid>-pixverse:<email>-video:<number>`: for us only, since it carries an e-mail. */
  id: string;
  /** From the id; null where it isn't of the documented form. */
  accountEmail: string | null;
  state: VideoState;
  isFinal: boolean;
  /** The item says too little to know how far the video is: GET one may say more. */
  isUnclear: boolean;
  /** Only of a COMPLETED video: the upstream also writes addresses into items that still run. */
  url: string | null;
  posterUrl: string | null;
  lastFrameUrl: string | null;
  /** `img_url`, a WebP. */
  previewUrl: string | null;
  prompt: string | null;
  negativePrompt: string | null;
  model: string | null;
  /** Such as `540p`. */
  quality: string | null;
  /** Such as `3:4`. */
  aspectRatio: string | null;
  width: number | null;
  height: number | null;
  durationSeconds: number | null;
  seed: number | null;
  createdAt: Date | null;
  offPeak: boolean;
  replyRef: string | null;
  originalVideoId: string | null;
};

export type VideoPage = {
  items: UpstreamVideo[];
  /** How many items the page had, also those that could not be read: what an offset counts. */
  rawCount: number;
  nextOffset: number;
  hasMore: boolean;
};

export type VideoQuery = { email?: string | undefined; limit: number; offset: number };

// A page shorter than what was asked for may be a full one of an upstream that allows less; no maximum is documented.
// It is believed to allow at least its own default, unless its longest page so far is as long as such limits usually are:
// asking once more where a list really ends there costs little.
const defaultLimit = 40;
const usualLimits: ReadonlySet<number> = new Set([10, 20, 25, 30]);
const longestPages = new WeakMap<Upstream, number>();

const wireVideo = z.object({
  video_id: looseId,
  id: looseId,
  video_status: looseNumber,
  video_status_name: looseText,
  video_status_final: looseBoolean,
  url: looseUrl,
  first_frame: looseUrl,
  last_frame: looseUrl,
  img_url: looseUrl,
  prompt: looseText,
  negative_prompt: looseText,
  model: looseText,
  quality: looseText,
  aspect_ratio: looseText,
  output_width: loosePositive,
  output_height: loosePositive,
  video_duration: loosePositive,
  duration: loosePositive,
  seed: looseNumber,
  created_at: looseDate,
  off_peak: looseBoolean,
  replyRef: looseText,
  response: looseRecord.pipe(z.object({ replyRef: looseText })),
  original_video_id: looseId,
});

const video = wireVideo.transform((item, context): UpstreamVideo => {
  const id = item.video_id ?? item.id;
  if (id === null) {
    context.addIssue({ code: 'custom', message: 'There is no id.' });
    return z.NEVER;
  }
  return describe(item, id);
});

/** Whoever asks for one by its id knows the id: the answer may leave it out, or write its number alone. */
function videoUnder(id: string) {
  return wireVideo.transform((item, context): UpstreamVideo => {
    const { video_id, video_status, video_status_name, url } = item;
    if ([video_id, item.id, video_status, video_status_name, url].every((told) => told === null)) {
      context.addIssue({ code: 'custom', message: 'There is no video.' });
      return z.NEVER;
    }
    return describe(item, id);
  });
}

function describe(item: z.output<typeof wireVideo>, id: string): UpstreamVideo {
  const told = {
    name: item.video_status_name,
    code: item.video_status,
    isFinal: item.video_status_final,
    url: item.url,
  };
  const state = stateOf(told);
  return {
    id,
    accountEmail: accountEmailOf(id),
    state,
    isFinal: isFinalState(state),
    isUnclear: isUnclear(told),
    ...lookOf(item, state),
    prompt: item.prompt,
    negativePrompt: item.negative_prompt,
    model: item.model,
    quality: item.quality,
    aspectRatio: item.aspect_ratio,
    durationSeconds: item.video_duration ?? item.duration,
    seed: item.seed,
    createdAt: item.created_at,
    offPeak: item.off_peak ?? false,
    replyRef: item.replyRef ?? item.response.replyRef,
    originalVideoId: item.original_video_id,
  };
}

const page = z
  .object({ next_offset: looseNumber, has_more: looseBoolean })
  .catch({ next_offset: null, has_more: null });

const videoPage = z.unknown().transform((answer, context) => {
  const list = looseList('data').safeParse(answer);
  if (!list.success) {
    context.addIssue({ code: 'custom', message: 'There is no list of videos.' });
    return z.NEVER;
  }
  return { list: list.data, ...page.parse(answer) };
});

/** GET /videos/: the account's videos, running ones too. `email` is required where there is more than one account. */
export async function listVideos(
  upstream: Upstream,
  query: VideoQuery,
  options: ReadOptions = {},
): Promise<VideoPage> {
  const path = '/videos/';
  const { email, limit, offset } = query;
  const body = await upstream.read(
    { path, query: { email, limit, offset }, schema: videoPage },
    options,
  );
  const items = readItems(body.list, video, (dropped) =>
    upstream.log.debug({ path, dropped }, 'upstream videos without an id'),
  );
  const rawCount = body.list.length;
  const mayBeFull = isPerhapsFull(upstream, rawCount);
  const toldOffset = body.next_offset;
  return {
    items,
    rawCount,
    // An offset that doesn't move on, or a next page after an empty one, would be read for ever.
    nextOffset: toldOffset !== null && toldOffset > offset ? toldOffset : offset + rawCount,
    hasMore:
      rawCount > 0 &&
      (body.has_more ??
        ((toldOffset !== null && toldOffset > offset) ||
          rawCount >= Math.min(limit, defaultLimit) ||
          mayBeFull)),
  };
}

function isPerhapsFull(upstream: Upstream, rawCount: number): boolean {
  const longest = Math.max(rawCount, longestPages.get(upstream) ?? 0);
  longestPages.set(upstream, longest);
  return rawCount === longest && usualLimits.has(rawCount);
}

/**
 * GET /videos/{id}. Null on 404, which a video that still runs answers as well as one that never was: `listVideos` tells
 * them apart.
 */
export async function getVideo(
  upstream: Upstream,
  id: string,
  options: ReadOptions = {},
): Promise<UpstreamVideo | null> {
  try {
    const path = `/videos/${rawSegment(id, 'The video')}`;
    return await upstream.read({ path, schema: videoUnder(id) }, options);
  } catch (thrown) {
    if (thrown instanceof NotFoundError) {
      return null;
    }
    throw thrown;
  }
}

/** DELETE /videos/{id}: for good. */
export async function deleteVideo(upstream: Upstream, id: string): Promise<void> {
  const path = `/videos/${rawSegment(id, 'The video')}`;
  await upstream.change({ method: 'DELETE', path });
}

/** E-mails may hold '-', '+' and even the markers themselves: from the first `-pixverse:` to the last `-video:`. */
export function accountEmailOf(id: string): string | null {
  return /^user:.*?-pixverse:(.+)-video:\d+$/.exec(id)?.[1] ?? null;
}

/** The upstream writes an id whole, and sometimes its number alone. Within one account both mean the same video. */
export function isSameVideo(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short === long || (/^\d+$/.test(short) && long.endsWith(`-video:${short}`));
}

function lookOf(item: z.output<typeof wireVideo>, state: VideoState) {
  return {
    url: state === 'COMPLETED' ? item.url : null,
    posterUrl: item.first_frame ?? item.img_url,
    lastFrameUrl: item.last_frame,
    previewUrl: item.img_url,
    width: item.output_width,
    height: item.output_height,
  };
}
