import type { UpstreamVideo } from './endpoints.ts';
import type { VideoStatus } from './status.ts';

/**
 * A video as it is stored with lip-syncs and shown to callers: plain JSON, without upstream ids and e-mails, so that it
 * can be shown to every caller that may see the video.
 */
export type StoredVideo = {
  /** `<prefix key>-<digits>`, see `ids.ts`. */
  key: string;
  status: VideoStatus;
  url: string | null;
  posterUrl: string | null;
  lastFrameUrl: string | null;
  prompt: string | null;
  negativePrompt: string | null;
  model: string | null;
  quality: string | null;
  aspectRatio: string | null;
  width: number | null;
  height: number | null;
  durationSeconds: number | null;
  seed: number | null;
  /** RFC 3339 in UTC, with milliseconds; null if the upstream gives no time. */
  createdAt: string | null;
  isOffPeak: boolean;
};

export function toStored(key: string, video: UpstreamVideo): StoredVideo {
  return {
    key,
    status: video.status,
    url: video.status === 'COMPLETED' ? video.url : null,
    posterUrl: video.posterUrl ?? video.previewUrl,
    lastFrameUrl: video.lastFrameUrl,
    prompt: video.prompt,
    negativePrompt: video.negativePrompt,
    model: video.model,
    quality: video.quality,
    aspectRatio: video.aspectRatio,
    width: wholePixels(video.width),
    height: wholePixels(video.height),
    durationSeconds: video.durationSeconds,
    seed: Number.isSafeInteger(video.seed) ? video.seed : null,
    createdAt: video.createdAt?.toISOString() ?? null,
    isOffPeak: video.offPeak,
  };
}

/** Null also for a number that `Int` of GraphQL does not have. */
function wholePixels(pixels: number | null): number | null {
  return pixels === null || pixels > 2 ** 31 - 1 ? null : Math.round(pixels);
}

/** After a deletion the stored copy stays for the history of the lip-syncs that used the video, without its URLs. */
export function isDeleted(video: StoredVideo): boolean {
  return video.status === 'COMPLETED' && video.url === null;
}
