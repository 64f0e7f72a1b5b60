import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** What the parser may allocate at once. A tag or chunk may claim gigabytes; real covers and sample tables are below this. */
const maxParserBytes = 8 * 1024 ** 2;
/** How long an upload waits for its parser in all. Reading is far faster than any network; this is for hostile files. */
const patienceMs = 5_000;
/** An MP3 up to this size is counted frame by frame, which takes a second; a larger one is estimated from its bit rate. */
const maxCountedBytes = 64 * 1024 ** 2;

/** Which parser reads which of our content types. All others have no duration: their parsers would have to see everything. */
const parsable: ReadonlyMap<string, string> = new Map([
  ['audio/wav', 'audio/wav'],
  ['audio/mpeg', 'audio/mpeg'],
  ['video/mp4', 'audio/mp4'],
  ['video/quicktime', 'audio/mp4'],
  ['video/3gpp', 'audio/mp4'],
]);

/** Listens to a file that passes by, and learns how long it plays. It never fails and never holds it up for long. */
export type DurationProbe = {
  /** Waits while the parser is behind, within limits. */
  offer(chunk: Uint8Array): Promise<void>;
  /** Seconds; null where the file does not say or could not be read. */
  finish(): Promise<number | null>;
  stop(): void;
};

const deafProbe: DurationProbe = {
  offer: async () => undefined,
  finish: async () => null,
  stop: () => undefined,
};

/** @param size in bytes, null = not known yet */
export function startProbe(contentType: string, size: number | null): DurationProbe {
  const mimeType = parsable.get(contentType);
  return mimeType === undefined ? deafProbe : new ParserProbe(mimeType, size);
}

class ParserProbe implements DurationProbe {
  readonly #feed = new PassThrough();
  readonly #result: Promise<number | null>;
  readonly #over = new AbortController();
  #patienceLeftMs = patienceMs;

  constructor(mimeType: string, size: number | null) {
    // Destroying the feed is how the parser is stopped, and its error is nobody's.
    this.#feed.on('error', () => undefined);
    this.#result = parseDuration(this.#feed, { mimeType, ...sizeHint(mimeType, size) })
      .catch(() => null)
      .finally(() => this.stop());
  }

  async offer(chunk: Uint8Array): Promise<void> {
    if (this.#feed.destroyed || this.#feed.write(chunk)) return;
    const startedAt = performance.now();
    await this.#waitUntilDrained();
    this.#patienceLeftMs -= performance.now() - startedAt;
    if (this.#patienceLeftMs <= 0) this.stop();
  }

  async finish(): Promise<number | null> {
    if (!this.#feed.destroyed) this.#feed.end();
    const waiting = new AbortController();
    const tooLong = delay(Math.max(1, this.#patienceLeftMs), null, { signal: waiting.signal });
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
    const timer = setTimeout(resolve, this.#patienceLeftMs);
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
 * With a size the parser stops at the fourth frame of an MP3 and extrapolates. Without one it counts them all, which is right
 * also where the bit rate varies or the header was copied from another file.
 */
function sizeHint(mimeType: string, size: number | null): { size?: number } {
  if (size === null) return {};
  return mimeType === 'audio/mpeg' && size <= maxCountedBytes ? {} : { size };
}

async function parseDuration(
  feed: PassThrough,
  fileInfo: { mimeType: string; size?: number },
): Promise<number | null> {
  // Read when the first upload comes: a start is quicker without them.
  const [{ parseFromTokenizer }, { fromStream }] = await Promise.all([
    import('music-metadata'),
    import('strtok3'),
  ]);
  const tokenizer = await fromStream(feed, { maxBufferSize: maxParserBytes, fileInfo });
  const { format } = await parseFromTokenizer(tokenizer, { duration: true, skipCovers: true });
  // A film without sound has a duration only in its tracks.
  const inTracks = (format.trackInfo ?? []).map((track) => track.duration ?? 0);
  const seconds = format.duration ?? Math.max(0, ...inTracks);
  return Number.isFinite(seconds) && seconds > 0 ? Math.round(seconds * 1000) / 1000 : null;
}
