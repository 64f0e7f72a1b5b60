import type { StoredVideo, VideoStatus } from './stored.ts';

/**
 * Newest first: by time, then number, then key. The time may be the same for many (the upstream writes whole seconds),
 * the number hardly, and the key never.
 */
export type Position = {
  /** Milliseconds since 1970; 0 where the upstream does not tell. */
  at: number;
  /** Empty = behind all videos of that millisecond. */
  key: string;
};

export type VideoFilter = {
  status: readonly VideoStatus[] | null;
  /** Later than. */
  createdAfter: Date | null;
  /** Earlier than. */
  createdBefore: Date | null;
};

export function positionOf(video: StoredVideo): Position {
  return { at: video.createdAt === null ? 0 : Date.parse(video.createdAt), key: video.key };
}

/** Negative where `a` stands before `b` in the list, so is newer. */
export function comparePositions(a: Position, b: Position): number {
  if (a.at !== b.at) return b.at - a.at;
  const [first, second] = [numberOf(a), numberOf(b)];
  if (first !== second) return first > second ? -1 : 1;
  if (a.key === b.key) return 0;
  return a.key > b.key ? -1 : 1;
}

/** The number that an upstream id ends in, out of our key. It exceeds what a double holds exactly. */
export function numberOf({ key }: Position): bigint {
  return key === '' ? -1n : BigInt(key.slice(9));
}

export function isWanted(video: StoredVideo, filter: VideoFilter): boolean {
  const { status, createdAfter, createdBefore } = filter;
  const { at } = positionOf(video);
  if (status !== null && !status.includes(video.status)) return false;
  if (createdAfter !== null && at <= createdAfter.getTime()) return false;
  return createdBefore === null || at < createdBefore.getTime();
}
