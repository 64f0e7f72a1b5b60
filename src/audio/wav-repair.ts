import { blockAlignAt, byteRateAt, isUncompressed, type WavHeader } from './wav-header.ts';

const plainHeadBytes = 44;
const unknownSize = 0xffffffff;

/** The sample of 8 bits without sound, by the format of the samples: PCM, A-law and µ-law. Longer samples are zero. */
const silentBytes: ReadonlyMap<number, number> = new Map([
  [1, 0x80],
  [6, 0xd5],
  [7, 0xff],
]);

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

/**
 * The head for our decoder, whose sizes are those of the file or unknown, in the layout that every reader knows. The decoder
 * derives the length of a sample from its bits: 24 bits in four bytes become 32 bits.
 */
export function createPlainHead(head: Uint8Array, header: WavHeader): Uint8Array {
  const { formatTag, sampleRate, blockAlign, channels, dataBytes, dataAt } = header;
  const plain = Buffer.alloc(plainHeadBytes);
  plain.write('RIFF', 0, 'latin1');
  plain.writeUInt32LE(unknownSize, 4);
  plain.write('WAVEfmt ', 8, 'latin1');
  plain.writeUInt32LE(16, 16);
  plain.writeUInt16LE(formatTag, 20);
  plain.writeUInt16LE(channels, 22);
  plain.writeUInt32LE(sampleRate, 24);
  plain.writeUInt32LE(sampleRate * blockAlign, 28);
  plain.writeUInt16LE(blockAlign, 32);
  plain.writeUInt16LE((blockAlign / channels) * 8, 34);
  plain.write('data', 36, 'latin1');
  plain.writeUInt32LE(isPlaceholder(dataBytes) ? unknownSize : dataBytes, 40);
  return Buffer.concat([plain, head.subarray(dataAt)]);
}

/**
 * The smallest placeholder that streaming writers use for an unknown size: 0xFFFFFFFF, 0x7FFFFFFF or 2,000,000,000,
 * each with or without the length of the header subtracted.
 */
const leastPlaceholder = 2_000_000_000 - 4_096;

function isPlaceholder(dataBytes: number): boolean {
  return dataBytes === 0 || dataBytes >= leastPlaceholder;
}

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
  if (fileBytes === null) return isPlaceholder(dataBytes) ? null : dataBytes;
  const available = fileBytes - dataAt;
  const isUnknown = dataBytes === 0 || (isPlaceholder(dataBytes) && dataBytes > available);
  if (isUnknown || isSlightlyTooLarge(header, available)) {
    return Math.max(0, available - (available % blockAlign));
  }
  return dataBytes > available ? 'truncated' : dataBytes;
}

/**
 * Writers that give the size of the file as that of its samples, or count a byte that fills it up, have written all samples. The
 * file of a writer that stopped lacks more.
 */
export function isSlightlyTooLarge({ dataBytes, dataAt }: WavHeader, available: number): boolean {
  return available > 0 && dataBytes > available && dataBytes - available <= dataAt + 1;
}

/** Bytes of samples without sound. */
export function createSilence(
  { formatTag, blockAlign, channels }: WavHeader,
  bytes: number,
): Uint8Array {
  const silence = blockAlign === channels ? silentBytes.get(formatTag) : undefined;
  return new Uint8Array(bytes).fill(silence ?? 0);
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
