import { type FileHandle, open } from 'node:fs/promises';
import { readAt } from './sound-parts.ts';
import { UnreadableSound, type WavWriter } from './wav-writer.ts';

const pieceBytes = 256 * 1024;

/** Real files have about ten. This limits the reads of a hostile file. */
const maxChunks = 1_000;

/** The fields of COMM, with the compression of AIFF-C. */
const commBytes = 22;
const chunkHeaderBytes = 8;
/** The fields of SSND before the samples: their offset, and a block size, which files leave at 0. */
const ssndFieldBytes = 8;

/** For the decoder, which gets the samples alone and stops at their end. */
const unknownSize = 0x7fffffff;

/** Names of uncompressed samples that the decoder does not know, with the name and the bits that it does know. */
const otherNames: ReadonlyMap<string, { name: string; bits?: number }> = new Map([
  ['in24', { name: 'NONE', bits: 24 }],
  ['in32', { name: 'NONE', bits: 32 }],
  ['42ni', { name: 'sowt', bits: 24 }],
  ['23ni', { name: 'sowt', bits: 32 }],
  ['raw ', { name: 'NONE', bits: 8 }],
  ['ALAW', { name: 'alaw' }],
]);

const integerNames: ReadonlySet<string> = new Set(['NONE', 'twos', 'TWOS', 'sowt']);

/** Bytes of one sample of the names whose length does not depend on the field for it. */
const fixedBytes: ReadonlyMap<string, number> = new Map([
  ['fl32', 4],
  ['FL32', 4],
  ['fl64', 8],
  ['FL64', 8],
  ['alaw', 1],
  ['ulaw', 1],
  ['ULAW', 1],
]);

type AiffFormat = {
  channels: number;
  /** 0 = unknown: a writer that cannot seek back writes it before it knows the number. */
  frames: number;
  bits: number;
  /** As the 80 bits of the file. */
  rate: Buffer;
  /** The compression of AIFF-C; `NONE` for AIFF. */
  name: string;
  /** The library takes samples of 8 bits for unsigned ones, as in a WAV. Those of AIFF are signed. */
  hasSignedBytes: boolean;
};

/** The chunk SSND: where its header ends, and its size. */
type SampleChunk = { at: number; bytes: number };

/**
 * Decodes the samples of an AIFF or AIFF-C piece by piece. The library stops neither at the end of the samples nor when it
 * cannot find them, so it gets only them, behind a header of ours.
 *
 * @throws {UnreadableSound}
 */
export async function decodeAiff(path: string, writer: WavWriter): Promise<void> {
  await using file = await open(path);
  const { format, samples, formBytes } = await findChunks(file);
  const { from, to } = await findSamples(file, format, { samples, formBytes });
  const decoder = (await import('@audio/decode-aiff')).decoder();
  decoder.decode(createHeader(format));
  for (let at = from; at < to; at += pieceBytes) {
    const piece = await readAt(file, at, Math.min(pieceBytes, to - at));
    const bytes = new Uint8Array(piece);
    const { channelData, sampleRate } = decoder.decode(
      format.hasSignedBytes ? bytes.map((byte) => byte ^ 0x80) : bytes,
    );
    if (!(await writer.write(channelData, sampleRate))) return;
  }
}

/** The chunks COMM and SSND, in any order. The size of the file in its header is not needed, and can be a placeholder. */
async function findChunks(
  file: FileHandle,
): Promise<{ format: AiffFormat; samples: SampleChunk; formBytes: number }> {
  const form = await readAt(file, 0, 12);
  if (form.byteLength < 12) throw new UnreadableSound();
  const isAiffC = form.toString('latin1', 8) === 'AIFC';
  let format: AiffFormat | null = null;
  let samples: SampleChunk | null = null;
  let at = 12;
  for (let count = 0; count < maxChunks; count += 1) {
    const chunk = await readAt(file, at, chunkHeaderBytes + commBytes);
    if (chunk.byteLength < chunkHeaderBytes) break;
    const name = chunk.toString('latin1', 0, 4);
    const bytes = chunk.readUInt32BE(4);
    at += chunkHeaderBytes;
    if (name === 'COMM') format ??= parseFormat(chunk.subarray(chunkHeaderBytes), bytes, isAiffC);
    if (name === 'SSND') samples ??= { at, bytes };
    if (format !== null && samples !== null) {
      return { format, samples, formBytes: form.readUInt32BE(4) };
    }
    at += bytes + (bytes % 2);
  }
  throw new UnreadableSound();
}

function parseFormat(comm: Buffer, bytes: number, isAiffC: boolean): AiffFormat {
  if (bytes < 18 || comm.byteLength < 18) throw new UnreadableSound();
  const isNamed = isAiffC && bytes >= commBytes && comm.byteLength === commBytes;
  const written = isNamed ? comm.toString('latin1', 18, 22) : 'NONE';
  const { name, bits } = otherNames.get(written) ?? { name: written };
  // Samples of 12 bits, for example, are in the upper bits of two bytes.
  const wholeBits = bits ?? Math.ceil(comm.readUInt16BE(6) / 8) * 8;
  return {
    channels: comm.readUInt16BE(0),
    frames: comm.readUInt32BE(2),
    bits: wholeBits,
    rate: comm.subarray(8, 18),
    name,
    hasSignedBytes: integerNames.has(name) && wholeBits === 8 && written !== 'raw ',
  };
}

/**
 * Where the samples are: as many as SSND and COMM say, and at most up to the end of the file. A writer on a pipe leaves both
 * sizes empty, and then the samples are the rest of the file.
 */
async function findSamples(
  file: FileHandle,
  { channels, frames, bits, name }: AiffFormat,
  { samples, formBytes }: { samples: SampleChunk; formBytes: number },
): Promise<{ from: number; to: number }> {
  const { size } = await file.stat();
  const fields = await readAt(file, samples.at, ssndFieldBytes);
  const frameBytes = channels * (fixedBytes.get(name) ?? (integerNames.has(name) ? bits / 8 : 0));
  if (fields.byteLength < ssndFieldBytes || frameBytes === 0) throw new UnreadableSound();
  const from = samples.at + ssndFieldBytes + fields.readUInt32BE(0);
  const end = samples.at + samples.bytes;
  // Such a chunk ends before its samples. If the file has its correct size in its header, it has no samples.
  const isEmpty = end <= from && frames === 0 && samples.bytes > 0 && formBytes + 8 === size;
  if (isEmpty) throw new UnreadableSound();
  const ends = [size, end > from ? end : size, frames > 0 ? from + frames * frameBytes : size];
  return { from, to: Math.min(...ends) };
}

/** The beginning of an AIFF-C whose samples follow. */
function createHeader({ channels, bits, rate, name }: AiffFormat): Uint8Array {
  const ssndAt = 12 + chunkHeaderBytes + commBytes;
  const header = Buffer.alloc(ssndAt + chunkHeaderBytes + ssndFieldBytes);
  header.write('FORM', 0, 'latin1');
  header.writeUInt32BE(unknownSize, 4);
  header.write('AIFCCOMM', 8, 'latin1');
  header.writeUInt32BE(commBytes, 16);
  header.writeUInt16BE(channels, 20);
  header.writeUInt16BE(bits, 26);
  rate.copy(header, 28);
  header.write(name, 38, 'latin1');
  header.write('SSND', ssndAt, 'latin1');
  header.writeUInt32BE(unknownSize, ssndAt + 4);
  return new Uint8Array(header);
}
