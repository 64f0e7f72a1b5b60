import type { Mp3Frame } from './mp3-frames.ts';

/**
 * In random bytes a header of one stream stands at one of 150,000 positions: 17 of its bits are fixed, and 14 of the 16 bit rates
 * have a length. A picture or compressed data in a tag has about as many.
 */
const bytesPerChance = (2 ** 17 * 16) / 14;

/** Of each stream this many are ignored. Chance exceeds both numbers together in fewer than one of 100,000 files. */
const ignoredPerChance = 2;
const ignoredFrames = 8;

type Found = { count: number; frameSeconds: number };

/**
 * Estimates the sound of single frames between other bytes: of each stream those that are more than chance explains. Frames that
 * overlap count once, because a decoder continues at the end of the frame that it has played.
 */
export class SingleFrames {
  readonly #streams = new Map<number, Found>();
  #endsAt = 0;
  #skippedBytes = 0;

  /** Must be called for bytes that belong to no counted frame, those of single frames included. */
  skip(bytes: number): void {
    this.#skippedBytes += bytes;
  }

  /** @param at its position in the file */
  add({ stream, seconds, bytes }: Mp3Frame, at: number): void {
    if (at < this.#endsAt) return;
    this.#endsAt = at + bytes;
    const { count } = this.#streams.get(stream) ?? { count: 0 };
    this.#streams.set(stream, { count: count + 1, frameSeconds: seconds });
  }

  get seconds(): number {
    const ignored = ignoredFrames + (this.#skippedBytes / bytesPerChance) * ignoredPerChance;
    return [...this.#streams.values()].reduce(
      (sum, { count, frameSeconds }) => sum + Math.max(0, count - ignored) * frameSeconds,
      0,
    );
  }
}
