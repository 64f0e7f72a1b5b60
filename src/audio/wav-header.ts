/** The fields of a WAV's header, and the position of the samples. */
export type WavHeader = {
  /** RF64 and BW64: the sizes are in a chunk of their own. */
  isLarge: boolean;
  /** The format of the samples: 1 = PCM, 3 = float, 6 = A-law, 7 = µ-law; others are compressed. */
  formatTag: number;
  sampleRate: number;
  /** Bytes of one sample of all channels, also where the field of the file is wrong. */
  blockAlign: number;
  channels: number;
  /** Where the fields of the format begin. */
  formatAt: number;
  riffBytes: number;
  dataBytes: number;
  /** Where the samples begin; the four bytes before it are `dataBytes`. */
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
const byteRateAt = 8;
const blockAlignAt = 12;
const bitsAt = 14;

const maxBlockAlign = 0xffff;

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
  let format: WavFormat | 'incomplete' | null = null;
  for (let at = 12; at + 8 <= bytes.byteLength; at = nextChunk(view, at)) {
    const name = latin1(bytes, at, at + 4);
    if (name === 'fmt ') format = parseFormat(view, at + 8, view.getUint32(at + 4, true));
    if (name === 'data' && format === null) return null;
    if (name === 'data' && format !== null && format !== 'incomplete') {
      const isLarge = latin1(bytes, 0, 4) !== 'RIFF';
      const riffBytes = view.getUint32(4, true);
      const dataBytes = view.getUint32(at + 4, true);
      return { ...format, isLarge, riffBytes, dataBytes, dataAt: at + 8 };
    }
  }
  return 'incomplete';
}

/** Chunks begin at even positions. */
function nextChunk(view: DataView, at: number): number {
  const size = view.getUint32(at + 4, true);
  return at + 8 + size + (size % 2);
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

/** The beginning of the file with the real block align and byte rate. If they are correct already, it is returned unchanged. */
export function correctFormat(head: Uint8Array, header: WavHeader): Uint8Array {
  const { formatAt, sampleRate, blockAlign } = header;
  if (!isUncompressed(header)) return head;
  const corrected = Uint8Array.from(head);
  const view = new DataView(corrected.buffer);
  view.setUint16(formatAt + blockAlignAt, blockAlign, true);
  view.setUint32(formatAt + byteRateAt, sampleRate * blockAlign, true);
  return Buffer.compare(corrected, head) === 0 ? head : corrected;
}

/** The head for our decoder, which derives the length of a sample from its bits: 24 bits in four bytes become 32 bits. */
export function widenBits(
  head: Uint8Array,
  { formatAt, blockAlign, channels }: WavHeader,
): Uint8Array {
  const bits = (blockAlign / channels) * 8;
  const widened = Uint8Array.from(head);
  new DataView(widened.buffer).setUint16(formatAt + bitsAt, bits, true);
  return widened;
}

/**
 * The smallest placeholder that streaming writers use for an unknown size: 0xFFFFFFFF, 0x7FFFFFFF or 2,000,000,000,
 * each with or without the length of the header subtracted.
 */
const leastPlaceholder = 2_000_000_000 - 4_096;

/**
 * The size of the samples, from the header or, if it has a placeholder, from the length of the file.
 *
 * @param fileBytes null = unknown
 * @returns null if it depends on the unknown length of the file; `truncated` if the file ends before its samples do
 */
export function measureData(
  header: WavHeader,
  fileBytes: number | null,
): number | 'truncated' | null {
  const { dataBytes, dataAt, blockAlign } = header;
  const isPlaceholder = dataBytes === 0 || dataBytes >= leastPlaceholder;
  if (fileBytes === null) return isPlaceholder ? null : dataBytes;
  const available = fileBytes - dataAt;
  if (isPlaceholder && (dataBytes === 0 || dataBytes > available)) {
    return Math.max(0, available - (available % blockAlign));
  }
  return dataBytes > available ? 'truncated' : dataBytes;
}

/**
 * True if the header's size of the file is a placeholder, or ends before the samples do. Then it can be corrected only if the
 * length of the file is known.
 */
export function isRiffWrong(
  { riffBytes, dataAt }: WavHeader,
  { dataBytes, fileBytes }: { dataBytes: number; fileBytes: number | null },
): boolean {
  const samplesEnd = dataAt + dataBytes;
  const isTooLarge = fileBytes === null ? riffBytes >= leastPlaceholder : riffBytes + 8 > fileBytes;
  return isTooLarge || riffBytes + 8 < samplesEnd;
}

/**
 * The beginning of the file with the correct sizes in its header. If they are correct already, it is returned unchanged.
 *
 * @param fileBytes null = unknown: the size of the file in the header is not changed
 */
export function correctSizes(
  head: Uint8Array,
  header: WavHeader,
  sizes: { dataBytes: number; fileBytes: number | null },
): Uint8Array {
  const { dataBytes, fileBytes } = sizes;
  if (dataBytes === header.dataBytes && !isRiffWrong(header, sizes)) return head;
  const corrected = Uint8Array.from(head);
  const view = new DataView(corrected.buffer);
  view.setUint32(header.dataAt - 4, dataBytes, true);
  if (fileBytes !== null) view.setUint32(4, fileBytes - 8, true);
  return corrected;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('latin1');
}
