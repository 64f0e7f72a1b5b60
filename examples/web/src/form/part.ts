/** The part of a sound that is used. */
export type Clip = { startSeconds: number; durationSeconds: number };

/** The video service takes no longer speech. */
export const maxSeconds = 60;

/** The server cuts nothing shorter. */
export const minPartSeconds = 0.1;

/** At most the limit, and within the sound if its length is known. Rounded to what the fields show. */
export function limitPart({ startSeconds, durationSeconds }: Clip, seconds: number | null): Clip {
  const end = seconds ?? Number.POSITIVE_INFINITY;
  const start = clamp(startSeconds, 0, Math.max(0, end - minPartSeconds));
  return {
    startSeconds: round(start),
    durationSeconds: round(
      clamp(durationSeconds, minPartSeconds, Math.min(maxSeconds, end - start)),
    ),
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}

/** Down, so that the part never ends after the sound. */
function round(seconds: number): number {
  return Math.floor(seconds * 10 + 1e-6) / 10;
}
