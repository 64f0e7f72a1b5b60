import type { VideoStatus } from '../status.ts';
import type { StoredVideo } from '../stored-video.ts';

/**
 * Sort key of the list: by time, then number, then key, newest first. Many videos share a time, because the upstream
 * writes whole seconds; numbers are rarely equal, and keys are unique.
 */
export type VideoPosition = {
  /** Milliseconds since 1970; 0 if the upstream gives no time. */
  at: number;
  /** Empty = after all videos of that millisecond. */
  key: string;
};

export type VideoFilter = {
  statuses: readonly VideoStatus[] | null;
  /** Exclusive. */
  createdAfter: Date | null;
  /** Exclusive. */
  createdBefore: Date | null;
};

export function positionOf(video: StoredVideo): VideoPosition {
  return { at: video.createdAt === null ? 0 : Date.parse(video.createdAt), key: video.key };
}

/** Negative if `a` comes before `b` in the list, so is newer. */
export function comparePositions(a: VideoPosition, b: VideoPosition): number {
  if (a.at !== b.at) return b.at - a.at;
  const [first, second] = [numberOf(a), numberOf(b)];
  if (first !== second) return first > second ? -1 : 1;
  if (a.key === b.key) return 0;
  return a.key > b.key ? -1 : 1;
}

/** The number at the end of the upstream id, taken from our key. Too large for a double. */
export function numberOf({ key }: VideoPosition): bigint {
  return key === '' ? -1n : BigInt(key.slice(9));
}

export function matchesFilter(video: StoredVideo, filter: VideoFilter): boolean {
  const { statuses, createdAfter, createdBefore } = filter;
  const { at } = positionOf(video);
  if (statuses !== null && !statuses.includes(video.status)) return false;
  if (createdAfter !== null && at <= createdAfter.getTime()) return false;
  return createdBefore === null || at < createdBefore.getTime();
}
