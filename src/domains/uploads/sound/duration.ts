import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** The largest single allocation of the parser. A tag or chunk can claim gigabytes; real covers and sample tables are smaller. */
const maxParserBytes = 8 * 1024 ** 2;
/** The total time an upload waits for its parser. Parsing is far faster than any network; this limits hostile files. */
const maxWaitMs = 5_000;

/**
 * The parser for each of our content types. Other types get no duration: their parsers need the whole file. The parser of MP3
 * believes a header that can be of another file, so MP3 has a counter of its own.
 */
const parsable: ReadonlyMap<string, string> = new Map([
  ['audio/wav', 'audio/wav'],
  ['video/mp4', 'audio/mp4'],
  ['video/quicktime', 'audio/mp4'],
  ['video/3gpp', 'audio/mp4'],
]);

/** Reads the duration of a file while it is forwarded. Never throws, and delays the file by `maxWaitMs` at most. */
export type DurationProbe = {
  /** Waits while the parser is behind, up to the limit. */
  offer(chunk: Uint8Array): Promise<void>;
  /** Seconds; null if the file has no readable duration. Can be called again. */
  finish(): Promise<number | null>;
  stop(): void;
};

const nullProbe: DurationProbe = {
  offer: async () => undefined,
  finish: async () => null,
  stop: () => undefined,
};

/** @param size in bytes, null = unknown */
export function startProbe(contentType: string, size: number | null): DurationProbe {
  const mimeType = parsable.get(contentType);
  return mimeType === undefined ? nullProbe : new ParserProbe(mimeType, size);
}

class ParserProbe implements DurationProbe {
  readonly #feed = new PassThrough();
  readonly #result: Promise<number | null>;
  readonly #over = new AbortController();
  #waitLeftMs = maxWaitMs;

  constructor(mimeType: string, size: number | null) {
    // The feed is destroyed to stop the parser; the error of that is expected.
    this.#feed.on('error', () => undefined);
    const fileInfo = size === null ? { mimeType } : { mimeType, size };
    this.#result = parseDuration(this.#feed, fileInfo)
      .catch(() => null)
      .finally(() => this.stop());
  }

  async offer(chunk: Uint8Array): Promise<void> {
    if (this.#feed.destroyed || this.#feed.write(chunk)) return;
    const startedAt = performance.now();
    await this.#waitUntilDrained();
    this.#waitLeftMs -= performance.now() - startedAt;
    if (this.#waitLeftMs <= 0) this.stop();
  }

  async finish(): Promise<number | null> {
    if (!this.#feed.destroyed) this.#feed.end();
    const waiting = new AbortController();
    const tooLong = delay(Math.max(1, this.#waitLeftMs), null, { signal: waiting.signal });
    try {
      return await Promise.race([this.#result, tooLong]);
    } finally {
      waiting.abort();
      tooLong.catch(() => undefined);
      this.stop();
    }
  }

  stop(): void {
    this.#feed.destroy();
    this.#over.abort();
  }

  #waitUntilDrained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#waitLeftMs);
    const done = () => resolve();
    this.#feed.once('drain', done);
    this.#over.signal.addEventListener('abort', done, { once: true });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#feed.off('drain', done);
      this.#over.signal.removeEventListener('abort', done);
    });
  }
}

async function parseDuration(
  feed: PassThrough,
  fileInfo: { mimeType: string; size?: number },
): Promise<number | null> {
  // Loaded lazily: the server starts faster without them.
  const [{ parseFromTokenizer }, { fromStream }] = await Promise.all([
    import('music-metadata'),
    import('strtok3'),
  ]);
  const tokenizer = await fromStream(feed, { maxBufferSize: maxParserBytes, fileInfo });
  const { format } = await parseFromTokenizer(tokenizer, { duration: true, skipCovers: true });
  // A video without sound has a duration only in its tracks.
  const trackSeconds = (format.trackInfo ?? []).map((track) => track.duration ?? 0);
  const seconds = format.duration ?? Math.max(0, ...trackSeconds);
  return Number.isFinite(seconds) && seconds > 0 ? Math.round(seconds * 1000) / 1000 : null;
}
