import { setTimeout as delay } from 'node:timers/promises';
import { headBytes, maxUploadBytes } from './media-types.ts';
import { UploadRejection } from './rejection.ts';

/** Until the upstream is involved and its idle timeout applies, a client that takes longer has stalled. */
const headTimeoutMs = 30_000;

/**
 * A quarter of what a phone with a bad connection sends. A byte now and then restarts the upstream's idle timeout, and
 * would hold a slot of its owner for as long as the client likes. Only the time in which bytes of the client are awaited
 * counts.
 */
export const defaultMinRate = { bytes: 60_000, inMs: 30_000 };

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
  readonly #minRate: { bytes: number; inMs: number };
  readonly #maxBytes: number;
  /** Bytes received since the last check of the rate, and how long they were awaited. */
  #recentBytes = 0;
  #awaitedMs = 0;

  /** @param size in bytes, null = not announced */
  constructor(
    body: AsyncIterator<Uint8Array>,
    size: number | null,
    limits: { minRate?: typeof defaultMinRate | undefined; maxBytes?: number | undefined } = {},
  ) {
    this.#body = body;
    this.#size = size;
    this.#minRate = limits.minRate ?? defaultMinRate;
    this.#maxBytes = limits.maxBytes ?? maxUploadBytes;
  }

  /** Also true when the announced size has arrived but the end of the stream has not. */
  get isWhole(): boolean {
    return this.#isAtEnd || this.bytes === this.#size;
  }

  /** The next piece, or null after the last. */
  async next(): Promise<Uint8Array | null> {
    const startedAtMs = performance.now();
    const piece = await this.#readPiece();
    this.#checkRate(piece?.byteLength ?? 0, performance.now() - startedAtMs);
    this.bytes += piece?.byteLength ?? 0;
    this.#isAtEnd = piece === null;
    if (this.bytes > this.#maxBytes) throw UploadRejection.tooLarge(this.#maxBytes);
    if (this.#isAtEnd && this.bytes === 0) throw UploadRejection.empty();
    if (this.#size !== null && this.#differsFrom(this.#size)) {
      throw UploadRejection.wrongSize(this.#size);
    }
    return piece;
  }

  #checkRate(bytes: number, awaitedMs: number): void {
    this.#recentBytes += bytes;
    this.#awaitedMs += awaitedMs;
    if (this.#awaitedMs < this.#minRate.inMs) return;
    if (this.#recentBytes * this.#minRate.inMs < this.#minRate.bytes * this.#awaitedMs) {
      throw UploadRejection.stalled();
    }
    this.#recentBytes = 0;
    this.#awaitedMs = 0;
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

/**
 * The next piece, or null after the last, while nothing else watches the client.
 *
 * @throws {UploadRejection} also if the client has stalled, or when the signal aborts
 */
export async function nextInTime(
  body: IncomingBody,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
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
    return await Promise.race([body.next(), cutOff]);
  } finally {
    done.abort();
  }
}

/** At least this many bytes, or the whole of a shorter file. All of them must arrive in the time of one piece. */
export async function readHead(
  body: IncomingBody,
  signal: AbortSignal,
  { wanted = headBytes, got = [] }: { wanted?: number; got?: Uint8Array[] } = {},
): Promise<Uint8Array> {
  const pieces = [...got];
  const deadline = performance.now() + headTimeoutMs;
  while (body.bytes < wanted) {
    const piece = await nextInTime(body, signal);
    if (piece === null) break;
    pieces.push(piece);
    if (performance.now() > deadline) throw UploadRejection.stalled();
  }
  return Buffer.concat(pieces);
}
