import { type FileHandle, open } from 'node:fs/promises';

/** Samples of one channel each, all of the same length, from -1 to 1. */
export type Planes = readonly Float32Array[];

export type SoundWindow = {
  /** Where the written sound begins, in seconds of the source. */
  startSeconds: number;
  /** The most that is written. */
  maxSeconds: number;
  /** True: the rest of a longer source is cut off. False: a longer source is an error. */
  isCut: boolean;
};

/** Encoders fill the last frame, so a sound of 60 seconds can decode to slightly more. This much is cut off silently. */
export const maxPaddingSeconds = 0.1;

const headerBytes = 44;

export class TooLongSound extends Error {}

/** The window begins after the end of the sound. */
export class EmptyClip extends Error {}

export class UnreadableSound extends Error {}

/** Writes a part of a sound as a WAV file of 16 bits. More than two channels become one. */
export class WavWriter {
  readonly #file: FileHandle;
  readonly #window: SoundWindow;
  #rate = 0;
  #channels = 0;
  /** Frames before the window that are still to be skipped. */
  #skip = 0;
  #written = 0;
  #excess = 0;
  /** Where the current part begins and ends, in seconds of the source. */
  #partAt = 0;
  #partEnd = 0;

  private constructor(file: FileHandle, window: SoundWindow) {
    this.#file = file;
    this.#window = window;
  }

  static async create(path: string, window: SoundWindow): Promise<WavWriter> {
    return new WavWriter(await open(path, 'w'), window);
  }

  get durationSeconds(): number {
    return this.#rate === 0 ? 0 : this.#written / this.#rate;
  }

  /** True if the window is full and the rest of the source is cut off. */
  get isFull(): boolean {
    return this.#window.isCut && this.#excess > 0;
  }

  /**
   * Begins the next part of the source, which can consist of several files.
   *
   * @returns where in the part the window begins, in seconds; null if the part ends before the window
   */
  beginPart(durationSeconds: number): number | null {
    this.#partAt = this.#partEnd;
    this.#partEnd += durationSeconds;
    const { startSeconds } = this.#window;
    const isBefore = startSeconds > 0 && this.#partEnd <= startSeconds;
    return isBefore ? null : Math.max(0, startSeconds - this.#partAt);
  }

  /**
   * @param atSeconds where the first samples are in the part; later calls continue from there
   * @returns false once `isFull`
   */
  async write(planes: Planes, rate: number, atSeconds = 0): Promise<boolean> {
    const frames = planes[0]?.length ?? 0;
    if (frames === 0) return true;
    const mixed = planes.length > 2 ? [mixToMono(planes)] : planes;
    this.#begin(mixed.length, rate, atSeconds);
    const skipped = Math.min(this.#skip, frames);
    this.#skip -= skipped;
    const room = Math.round(this.#window.maxSeconds * rate) - this.#written;
    const taken = Math.min(frames - skipped, room);
    await this.#append(mixed, skipped, taken);
    this.#excess += frames - skipped - taken;
    if (this.#window.isCut) return !this.isFull;
    if (this.#excess > maxPaddingSeconds * rate) throw new TooLongSound();
    return true;
  }

  /** Completes the header. @throws {EmptyClip} {UnreadableSound} if nothing was written */
  async finish(): Promise<void> {
    if (this.#written === 0) {
      throw this.#rate > 0 || this.#partEnd > 0 ? new EmptyClip() : new UnreadableSound();
    }
    const dataBytes = this.#written * this.#channels * 2;
    await this.#file.write(
      createWavHeader(this.#rate, this.#channels, dataBytes),
      0,
      headerBytes,
      0,
    );
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #begin(channels: number, rate: number, atSeconds: number): void {
    if (this.#rate === 0) {
      if (!(rate >= 1_000 && rate <= 384_000)) throw new UnreadableSound();
      this.#rate = rate;
      this.#channels = channels;
      const at = this.#partAt + atSeconds;
      this.#skip = Math.max(0, Math.round((this.#window.startSeconds - at) * rate));
    } else if (rate !== this.#rate || channels !== this.#channels) {
      throw new UnreadableSound();
    }
  }

  async #append(planes: Planes, from: number, frames: number): Promise<void> {
    if (frames <= 0) return;
    const samples = new Int16Array(frames * planes.length);
    planes.forEach((plane, channel) => {
      for (let at = 0; at < frames; at += 1) {
        const value = Math.max(-1, Math.min(1, plane[from + at] ?? 0));
        samples[at * planes.length + channel] = Math.round(value * 32_767);
      }
    });
    const position = headerBytes + this.#written * planes.length * 2;
    await this.#file.write(new Uint8Array(samples.buffer), 0, samples.byteLength, position);
    this.#written += frames;
  }
}

function mixToMono(planes: Planes): Float32Array {
  const mono = new Float32Array(planes[0]?.length ?? 0);
  for (const plane of planes) {
    for (let at = 0; at < mono.length; at += 1) {
      mono[at] = (mono[at] ?? 0) + (plane[at] ?? 0) / planes.length;
    }
  }
  return mono;
}

function createWavHeader(rate: number, channels: number, dataBytes: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(dataBytes + headerBytes - 8, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * channels * 2, 28);
  header.writeUInt16LE(channels * 2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
