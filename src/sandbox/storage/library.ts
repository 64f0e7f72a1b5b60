import { fileURLToPath } from 'node:url';
import type { Picture } from '../render/mux.ts';
import { stableNumber } from './stable-number.ts';

export const MEDIA_DIR = fileURLToPath(new URL('../media/', import.meta.url));

/** A finished video that every account has from the start. */
export type LibraryVideo = Picture & {
  /** File name under `media/`. */
  file: string;
  poster: string;
  prompt: string;
  createdAtMs: number;
};

/**
 * The source videos of `media/`. Size and length are constants here, because reading them from the files takes a demuxer,
 * and loading that would be a tenth of the startup time.
 */
export const library: readonly LibraryVideo[] = [
  {
    prompt: 'A woman in a coral blazer speaks by a window, flat illustration',
    picture: { width: 640, height: 360, durationSeconds: 5.5 },
  },
  {
    prompt: 'A bearded man in a yellow sweater speaks beside a lamp, flat illustration',
    picture: { width: 640, height: 360, durationSeconds: 6 },
  },
  {
    prompt: 'A red-haired woman in a striped shirt speaks among plants, flat illustration',
    picture: { width: 360, height: 640, durationSeconds: 5 },
  },
].map(({ prompt, picture }, index) => ({
  ...picture,
  prompt,
  file: `source-${index + 1}.mp4`,
  poster: `poster-${index + 1}.webp`,
  createdAtMs: Date.UTC(2026, 0, 5 + index, 12, 34, 56),
}));

/** 15 digits, the same on every start, different for each account and video. */
export function libraryNumber(email: string, index: number): string {
  const account = String(stableNumber(email)).padStart(8, '0');
  return `3705${account}${String(index + 1).padStart(3, '0')}`;
}
