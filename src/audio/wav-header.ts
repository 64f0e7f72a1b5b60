/** The fields of a WAV's header, and the position of the samples. */
export type WavHeader = {
  /** RF64 and BW64: the sizes are in a chunk of their own. */
  isLarge: boolean;
  /** A chunk of an odd length before the samples lacks the byte that fills it up, so that few readers find the next one. */
  isUnpadded: boolean;
  /** The format of the samples: 1 = PCM, 3 = float, 6 = A-law, 7 = µ-law; others are compressed. */
  formatTag: number;
  sampleRate: number;
  /** Bytes of one sample of all channels, also where the field of the file is wrong. */
  blockAlign: number;
  channels: number;
  /** Where the fields of the format begin. */
  formatAt: number;
  riffBytes: number;
  /** Of a large file, it is from the chunk for sizes. */
  dataBytes: number;
  /** Where the samples begin; the four bytes before it are `dataBytes`, except of a large file. */
  dataAt: number;
};

const pcmTags: ReadonlySet<number> = new Set([1, 3, 6, 7]);
/** A-law and µ-law. Some writers give the bits of the decoded samples instead of 8. */
const oneByteTags: ReadonlySet<number> = new Set([6, 7]);
const extensibleTag = 0xfffe;

/** The length of WAVE_FORMAT_EXTENSIBLE, the longest form of the chunk `fmt `. */
const formatBytes = 40;

/** The position of the format tag in WAVE_FORMAT_EXTENSIBLE, where it is the first part of a GUID. */
const subFormatAt = 24;

/** The positions of other fields in the format. */
const channelsAt = 2;
const sampleRateAt = 4;
export const byteRateAt = 8;
export const blockAlignAt = 12;
const bitsAt = 14;

const maxBlockAlign = 0xffff;

/** Of the samples in an RF64 and BW64, whose size is in another chunk. */
const unknownSize = 0xffffffff;

const chunkName = /^[\x20-\x7e]{4}$/;
const knownChunks: ReadonlySet<string> = new Set([
  'fmt ',
  'data',
  'LIST',
  'JUNK',
  'fact',
  'bext',
  'id3 ',
  'iXML',
  'cue ',
  'smpl',
  'PEAK',
]);

/** Some writers put samples of 24 bits into four bytes each. */
const wideBits = 24;
const wideBytes = 4;

/** Samples that every decoder reads without a codec. */
export function isUncompressed({ formatTag }: WavHeader): boolean {
  return pcmTags.has(formatTag);
}

/** True if the bytes begin like a WAV, also one that is larger than 4 GB. */
export function isWav(bytes: Uint8Array): boolean {
  const text = latin1(bytes, 0, 12);
  return /^(RIFF|RF64|BW64)/.test(text) && text.endsWith('WAVE');
}

/**
 * Parses the header of a WAV. No library that is used here reports the positions of the sizes, which are needed to
 * correct the sizes of a file while it is streamed.
 *
 * @returns `incomplete` if more bytes are needed to find the samples; null if the bytes are not a WAV, or its fields contradict
 * each other
 */
export function parseWavHeader(bytes: Uint8Array): WavHeader | 'incomplete' | null {
  if (!isWav(bytes)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLarge = latin1(bytes, 0, 4) !== 'RIFF';
  let format: WavFormat | 'incomplete' | null = null;
  let largeBytes = 0;
  for (const { name, at, size, isUnpadded } of walkChunks(bytes, view)) {
    if (name === 'fmt ') format = parseFormat(view, at, size);
    if (name === 'ds64') largeBytes = readLargeBytes(view, at);
    if (name === 'data') {
      const dataBytes = isLarge && size === unknownSize ? largeBytes : size;
      const sizes = { riffBytes: view.getUint32(4, true), dataBytes, dataAt: at };
      return addSizes(format, { isLarge, isUnpadded, ...sizes });
    }
  }
  return 'incomplete';
}

function addSizes(
  format: WavFormat | 'incomplete' | null,
  sizes: Omit<WavHeader, keyof WavFormat>,
): WavHeader | 'incomplete' | null {
  return format === null || format === 'incomplete' ? format : { ...format, ...sizes };
}

/** The content of a chunk. `isUnpadded` is of the chunks before it. */
type Chunk = { name: string; at: number; size: number; isUnpadded: boolean };

function* walkChunks(bytes: Uint8Array, view: DataView): Generator<Chunk> {
  let isUnpadded = false;
  for (let at = 12; at + 8 <= bytes.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    yield { name: latin1(bytes, at, at + 4), at: at + 8, size, isUnpadded };
    const end = at + 8 + size;
    const lacksPadding = size % 2 === 1 && isNextChunk(bytes, end);
    isUnpadded ||= lacksPadding;
    at = lacksPadding ? end : end + (size % 2);
  }
}

/** The size of the samples in the chunk of sizes, of 64 bits. Files of more than 4 GB are not decoded. */
function readLargeBytes(view: DataView, at: number): number {
  return at + 16 <= view.byteLength ? Number(view.getBigUint64(at + 8, true)) : 0;
}

/**
 * True if the next chunk begins here, and not at the next even position, where chunks have to begin. The name of a chunk consists
 * of printable characters; the byte that fills up a chunk is usually zero.
 */
function isNextChunk(bytes: Uint8Array, at: number): boolean {
  const [name, padded] = [latin1(bytes, at, at + 4), latin1(bytes, at + 1, at + 5)];
  if (padded.length < 4 || !chunkName.test(name)) return false;
  return knownChunks.has(name) || !chunkName.test(padded);
}

type WavFormat = Pick<
  WavHeader,
  'formatTag' | 'sampleRate' | 'blockAlign' | 'channels' | 'formatAt'
>;

function parseFormat(view: DataView, at: number, size: number): WavFormat | 'incomplete' | null {
  if (size < 16) return null;
  if (at + Math.min(size, formatBytes) > view.byteLength) return 'incomplete';
  const tag = view.getUint16(at, true);
  const isExtensible = tag === extensibleTag && size >= subFormatAt + 2;
  const formatTag = isExtensible ? view.getUint16(at + subFormatAt, true) : tag;
  const channels = view.getUint16(at + channelsAt, true);
  const sampleRate = view.getUint32(at + sampleRateAt, true);
  if (channels === 0 || sampleRate === 0) return null;
  const fields = {
    channels,
    sampleRate,
    byteRate: view.getUint32(at + byteRateAt, true),
    blockAlign: view.getUint16(at + blockAlignAt, true),
    bits: oneByteTags.has(formatTag) ? 8 : view.getUint16(at + bitsAt, true),
  };
  const blockAlign = pcmTags.has(formatTag) ? findBlockAlign(fields) : fields.blockAlign;
  return blockAlign > 0 ? { formatTag, sampleRate, blockAlign, channels, formatAt: at } : null;
}

/**
 * The block align of samples without a codec. Readers differ in which of the fields they believe, and so in the length of the
 * sound: the bits must agree with at least one other field. A code snippet that many Android recorders copied writes the block
 * align of stereo for mono too, with a correct byte rate. Other writers have a wrong byte rate.
 *
 * @returns 0 if the fields contradict each other
 */
function findBlockAlign({
  channels,
  sampleRate,
  byteRate,
  blockAlign,
  bits,
}: Record<'channels' | 'sampleRate' | 'byteRate' | 'blockAlign' | 'bits', number>): number {
  const expected = channels * Math.ceil(bits / 8);
  if (expected > maxBlockAlign) return 0;
  if (byteRate === sampleRate * expected || blockAlign === expected) return expected;
  const wide = channels * wideBytes;
  const isWide = bits === wideBits && blockAlign === wide && byteRate === sampleRate * wide;
  return isWide ? wide : 0;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('latin1');
}
