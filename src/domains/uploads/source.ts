import { setTimeout as delay } from 'node:timers/promises';
import { headBytes, maxUploadBytes } from './inspect.ts';
import {
  refuseEmpty,
  refuseInterrupted,
  refuseSize,
  refuseStalled,
  refuseTooLarge,
} from './refusal.ts';

/** A client that sends nothing for this long before the upstream is involved has gone to sleep. */
const headTimeoutMs = 30_000;

/**
 * The client's bytes, counted. Throws a `Refusal` as soon as they are too many or too few. The body is never closed:
 * what is left of it belongs to whoever brought it.
 */
export class Source {
  bytes = 0;
  /** Its client has left. */
  isBroken = false;
  /** Its client is to send now: who stalls, stalls here. */
  isWaiting = false;
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #size: number | null;
  #isAtEnd = false;

  /** @param size in bytes, null = not told */
  constructor(body: AsyncIterator<Uint8Array>, size: number | null) {
    this.#body = body;
    this.#size = size;
  }

  /** Also where the size was told and reached and the end itself has yet to come. */
  get isWhole(): boolean {
    return this.#isAtEnd || this.bytes === this.#size;
  }

  /** The next piece, or null after the last. */
  async next(): Promise<Uint8Array | null> {
    const piece = await this.#take();
    this.bytes += piece?.byteLength ?? 0;
    this.#isAtEnd = piece === null;
    if (this.bytes > maxUploadBytes) throw refuseTooLarge();
    if (this.#isAtEnd && this.bytes === 0) throw refuseEmpty();
    if (this.#size !== null && this.#isOff(this.#size)) throw refuseSize(this.#size);
    return piece;
  }

  #isOff(size: number): boolean {
    return this.bytes > size || (this.#isAtEnd && this.bytes < size);
  }

  async #take(): Promise<Uint8Array | null> {
    this.isWaiting = true;
    try {
      const { done, value } = await this.#body.next();
      return done === true ? null : value;
    } catch {
      this.isBroken = true;
      throw refuseInterrupted('CLIENT_LEFT');
    } finally {
      this.isWaiting = false;
    }
  }
}

/** At least `headBytes`, or all there is. */
export async function readHead(source: Source, signal: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const done = new AbortController();
  const timer = delay(headTimeoutMs, undefined, {
    signal: AbortSignal.any([signal, done.signal]),
  });
  const cutOff = timer.then(
    () => Promise.reject(refuseStalled()),
    () => Promise.reject(refuseInterrupted(signal.reason)),
  );
  cutOff.catch(() => undefined);
  try {
    while (source.bytes < headBytes) {
      const piece = await Promise.race([source.next(), cutOff]);
      if (piece === null) break;
      pieces.push(piece);
    }
  } finally {
    done.abort();
  }
  return Buffer.concat(pieces);
}
