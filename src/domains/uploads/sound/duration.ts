import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { TagSkipper } from './tag-skipper.ts';

/** The largest single allocation of the parser. A tag or chunk can claim gigabytes; real covers and sample tables are smaller. */
const maxParserBytes = 8 * 1024 ** 2;
/** The total time an upload waits for its parser. Parsing is far faster than any network; this limits hostile files. */
const maxWaitMs = 5_000;

/** The parser for each of our content types. Other types get no duration: their parsers need the whole file. */
const parsable: ReadonlyMap<string, string> = new Map([
  ['audio/wav', 'audio/wav'],
  ['audio/mpeg', 'audio/mpeg'],
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
  /** Without the tags at the beginning of an MP3. */
  offeredBytes(): number;
  /** True if the whole file was parsed and has no frame of its type of sound. */
  hasNoSound(): boolean;
  stop(): void;
};

const nullProbe: DurationProbe = {
  offer: async () => undefined,
  finish: async () => null,
  offeredBytes: () => 0,
  hasNoSound: () => false,
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
  readonly #tags: TagSkipper | null;
  #isSilent = false;
  #offeredBytes = 0;
  #waitLeftMs = maxWaitMs;

  constructor(mimeType: string, size: number | null) {
    // The feed is destroyed to stop the parser; the error of that is expected.
    this.#feed.on('error', () => undefined);
    this.#tags = mimeType === 'audio/mpeg' ? new TagSkipper() : null;
    this.#result = parseDuration(this.#feed, { mimeType, ...sizeHint(mimeType, size) })
      .then((seconds) => {
        this.#isSilent = seconds === null;
        return seconds;
      })
      .catch(() => null)
      .finally(() => this.stop());
  }

  async offer(chunk: Uint8Array): Promise<void> {
    const part = this.#tags?.skip(chunk) ?? chunk;
    this.#offeredBytes += part.byteLength;
    if (part.byteLength === 0 || this.#feed.destroyed || this.#feed.write(part)) return;
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

  offeredBytes(): number {
    return this.#offeredBytes;
  }

  hasNoSound(): boolean {
    return this.#isSilent;
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

/**
 * With a size the parser stops at the fourth frame of an MP3 and extrapolates. Without one it counts all frames, which is
 * correct also for a variable bit rate or a header copied from another file.
 */
function sizeHint(mimeType: string, size: number | null): { size?: number } {
  return size === null || mimeType === 'audio/mpeg' ? {} : { size };
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
  // AAC behind a large tag looks like an MP3.
  if (fileInfo.mimeType === 'audio/mpeg' && format.container !== 'MPEG') return null;
  // A video without sound has a duration only in its tracks.
  const trackSeconds = (format.trackInfo ?? []).map((track) => track.duration ?? 0);
  const seconds = format.duration ?? Math.max(0, ...trackSeconds);
  return Number.isFinite(seconds) && seconds > 0 ? Math.round(seconds * 1000) / 1000 : null;
}
