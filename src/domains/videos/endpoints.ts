import { z } from 'zod';
import { NotFoundError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import {
  lenientBoolean,
  lenientDate,
  lenientId,
  lenientNumber,
  lenientPositive,
  lenientRecord,
  lenientText,
  lenientUrl,
} from '../../upstream/lenient-shapes.ts';
import { rawSegment } from '../../upstream/path.ts';
import { isFinalStatus, isUnclear, statusOf, type VideoStatus } from './status.ts';

export type UpstreamVideo = {
  /** `user:<userid>-pixverse:<email>-video:<number>`. Internal, because it contains an e-mail. */
  id: string;
  /** From the id; null for an id of another form. */
  accountEmail: string | null;
  status: VideoStatus;
  isFinal: boolean;
  /** This item is not enough to know the status; GET of the single video may say more. */
  isUnclear: boolean;
  /** Only of a COMPLETED video: the upstream also writes URLs into running items. */
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

const videoShape = z.object({
  video_id: lenientId,
  id: lenientId,
  /** A code, or a name. */
  video_status: lenientText,
  video_status_name: lenientText,
  video_status_final: lenientBoolean,
  url: lenientUrl,
  first_frame: lenientUrl,
  last_frame: lenientUrl,
  img_url: lenientUrl,
  prompt: lenientText,
  negative_prompt: lenientText,
  model: lenientText,
  quality: lenientText,
  aspect_ratio: lenientText,
  output_width: lenientPositive,
  output_height: lenientPositive,
  video_duration: lenientPositive,
  duration: lenientPositive,
  seed: lenientNumber,
  created_at: lenientDate,
  off_peak: lenientBoolean,
  replyRef: lenientText,
  response: lenientRecord.pipe(z.object({ replyRef: lenientText })),
  original_video_id: lenientId,
});

/** An item of a list. */
export const listedVideo = videoShape.transform((item, context): UpstreamVideo => {
  const id = item.video_id ?? item.id;
  if (id === null) {
    context.addIssue({ code: 'custom', message: 'The id is missing.' });
    return z.NEVER;
  }
  return toVideo(item, id);
});

/** For GET by id, where the response may omit the id or give only its number: the requested id is used. */
function videoWithId(id: string) {
  return videoShape.transform((item, context): UpstreamVideo => {
    const { video_id, video_status, video_status_name, url } = item;
    if (
      [video_id, item.id, video_status, video_status_name, url].every((value) => value === null)
    ) {
      context.addIssue({ code: 'custom', message: 'The video is missing.' });
      return z.NEVER;
    }
    return toVideo(item, id);
  });
}

function toVideo(item: z.output<typeof videoShape>, id: string): UpstreamVideo {
  const code = lenientNumber.parse(item.video_status);
  const reported = {
    name: item.video_status_name ?? (code === null ? item.video_status : null),
    code,
    isFinal: item.video_status_final,
    url: item.url,
  };
  const status = statusOf(reported);
  return {
    id,
    accountEmail: accountEmailOf(id),
    status,
    isFinal: isFinalStatus(status),
    isUnclear: isUnclear(reported),
    ...mediaOf(item, status),
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

/**
 * GET /videos/{id}. Null on 404, which the upstream gives for a running video and for an unknown id; only `listVideos`
 * distinguishes them.
 */
export async function getVideo(
  upstream: Upstream,
  id: string,
  options: ReadOptions = {},
): Promise<UpstreamVideo | null> {
  try {
    const path = `/videos/${rawSegment(id, 'The video')}`;
    return await upstream.read({ path, schema: videoWithId(id) }, options);
  } catch (thrown) {
    if (thrown instanceof NotFoundError) {
      return null;
    }
    throw thrown;
  }
}

/** DELETE /videos/{id}: permanent. */
export async function deleteVideo(upstream: Upstream, id: string): Promise<void> {
  const path = `/videos/${rawSegment(id, 'The video')}`;
  await upstream.write({ method: 'DELETE', path });
}

/** E-mails can contain '-', '+' and even the markers, so the e-mail runs from the first `-pixverse:` to the last `-video:`. */
export function accountEmailOf(id: string): string | null {
  return /^user:.*?-pixverse:(.+)-video:\d+$/.exec(id)?.[1] ?? null;
}

/** The upstream writes an id in full or as its number alone. Within one account both mean the same video. */
export function isSameVideo(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short === long || (/^\d+$/.test(short) && long.endsWith(`-video:${short}`));
}

function mediaOf(item: z.output<typeof videoShape>, status: VideoStatus) {
  return {
    url: status === 'COMPLETED' ? item.url : null,
    posterUrl: item.first_frame ?? item.img_url,
    lastFrameUrl: item.last_frame,
    previewUrl: item.img_url,
    width: item.output_width,
    height: item.output_height,
  };
}
