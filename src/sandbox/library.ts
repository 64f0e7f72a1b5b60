import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stableNumber } from './job.ts';
import { type Picture, probePicture } from './mux.ts';

export const MEDIA_DIR = fileURLToPath(new URL('./media/', import.meta.url));

/** A finished video that every account owns from the start. */
export type LibraryVideo = Picture & {
  /** File name under `media/`. */
  file: string;
  poster: string | null;
  prompt: string;
  createdAtMs: number;
};

const prompts = [
  'A woman in a coral blazer speaks by a window, flat illustration',
  'A bearded man in a yellow sweater speaks beside a lamp, flat illustration',
  'A red-haired woman in a striped shirt speaks among plants, flat illustration',
];

/** The library is what lies in `media/`: every `source-*.mp4`, with its `poster-*.webp` if there is one. */
export async function loadLibrary(): Promise<LibraryVideo[]> {
  const names = await readdir(MEDIA_DIR).catch((): string[] => []);
  const sources = names.filter((name) => /^source-\d+\.mp4$/.test(name)).sort();
  return Promise.all(
    sources.map(async (file, index) => {
      const poster = file.replace('source', 'poster').replace('.mp4', '.webp');
      return {
        ...(await probePicture(join(MEDIA_DIR, file))),
        file,
        poster: names.includes(poster) ? poster : null,
        prompt: prompts[index % prompts.length] ?? '',
        createdAtMs: Date.UTC(2026, 0, 5 + index, 12, 34, 56),
      };
    }),
  );
}

/** 15 digits, the same on every start, different for each account and video. */
export function libraryNumber(email: string, index: number): string {
  const account = String(stableNumber(email)).padStart(8, '0');
  return `3705${account}${String(index + 1).padStart(3, '0')}`;
}
