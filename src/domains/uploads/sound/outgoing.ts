import {
  correctSizes,
  isUncompressed,
  measureData,
  parseWavHeader,
  type WavHeader,
} from '../../../audio/wav-header.ts';
import { type IncomingBody, readHead } from '../incoming-body.ts';
import type { MediaType } from '../media-types.ts';
import { UploadRejection } from '../rejection.ts';
import {
  type Clip,
  type Decoding,
  decodeSpool,
  fillSpool,
  isClipped,
  maxDecodedBytes,
  maxSoundSeconds,
  openSpool,
  readSpooled,
} from './decoding.ts';
import { type DurationProbe, startProbe } from './duration.ts';

/** What is sent to the upstream, and what is known about it after that. */
export type Outgoing = {
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** In bytes; undefined = unknown. */
  contentLength: number | undefined;
  /** Must be called after the body was sent. In seconds; null if the duration cannot be read. */
  readDuration(): Promise<number | null>;
  close(): Promise<void>;
};

export type Source = {
  head: Uint8Array;
  incoming: IncomingBody;
  signal: AbortSignal;
  /** Called for each piece that arrives, with the number of bytes so far. */
  onPiece?: ((receivedBytes: number) => void) | undefined;
  /** In bytes, as announced; null = not announced. */
  size: number | null;
  owner: string;
} & Clip;

/** The most bytes that a WAV may have before its samples. Writers put texts and pictures there. */
const maxWavHeadBytes = 4 * 1024 ** 2;

/**
 * The file in a form that the upstream accepts: unchanged, with corrected sizes, or decoded. @throws {UploadRejection}
 */
export async function prepareOutgoing(
  decoding: Decoding,
  media: MediaType,
  source: Source,
): Promise<Outgoing> {
  if (media.container !== null) return await sendDecoded(decoding, media, source);
  if (media.contentType === 'audio/wav') return await sendWav(decoding, source);
  if (isClipped(source)) return await sendDecoded(decoding, { container: 'OTHER' }, source);
  return sendAsItIs(media, source);
}

async function sendDecoded(
  decoding: Decoding,
  { container }: Pick<MediaType, 'container'>,
  source: Source,
): Promise<Outgoing> {
  const limit = { bytes: maxDecodedBytes, reject: UploadRejection.tooLargeToDecode };
  if (source.size !== null && source.size > limit.bytes) throw limit.reject();
  const spool = await openSpool(decoding, source.owner);
  try {
    await fillSpool(spool, { ...source, limit });
    const { signal } = source;
    const options = { container: container ?? 'OTHER', clip: source, signal } as const;
    const { durationSeconds, bytes } = await decodeSpool(decoding, spool, options);
    return {
      body: readSpooled(spool.outputPath),
      contentType: 'audio/wav',
      contentLength: bytes,
      readDuration: async () => durationSeconds,
      close: spool.close,
    };
  } catch (error) {
    await spool.close();
    throw error;
  }
}

async function sendWav(decoding: Decoding, source: Source): Promise<Outgoing> {
  const { head, header } = await readWavHead(source);
  const full = { ...source, head };
  if (!isUncompressed(header) || header.isLarge || isClipped(source)) {
    return await sendDecoded(decoding, { container: 'OTHER' }, full);
  }
  const dataBytes = measureData(header, source.size);
  if (dataBytes === null) return await sendStreamedWav(decoding, header, full);
  if (dataBytes === 'truncated' || dataBytes === 0) throw UploadRejection.undecodable();
  checkLength(secondsOf(header, dataBytes));
  const isCorrected = dataBytes !== header.dataBytes;
  const fileBytes = isCorrected ? header.dataAt + dataBytes : source.size;
  const sizes = { dataBytes, fileBytes };
  return {
    body: forwardWav({ ...full, head: correctSizes(head, header, sizes) }, header, sizes),
    contentType: 'audio/wav',
    contentLength: fileBytes ?? undefined,
    readDuration: async () => secondsOf(header, dataBytes),
    close: async () => undefined,
  };
}

/** Reads until the position of the samples is known. */
async function readWavHead({
  head,
  incoming,
  signal,
}: Source): Promise<{ head: Uint8Array; header: WavHeader }> {
  const header = parseWavHeader(head);
  if (header !== 'incomplete' && header !== null) return { head, header };
  const wanted = Math.min(head.byteLength * 2, maxWavHeadBytes);
  const more = await readHead(incoming, signal, { wanted, got: [head] });
  if (header === null || more.byteLength === head.byteLength) throw UploadRejection.undecodable();
  return await readWavHead({ head: more, incoming, signal } as Source);
}

/**
 * Sends a WAV with placeholders for its sizes, of a client that has not announced its length either: the file waits on disk
 * until its length is known. A sound of more than a minute can be rejected before the whole file has arrived.
 */
async function sendStreamedWav(
  decoding: Decoding,
  header: WavHeader,
  source: Source,
): Promise<Outgoing> {
  const bytes = header.dataAt + (maxSoundSeconds + 1) * header.sampleRate * header.blockAlign;
  const spool = await openSpool(decoding, source.owner);
  try {
    const fileBytes = await fillSpool(spool, {
      ...source,
      limit: { bytes: Math.min(bytes, maxDecodedBytes), reject: UploadRejection.tooLong },
    });
    const dataBytes = measureData(header, fileBytes);
    if (typeof dataBytes !== 'number' || dataBytes === 0) throw UploadRejection.undecodable();
    checkLength(secondsOf(header, dataBytes));
    const sizes = { dataBytes, fileBytes: header.dataAt + dataBytes };
    const head = correctSizes(source.head.subarray(0, header.dataAt), header, sizes);
    return {
      body: cutOff(headThenFile(head, spool.inputPath), sizes.fileBytes),
      contentType: 'audio/wav',
      contentLength: sizes.fileBytes,
      readDuration: async () => secondsOf(header, dataBytes),
      close: spool.close,
    };
  } catch (error) {
    await spool.close();
    throw error;
  }
}

async function* headThenFile(head: Uint8Array, path: string): AsyncGenerator<Uint8Array> {
  yield head;
  yield* readSpooled(path, head.byteLength);
}

function checkLength(seconds: number | null): void {
  if (seconds !== null && seconds > maxSoundSeconds) throw UploadRejection.tooLong();
}

function secondsOf({ sampleRate, blockAlign }: WavHeader, dataBytes: number): number {
  return Math.round((dataBytes / (sampleRate * blockAlign)) * 1000) / 1000;
}

/** Ends with an error, before the upstream has the whole file, if the samples end too early. */
async function* forwardWav(
  source: Source,
  { dataAt }: WavHeader,
  { dataBytes, fileBytes }: { dataBytes: number; fileBytes: number | null },
): AsyncGenerator<Uint8Array> {
  yield* cutOff(readPieces(source), fileBytes ?? Number.POSITIVE_INFINITY);
  if (source.incoming.bytes < dataAt + dataBytes) throw UploadRejection.undecodable();
}

/** Yields at most `maxBytes`. The rest, such as half a sample at the end, is read and dropped. */
async function* cutOff(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let left = maxBytes;
  for await (const piece of pieces) {
    if (left > 0) yield piece.byteLength > left ? piece.subarray(0, left) : piece;
    left -= piece.byteLength;
  }
}

async function* readPieces({ head, incoming, onPiece }: Source): AsyncGenerator<Uint8Array> {
  let piece: Uint8Array | null = head;
  while (piece !== null) {
    onPiece?.(incoming.bytes);
    yield piece;
    piece = await incoming.next();
  }
}

function sendAsItIs({ contentType }: MediaType, source: Source): Outgoing {
  const probe = startProbe(contentType, source.size);
  return {
    body:
      contentType === 'audio/mpeg'
        ? forwardMp3(source, probe)
        : forwardProbed(readPieces(source), probe),
    contentType,
    contentLength: source.size ?? undefined,
    readDuration: () => probe.finish(),
    close: async () => probe.stop(),
  };
}

/**
 * A minute at the highest bit rate has 2.4 MB. The rest is for tags at the end; those at the beginning are not counted.
 * So a longer sound is rejected long before it has arrived.
 */
const maxMp3Bytes = 20 * 1024 ** 2;

/**
 * The last piece is sent only after the frames were counted, so that the upstream gets no file that has no sound or is
 * too long.
 */
async function* forwardMp3(source: Source, probe: DurationProbe): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | null = null;
  for await (const piece of forwardProbed(readPieces(source), probe)) {
    if (held !== null) yield held;
    if (probe.offeredBytes() > maxMp3Bytes) throw UploadRejection.tooLong();
    held = piece;
  }
  checkLength(await probe.finish());
  if (probe.hasNoSound()) throw UploadRejection.undecodable();
  if (held !== null) yield held;
}

async function* forwardProbed(
  pieces: AsyncIterable<Uint8Array>,
  probe: DurationProbe,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    await probe.offer(piece);
    yield piece;
  }
}
