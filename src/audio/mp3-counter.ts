import { isInfoFrame, type Mp3Frame, readFrame } from './mp3-frames.ts';
import { SingleFrames } from './mp3-single-frames.ts';

/** No frame is longer: 640 kbit/s, the most of the free format, at 32 kHz have 2,880 bytes. */
const maxFrameBytes = 4_096;

/** A frame is decided when it is here as a whole, with the header after it. */
const lookaheadBytes = maxFrameBytes + 4;

/** The shortest frame has 24 bytes: 8 kbit/s at 24 kHz. */
const minFrameBytes = 24;

/** A file made of headers of the free format would cost a search of 4 kB each. 20 MB of random bytes cost about a hundred. */
const maxFreeSearches = 2_000;

/**
 * Adds up the frames of an MP3 while it arrives, with 4 kB of memory. What encoders write before the frames about the whole file
 * is not trusted: it can be of only the first of several files that were joined. Bytes that are no frames, such as tags, are
 * passed over. After them a frame counts only if another one follows at its end, because a single header occurs in any bytes.
 * Decoders that search for the next header play single frames too, so they are counted apart.
 */
export class Mp3Counter {
  #pending: Uint8Array = new Uint8Array();
  /** The position of `#pending` in the file. */
  #pendingAt = 0;
  readonly #singles = new SingleFrames();
  /** Of the frame that ends at the current position; null if other bytes do. */
  #stream: number | null = null;
  /** The length of the last frame of the free format, without padding. */
  #freeBytes = 0;
  #freeSearches = 0;
  #hasFrames = false;
  #seconds = 0;
  #frameSeconds = 0;

  /** The sound of the frames so far; null if there is none, or it was made impossible to measure. */
  get seconds(): number | null {
    return this.#seconds === 0 || this.#freeSearches > maxFreeSearches ? null : this.#seconds;
  }

  /** The sound of frames that are surrounded by other bytes. It may be heard, and is not part of `seconds`. */
  get singleSeconds(): number {
    return this.#singles.seconds;
  }

  /** The silence that encoders add: up to two frames before the sound, and less than two to fill up the last one. */
  get maxPaddingSeconds(): number {
    return this.#frameSeconds * 4;
  }

  add(piece: Uint8Array): void {
    this.#walk(Buffer.concat([this.#pending, piece]), lookaheadBytes);
  }

  /** Must be called after the last piece. */
  end(): void {
    this.#walk(this.#pending, 0);
  }

  #walk(bytes: Uint8Array, lookahead: number): void {
    let at = 0;
    while (at < bytes.byteLength - lookahead) {
      const length = this.#takeFrame(bytes, at);
      if (length === 0) {
        this.#stream = null;
        const next = bytes.indexOf(0xff, at + 1);
        const end = next === -1 ? bytes.byteLength : next;
        this.#singles.skip(end - at);
        at = end;
      }
      at += length;
    }
    this.#pending = bytes.subarray(at);
    this.#pendingAt += at;
  }

  /** @returns the length of the frame that was counted; 0 if none is here */
  #takeFrame(bytes: Uint8Array, at: number): number {
    const frame = readFrame(bytes, at);
    if (frame === null) return 0;
    const length = frame.bytes > 0 ? frame.bytes : this.#findFreeLength(bytes, at, frame);
    const end = at + length;
    if (length === 0 || end > bytes.byteLength) return 0;
    const isFollowed = readFrame(bytes, end)?.stream === frame.stream;
    if (frame.stream !== this.#stream && !isFollowed) {
      this.#singles.add(frame, this.#pendingAt + at);
      return 0;
    }
    if (this.#hasFrames || !isInfoFrame(bytes, at)) this.#seconds += frame.seconds;
    this.#hasFrames = true;
    this.#frameSeconds = frame.seconds;
    this.#stream = frame.stream;
    return length;
  }

  /** The distance to the next header of the same stream. All frames of a stream in the free format have one length. */
  #findFreeLength(bytes: Uint8Array, at: number, { stream, padding }: Mp3Frame): number {
    if (stream === this.#stream) return this.#freeBytes + padding;
    this.#freeSearches += 1;
    if (this.#freeSearches > maxFreeSearches) return 0;
    const end = Math.min(bytes.byteLength, at + maxFrameBytes);
    let next = bytes.indexOf(0xff, at + minFrameBytes);
    while (next !== -1 && next < end && readFrame(bytes, next)?.stream !== stream) {
      next = bytes.indexOf(0xff, next + 1);
    }
    if (next === -1 || next >= end) return 0;
    this.#freeBytes = next - at - padding;
    return next - at;
  }
}
