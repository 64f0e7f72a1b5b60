/** The fields of a WAV's header, and the position of the samples. */
export type WavHeader = {
  /** RF64 and BW64: the sizes are in a chunk of their own. */
  isLarge: boolean;
  /** The format of the samples: 1 = PCM, 3 = float, 6 = A-law, 7 = µ-law; others are compressed. */
  formatTag: number;
  sampleRate: number;
  /** Bytes of one sample of all channels. */
  blockAlign: number;
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

type WavFormat = Pick<WavHeader, 'formatTag' | 'sampleRate' | 'blockAlign'>;

function parseFormat(view: DataView, at: number, size: number): WavFormat | 'incomplete' | null {
  if (size < 16) return null;
  if (at + Math.min(size, formatBytes) > view.byteLength) return 'incomplete';
  const tag = view.getUint16(at, true);
  const isExtensible = tag === extensibleTag && size >= subFormatAt + 2;
  const formatTag = isExtensible ? view.getUint16(at + subFormatAt, true) : tag;
  const sampleRate = view.getUint32(at + 4, true);
  const blockAlign = view.getUint16(at + 12, true);
  const channels = view.getUint16(at + 2, true);
  const sampleBytes = oneByteTags.has(formatTag) ? 1 : Math.ceil(view.getUint16(at + 14, true) / 8);
  const isPossible = channels > 0 && sampleRate > 0 && blockAlign > 0;
  // Readers differ in which of the fields they believe, and so in the length of the sound.
  const isConsistent = !pcmTags.has(formatTag) || blockAlign === channels * sampleBytes;
  return isPossible && isConsistent ? { formatTag, sampleRate, blockAlign } : null;
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
