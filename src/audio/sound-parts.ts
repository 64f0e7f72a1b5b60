import { type FileHandle, open } from 'node:fs/promises';
import { parseWavHeader } from './wav-header.ts';

/** A part of a file, in bytes. */
export type SoundPart = { from: number; to: number };

/** The format of a WAV whose samples are an MP3. Voice recorders write it. */
const mp3Tag = 0x55;

/** The bytes of an OGG page before its table of segments. */
const pageHeaderBytes = 27;
const beginsStream = 0x02;
const headBytes = 4_096;

/** Writers put texts and pictures before the samples of a WAV. */
const maxWavHeadBytes = 4 * 1024 ** 2;

/** The parts that are complete sound files: the streams of a chained OGG, or the MP3 in a WAV. */
export async function findSoundParts(path: string): Promise<SoundPart[]> {
  await using file = await open(path);
  const { size } = await file.stat();
  const head = await readAt(file, 0, headBytes);
  if (head.toString('latin1', 0, 4) === 'OggS') return await findOggStreams(file, size);
  const first = parseWavHeader(head);
  const wav =
    first === 'incomplete' ? parseWavHeader(await readAt(file, 0, maxWavHeadBytes)) : first;
  const isMp3 = wav !== null && wav !== 'incomplete' && wav.formatTag === mp3Tag;
  return [isMp3 ? { from: wav.dataAt, to: size } : { from: 0, to: size }];
}

/** A stream begins with pages that are marked as its beginning; such a page after other pages begins the next stream. */
async function findOggStreams(file: FileHandle, size: number): Promise<SoundPart[]> {
  const starts = [0];
  let isInside = false;
  for (let at = 0; at < size; ) {
    const header = await readAt(file, at, pageHeaderBytes + 255);
    if (header.byteLength < pageHeaderBytes || header.toString('latin1', 0, 4) !== 'OggS') break;
    const isStart = (header.readUInt8(5) & beginsStream) !== 0;
    if (isStart && isInside) starts.push(at);
    isInside = !isStart;
    const segments = header.readUInt8(26);
    const lengths = header.subarray(pageHeaderBytes, pageHeaderBytes + segments);
    at += lengths.reduce((sum, length) => sum + length, pageHeaderBytes + segments);
  }
  return starts.map((from, index) => ({ from, to: starts[index + 1] ?? size }));
}

/** Fewer bytes if the file ends before. */
export async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
