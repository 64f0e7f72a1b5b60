import { createRequire } from 'node:module';
import { EncodedPacketSink, type InputAudioTrack } from 'mediabunny';
import type { AvBuffer, AvDecoder, AvFormat, AvModule } from './av.ts';
import type { CafSound } from './caf-packets.ts';
import { UnreadableSound, type WavWriter } from './wav-writer.ts';

/** Read as a whole, because the index of a file can be at its end. A minute of lossless sound has about 20 MB. */
const maxFileBytes = 64 * 1024 ** 2;

/** The box with the configuration: its size, its name, and no flags. */
const configBox = Buffer.from('\0\0\0\x24alac\0\0\0\0', 'latin1');
const configBytes = 24;

/** The decoder reads some bits past the last packet, so as many bytes follow it. */
const paddingBytes = 32;

type AlacSound = { format: AvFormat; cookie: AvBuffer; packets: AvBuffer[]; frames: number };

/** Decodes Apple Lossless in a CAF file. */
export async function decodeAlacInCaf(sound: CafSound, writer: WavWriter): Promise<void> {
  const av = loadAv();
  const { sampleRate, channels: channelsPerFrame, validFrames } = sound;
  const bitsPerChannel = readBits(sound.cookie);
  const format = { formatID: 'alac', sampleRate, channelsPerFrame, bitsPerChannel };
  const packets = sound.packets.map((packet) => new av.Buffer(packet));
  const cookie = new av.Buffer(sound.cookie);
  await decodeAlac(av, { format, cookie, packets, frames: validFrames }, writer);
}

/** Decodes Apple Lossless in an MP4 file. mediabunny finds the packets, but not the decoder's configuration. */
export async function decodeAlacInMp4(
  file: Blob,
  track: InputAudioTrack,
  writer: WavWriter,
): Promise<void> {
  if (file.size > maxFileBytes) throw new UnreadableSound();
  const av = loadAv();
  const bytes = Buffer.from(await file.arrayBuffer());
  const configAt = bytes.indexOf(configBox);
  if (configAt === -1) throw new UnreadableSound();
  const from = configAt + configBox.byteLength;
  const config = bytes.subarray(from, from + configBytes);
  const packets: AvBuffer[] = [];
  for await (const { data } of new EncodedPacketSink(track).packets()) {
    packets.push(new av.Buffer(data));
  }
  const format = {
    formatID: 'alac',
    sampleRate: await track.getSampleRate(),
    channelsPerFrame: await track.getNumberOfChannels(),
    bitsPerChannel: readBits(config),
  };
  const frames = Math.ceil((await track.computeDuration()) * format.sampleRate);
  await decodeAlac(av, { format, cookie: new av.Buffer(config), packets, frames }, writer);
}

/** The configuration begins with the frames of a packet, a version, and the bits of a sample. */
function readBits(config: Uint8Array): number {
  const bits = config[5];
  if (bits === undefined) throw new UnreadableSound();
  return bits;
}

async function decodeAlac(av: AvModule, sound: AlacSound, writer: WavWriter): Promise<void> {
  const { format, cookie, packets } = sound;
  const demuxed = new av.EventEmitter();
  const DecoderClass = av.Decoder.find('alac');
  if (DecoderClass === null) throw new UnreadableSound();
  const decoder = new DecoderClass(demuxed, format);
  demuxed.emit('cookie', cookie);
  for (const packet of packets) demuxed.emit('data', packet);
  demuxed.emit('data', new av.Buffer(new Uint8Array(paddingBytes).fill(0xff)));
  // 0 = unknown.
  let framesLeft = sound.frames > 0 ? sound.frames : Number.POSITIVE_INFINITY;
  for (let index = 0; decoder.stream.remainingBytes() > paddingBytes; index += 1) {
    const samples = decodePacket(decoder);
    const frames = Math.min(framesLeft, readPartialFrames(packets[index]?.data));
    const planes = toPlanes(samples, format).map((plane) => plane.subarray(0, frames));
    framesLeft -= planes[0]?.length ?? 0;
    if (!(await writer.write(planes, format.sampleRate))) return;
  }
}

function loadAv(): AvModule {
  const require = createRequire(import.meta.url);
  const av = require('av') as AvModule;
  require('alac');
  return av;
}

/** The last packet can have fewer frames, and says how many; the decoder fills the rest with noise. */
function readPartialFrames(packet: Uint8Array | undefined): number {
  const head = Buffer.from(packet ?? []).subarray(0, 7);
  const isPartial = head.byteLength === 7 && (head.readUInt8(2) & 0x10) !== 0;
  return isPartial
    ? (head.readUInt8(2) & 1) * 2 ** 31 + (head.readUInt32BE(3) >>> 1)
    : Number.POSITIVE_INFINITY;
}

function decodePacket(decoder: AvDecoder): ArrayLike<number> {
  const samples = decoder.readChunk();
  if (samples === undefined) throw new UnreadableSound();
  return samples;
}

function toPlanes(samples: ArrayLike<number>, format: AvFormat): Float32Array[] {
  const { channelsPerFrame: channels, bitsPerChannel } = format;
  const scale = 2 ** (bitsPerChannel - 1);
  const frames = Math.floor(samples.length / channels);
  return Array.from({ length: channels }, (_, channel) => {
    const plane = new Float32Array(frames);
    for (let at = 0; at < frames; at += 1)
      plane[at] = (samples[at * channels + channel] ?? 0) / scale;
    return plane;
  });
}
