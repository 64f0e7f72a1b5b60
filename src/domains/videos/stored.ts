import type { UpstreamVideo } from './endpoints.ts';

export const videoStatuses = [
  'QUEUED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'UNKNOWN',
] as const;

export type VideoStatus = (typeof videoStatuses)[number];

/**
 * A video as we keep it and show it: plain JSON, which a lip-sync keeps in its row. No upstream id and no e-mail is in
 * it, so it may be shown to whoever may see the video.
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
  /** RFC 3339 in UTC, with milliseconds; null where the upstream does not tell. */
  createdAt: string | null;
  isOffPeak: boolean;
};

export function toStored(key: string, video: UpstreamVideo): StoredVideo {
  return {
    key,
    status: video.state,
    // A url on a video that still runs is no finished video.
    url: video.state === 'COMPLETED' ? video.url : null,
    posterUrl: video.posterUrl ?? video.previewUrl,
    lastFrameUrl: video.lastFrameUrl,
    prompt: video.prompt,
    negativePrompt: video.negativePrompt,
    model: video.model,
    quality: video.quality,
    aspectRatio: video.aspectRatio,
    width: video.width === null ? null : Math.round(video.width),
    height: video.height === null ? null : Math.round(video.height),
    durationSeconds: video.durationSeconds,
    seed: Number.isSafeInteger(video.seed) ? video.seed : null,
    createdAt: video.createdAt?.toISOString() ?? null,
    isOffPeak: video.offPeak,
  };
}

/** A deleted video keeps its snapshot for the history of the lip-syncs that used it, without its addresses. */
export function isGone(video: StoredVideo): boolean {
  return video.status === 'COMPLETED' && video.url === null;
}
