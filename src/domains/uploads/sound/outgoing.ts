import { isUncompressed, parseWavHeader, type WavHeader } from '../../../audio/wav-header.ts';
import {
  correctFormat,
  correctSizes,
  createPlainHead,
  createSilence,
  isRiffWrong,
  isSlightlyTooLarge,
  measureData,
} from '../../../audio/wav-repair.ts';
import { readHead } from '../incoming-body.ts';
import type { MediaType } from '../media-types.ts';
import { UploadRejection } from '../rejection.ts';
import {
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
import { sendMp3 } from './mp3.ts';
import { type Outgoing, readPieces, type Source } from './source.ts';

/** The most bytes that a WAV may have before its samples. Writers put texts and pictures there. */
const maxWavHeadBytes = 4 * 1024 ** 2;

/**
 * The file in a form that the upstream accepts: unchanged, with a corrected header, or decoded. @throws {UploadRejection}
 */
export async function prepareOutgoing(
  decoding: Decoding,
  media: MediaType,
  source: Source,
): Promise<Outgoing> {
  if (media.container !== null) return await sendDecoded(decoding, media, source);
  if (media.contentType === 'audio/wav') return await sendWav(decoding, source);
  if (isClipped(source)) return await sendDecoded(decoding, { container: 'OTHER' }, source);
  return media.contentType === 'audio/mpeg' ? sendMp3(source) : sendAsItIs(media, source);
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
  const { head: received, header } = await readWavHead(source);
  const head = correctFormat(received, header);
  const full = { ...source, head };
  if (!isUncompressed(header)) return await sendDecoded(decoding, { container: 'OTHER' }, full);
  if (header.isLarge || header.isUnpadded || isClipped(source)) {
    const decodable = { ...full, head: createPlainHead(head, header) };
    return await sendDecoded(decoding, { container: 'OTHER' }, decodable);
  }
  const dataBytes = measureData(header, source.size);
  if (dataBytes === null) return await sendStreamedWav(decoding, header, full);
  if (dataBytes === 'truncated' || dataBytes === 0) throw UploadRejection.undecodable();
  checkLength(secondsOf(header, dataBytes));
  // Without its length the file ends with the samples, so that its size is known before the first byte is sent.
  const isCut =
    dataBytes !== header.dataBytes ||
    (source.size === null && isRiffWrong(header, { dataBytes, fileBytes: null }));
  const fileBytes = isCut ? header.dataAt + dataBytes : source.size;
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

function checkLength(seconds: number): void {
  if (seconds > maxSoundSeconds) throw UploadRejection.tooLong();
}

function secondsOf({ sampleRate, blockAlign }: WavHeader, dataBytes: number): number {
  return Math.round((dataBytes / (sampleRate * blockAlign)) * 1000) / 1000;
}

/**
 * Ends with an error, before the upstream has the whole file, if the samples end too early. If only a few are missing, silence
 * takes their place, because the upstream has the header already.
 */
async function* forwardWav(
  source: Source,
  header: WavHeader,
  { dataBytes, fileBytes }: { dataBytes: number; fileBytes: number | null },
): AsyncGenerator<Uint8Array> {
  yield* cutOff(readPieces(source), fileBytes ?? Number.POSITIVE_INFINITY);
  const available = source.incoming.bytes - header.dataAt;
  if (available >= dataBytes) return;
  if (!isSlightlyTooLarge(header, available)) throw UploadRejection.undecodable();
  yield createSilence(header, dataBytes - available);
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

function sendAsItIs({ contentType }: MediaType, source: Source): Outgoing {
  const probe = startProbe(contentType, source.size);
  return {
    body: forwardProbed(readPieces(source), probe),
    contentType,
    contentLength: source.size ?? undefined,
    readDuration: () => probe.finish(),
    close: async () => probe.stop(),
  };
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
