import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { EncodedPacketSink, type InputAudioTrack } from 'mediabunny';
import type { AvBuffer, AvDecoder, AvEvents, AvFormat, AvModule } from './av.ts';
import { UnreadableSound, type WavWriter } from './wav-writer.ts';

/** Read as a whole, because the index of a file can be at its end. A minute of lossless sound has about 20 MB. */
const maxFileBytes = 64 * 1024 ** 2;

/** The box with the configuration: its size, its name, and no flags. */
const configBox = Buffer.from('\0\0\0\x24alac\0\0\0\0', 'latin1');
const configBytes = 24;

/** The decoder reads some bits past the last packet. */
const paddingBytes = 32;

type AlacSound = { format: AvFormat; cookie: AvBuffer; packets: AvBuffer[]; durationMs: number };

/** Decodes Apple Lossless in a CAF file. */
export async function decodeAlacInCaf(path: string, writer: WavWriter): Promise<void> {
  const av = loadAv();
  await decodeAlac(av, demux(av, await readWhole(path)), writer);
}

/** Decodes Apple Lossless in an MP4 file. mediabunny finds the packets, but not the decoder's configuration. */
export async function decodeAlacInMp4(
  path: string,
  track: InputAudioTrack,
  writer: WavWriter,
): Promise<void> {
  const av = loadAv();
  const bytes = await readWhole(path);
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
    bitsPerChannel: config.readUInt8(5),
  };
  const durationMs = (await track.computeDuration()) * 1000;
  await decodeAlac(av, { format, cookie: new av.Buffer(config), packets, durationMs }, writer);
}

async function readWhole(path: string): Promise<Buffer> {
  if ((await stat(path)).size > maxFileBytes) throw new UnreadableSound();
  return await readFile(path);
}

async function decodeAlac(av: AvModule, sound: AlacSound, writer: WavWriter): Promise<void> {
  const { format, cookie, packets, durationMs } = sound;
  if (format.formatID !== 'alac') throw new UnreadableSound();
  const demuxed = new av.EventEmitter();
  const DecoderClass = av.Decoder.find('alac');
  if (DecoderClass === null) throw new UnreadableSound();
  const decoder = new DecoderClass(demuxed, format);
  demuxed.emit('cookie', cookie);
  for (const packet of packets) demuxed.emit('data', packet);
  demuxed.emit('data', new av.Buffer(new Uint8Array(paddingBytes).fill(0xff)));
  // The last packet can be filled up. Milliseconds, 0 = unknown.
  let framesLeft =
    durationMs > 0 ? Math.ceil((durationMs / 1000) * format.sampleRate) : Number.POSITIVE_INFINITY;
  while (decoder.stream.remainingBytes() > paddingBytes) {
    const samples = decodePacket(decoder);
    const planes = toPlanes(samples, format).map((plane) => plane.subarray(0, framesLeft));
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

function demux(av: AvModule, bytes: Uint8Array): AlacSound {
  const file = new av.Buffer(bytes);
  const DemuxerClass = av.Demuxer.find(file);
  if (DemuxerClass === null) throw new UnreadableSound();
  const source: AvEvents = new av.EventEmitter();
  const demuxer = new DemuxerClass(source, file);
  let format: AvFormat | undefined;
  let cookie: AvBuffer | undefined;
  const packets: AvBuffer[] = [];
  demuxer.on('format', (value: AvFormat) => {
    format = value;
  });
  demuxer.on('cookie', (value: AvBuffer) => {
    cookie = value;
  });
  let durationMs = 0;
  demuxer.on('duration', (value: number) => {
    durationMs = value;
  });
  demuxer.on('data', (value: AvBuffer) => packets.push(value));
  source.emit('end');
  if (format === undefined || cookie === undefined) throw new UnreadableSound();
  return { format, cookie, packets, durationMs };
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
