import { readFile, stat } from 'node:fs/promises';
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  Mp4OutputFormat,
  Output,
} from 'mediabunny';
import { UnreadableSound } from './wav-writer.ts';

/** The index of a file can be at its end, so the file is read as a whole. An hour of AAC has 60 MB. */
const maxFileBytes = 64 * 1024 ** 2;

/** The compressed sound of a CAF file. */
export type CafSound = {
  codec: string;
  sampleRate: number;
  channels: number;
  framesPerPacket: number;
  /** The configuration of the decoder; empty if it has none. */
  cookie: Uint8Array;
  packets: Uint8Array[];
  /** Frames of all packets, without priming and padding. */
  validFrames: number;
  primingFrames: number;
};

/** Splits a CAF file of compressed sound into packets. No maintained npm package does. @throws {UnreadableSound} */
export async function readCafPackets(path: string): Promise<CafSound> {
  if ((await stat(path)).size > maxFileBytes) throw new UnreadableSound();
  try {
    return parseCaf(await readFile(path));
  } catch {
    // A chunk that ends too early is a RangeError.
    throw new UnreadableSound();
  }
}

function parseCaf(file: Buffer): CafSound {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at + 12 <= file.byteLength; ) {
    const size = Number(file.readBigInt64BE(at + 4));
    // The chunk of samples can have an unknown size; it is then the last chunk.
    const end = size < 0 ? file.byteLength : at + 12 + size;
    chunks.set(file.toString('latin1', at, at + 4), file.subarray(at + 12, end));
    at = end;
  }
  const [desc, table, data] = ['desc', 'pakt', 'data'].map((name) => chunks.get(name));
  if (desc === undefined || table === undefined || data === undefined) throw new UnreadableSound();
  const bytesPerPacket = desc.readUInt32BE(16);
  const framesPerPacket = desc.readUInt32BE(20);
  const varies = { bytes: bytesPerPacket === 0, frames: framesPerPacket === 0 };
  const sizes = readPacketSizes(table, varies);
  return {
    codec: desc.toString('latin1', 8, 12),
    sampleRate: desc.readDoubleBE(0),
    channels: desc.readUInt32BE(24),
    framesPerPacket,
    cookie: stripBoxes(chunks.get('kuki') ?? Buffer.alloc(0)),
    packets: cutPackets(data.subarray(4), sizes, bytesPerPacket),
    validFrames: Number(table.readBigInt64BE(8)),
    primingFrames: table.readInt32BE(16),
  };
}

/** Some writers put the configuration of ALAC into a box of MP4, after one with the name of the format. */
function stripBoxes(cookie: Buffer): Buffer {
  const name = cookie.toString('latin1', 4, 8);
  return name === 'frma' || name === 'alac' ? stripBoxes(cookie.subarray(12)) : cookie;
}

/** Empty if all packets have one size. */
function readPacketSizes(table: Buffer, varies: { bytes: boolean; frames: boolean }): number[] {
  const sizes: number[] = [];
  let at = 24;
  const readNumber = () => {
    let value = 0;
    for (let byte = 0x80; (byte & 0x80) !== 0; at += 1) {
      byte = table.readUInt8(at);
      value = value * 128 + (byte & 0x7f);
    }
    return value;
  };
  while (varies.bytes && at < table.byteLength && sizes.length < Number(table.readBigInt64BE(0))) {
    sizes.push(readNumber());
    if (varies.frames) readNumber();
  }
  return sizes;
}

function cutPackets(data: Buffer, sizes: readonly number[], bytesPerPacket: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; at < data.byteLength; index += 1) {
    const size = bytesPerPacket || sizes[index];
    if (size === undefined) break;
    if (at + size > data.byteLength) throw new UnreadableSound();
    if (size > 0) packets.push(data.subarray(at, at + size));
    at += size;
  }
  return packets;
}

/** Opus counts the samples before the sound at this rate. */
const opusRate = 48_000;

/** Puts AAC or Opus into an MP4, which is decoded like any other. @throws {UnreadableSound} */
export async function rewriteAsMp4(sound: CafSound): Promise<Blob> {
  const isOpus = sound.codec === 'opus';
  const decoderConfig = {
    codec: isOpus ? 'opus' : 'mp4a.40.2',
    sampleRate: isOpus ? opusRate : sound.sampleRate,
    numberOfChannels: sound.channels,
    description: isOpus ? createOpusHead(sound) : readAacConfig(sound.cookie),
  };
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat(), target });
  const source = new EncodedAudioPacketSource(isOpus ? 'opus' : 'aac');
  output.addAudioTrack(source);
  await output.start();
  const duration = (sound.framesPerPacket || 1_024) / sound.sampleRate;
  for (const [index, packet] of sound.packets.entries()) {
    await source.add(new EncodedPacket(packet, 'key', index * duration, duration), {
      decoderConfig,
    });
  }
  source.close();
  await output.finalize();
  if (target.buffer === null) throw new UnreadableSound();
  return new Blob([target.buffer]);
}

/** The identification header of RFC 7845, section 5.1. */
function createOpusHead({ channels, sampleRate, primingFrames }: CafSound): Uint8Array {
  const head = Buffer.alloc(19);
  head.write('OpusHead\x01', 'latin1');
  head.writeUInt8(channels, 9);
  head.writeUInt16LE(Math.round((Math.max(0, primingFrames) * opusRate) / sampleRate), 10);
  head.writeUInt32LE(sampleRate, 12);
  return head;
}

/** The configuration is the innermost of three descriptors of MPEG-4, each with a tag and a length of one to four bytes. */
function readAacConfig(cookie: Uint8Array): Uint8Array {
  let at = 0;
  let size = 0;
  for (const [tag, fieldBytes] of [
    [3, 3],
    [4, 13],
    [5, 0],
  ] as const) {
    if (cookie[at] !== tag) throw new UnreadableSound();
    at += 1;
    size = 0;
    for (let byte = 0x80; (byte & 0x80) !== 0; at += 1) {
      byte = cookie[at] ?? 0;
      size = size * 128 + (byte & 0x7f);
    }
    at += fieldBytes;
  }
  return cookie.slice(at, at + size);
}
