import { type IncomingBody, nextInTime, readHead } from '../incoming-body.ts';
import { detectMediaType, headBytes, type MediaType, type OtherType } from '../media-types.ts';
import type { Upload } from '../store.ts';
import { TagSkipper } from './tag-skipper.ts';

/** Tags are read up to this size to find the sound behind them. Almost all covers are smaller. */
const maxTagBytes = 4 * 1024 ** 2;

/** What follows the tags is searched this far for the first frame of an MP3. */
const searchBytes = 64 * 1024;

type Recognised = {
  media: MediaType | OtherType;
  /** The beginning of the file, without what decoders need not read. */
  head: Uint8Array;
};

type Arriving = {
  incoming: IncomingBody;
  signal: AbortSignal;
  onPiece?: ((receivedBytes: number) => void) | undefined;
};

/**
 * Reads the beginning of a file until its type is known. file-type takes every file with a tag that is longer than
 * `headBytes` for an MP3, and does not know an MP3 whose first frame comes later than that.
 *
 * @throws {UploadRejection} if the client stalls or leaves
 */
export async function recogniseFile(
  { kind, contentType }: Pick<Upload, 'kind' | 'contentType'>,
  arriving: Arriving,
): Promise<Recognised> {
  const head = await readHead(arriving.incoming, arriving.signal);
  const beginning = head.subarray(0, headBytes);
  const detect = (bytes: Uint8Array) => detectMediaType(kind, bytes, contentType);
  const media = await detect(beginning);
  const isHidden =
    kind === 'AUDIO' &&
    ('found' in media
      ? media.found === null && (isTagged(beginning) || beginning[0] === 0)
      : media.contentType === 'audio/mpeg' && isOnlyTag(beginning));
  return isHidden ? await lookBehindTags({ media, head }, arriving, detect) : { media, head };
}

/**
 * Without tags and zeros the type is known. An MP3 is forwarded with its tags; of others only the sound is decoded, as of an
 * MP3 with other bytes before its first frame.
 */
async function lookBehindTags(
  { media, head }: Recognised,
  arriving: Arriving,
  detect: (bytes: Uint8Array) => Promise<MediaType | OtherType>,
): Promise<Recognised> {
  const isUnknown = 'found' in media;
  const wanted = isUnknown ? searchBytes : headBytes;
  const { all, rest } = await readBehindTags(head, wanted, arriving);
  const sound = isUnknown ? rest.subarray(countZeros(rest)) : rest;
  const found = await detect(sound);
  if ('found' in found) return { media, head: all };
  const isMp3 = found.contentType === 'audio/mpeg';
  // Whether its frames are complete, is decided when they are counted.
  if (isMp3 && !isUnknown) return { media, head: all };
  const beginsWithFrame = found.container === null && sound.byteLength === rest.byteLength;
  if (isMp3 && beginsWithFrame) return { media: found, head: all };
  return { media: { ...found, container: found.container ?? 'OTHER' }, head: sound };
}

/** Reads on until as many bytes follow the tags, and at most up to the end of the file or the limit for tags. */
async function readBehindTags(
  head: Uint8Array,
  wanted: number,
  { incoming, signal, onPiece }: Arriving,
): Promise<{ all: Uint8Array; rest: Uint8Array }> {
  const tags = new TagSkipper();
  const pieces = [head];
  const behind = [tags.skip(head)];
  let left = wanted - (behind[0]?.byteLength ?? 0);
  while (left > 0 && incoming.bytes < maxTagBytes) {
    const piece = await nextInTime(incoming, signal);
    if (piece === null) break;
    onPiece?.(incoming.bytes);
    pieces.push(piece);
    const part = tags.skip(piece);
    behind.push(part);
    left -= part.byteLength;
  }
  return { all: Buffer.concat(pieces), rest: Buffer.concat(behind) };
}

function isTagged(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 3)).toString('latin1') === 'ID3';
}

function isOnlyTag(bytes: Uint8Array): boolean {
  return isTagged(bytes) && new TagSkipper().skip(bytes).byteLength === 0;
}

function countZeros(bytes: Uint8Array): number {
  const at = bytes.findIndex((byte) => byte !== 0);
  return at === -1 ? bytes.byteLength : at;
}
