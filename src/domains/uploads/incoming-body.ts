import { setTimeout as delay } from 'node:timers/promises';
import { headBytes, maxUploadBytes } from './media-types.ts';
import { UploadRejection } from './rejection.ts';

/** Until the upstream is involved and its idle timeout applies, a client that takes longer for the head has stalled. */
const headTimeoutMs = 30_000;

/**
 * The client's bytes, counted. Throws an `UploadRejection` as soon as there are too many or too few. The body is never
 * closed: its rest belongs to the caller of this slice.
 */
export class IncomingBody {
  bytes = 0;
  /** The client's connection has ended. */
  isBroken = false;
  /** Bytes of the client are awaited, so a timeout now is the client's. */
  isWaiting = false;
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #size: number | null;
  #isAtEnd = false;

  /** @param size in bytes, null = not announced */
  constructor(body: AsyncIterator<Uint8Array>, size: number | null) {
    this.#body = body;
    this.#size = size;
  }

  /** Also true when the announced size has arrived but the end of the stream has not. */
  get isWhole(): boolean {
    return this.#isAtEnd || this.bytes === this.#size;
  }

  /** The next piece, or null after the last. */
  async next(): Promise<Uint8Array | null> {
    const piece = await this.#readPiece();
    this.bytes += piece?.byteLength ?? 0;
    this.#isAtEnd = piece === null;
    if (this.bytes > maxUploadBytes) throw UploadRejection.tooLarge();
    if (this.#isAtEnd && this.bytes === 0) throw UploadRejection.empty();
    if (this.#size !== null && this.#differsFrom(this.#size)) {
      throw UploadRejection.wrongSize(this.#size);
    }
    return piece;
  }

  #differsFrom(size: number): boolean {
    return this.bytes > size || (this.#isAtEnd && this.bytes < size);
  }

  async #readPiece(): Promise<Uint8Array | null> {
    this.isWaiting = true;
    try {
      const { done, value } = await this.#body.next();
      return done === true ? null : value;
    } catch {
      this.isBroken = true;
      throw UploadRejection.interrupted('CLIENT_LEFT');
    } finally {
      this.isWaiting = false;
    }
  }
}

/** At least `headBytes`, or the whole of a shorter file. */
export async function readHead(body: IncomingBody, signal: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const done = new AbortController();
  const timer = delay(headTimeoutMs, undefined, {
    signal: AbortSignal.any([signal, done.signal]),
  });
  const cutOff = timer.then(
    () => Promise.reject(UploadRejection.stalled()),
    () => Promise.reject(UploadRejection.interrupted(signal.reason)),
  );
  cutOff.catch(() => undefined);
  try {
    while (body.bytes < headBytes) {
      const piece = await Promise.race([body.next(), cutOff]);
      if (piece === null) break;
      pieces.push(piece);
    }
  } finally {
    done.abort();
  }
  return Buffer.concat(pieces);
}
