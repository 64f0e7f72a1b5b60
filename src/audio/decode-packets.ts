import { openAsBlob } from 'node:fs';
import {
  AdtsInputFormat,
  AdtsOutputFormat,
  AudioSampleSink,
  BlobSource,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  FlacInputFormat,
  FlacOutputFormat,
  Input,
  type InputAudioTrack,
  MatroskaInputFormat,
  Mp3InputFormat,
  Mp3OutputFormat,
  Mp4InputFormat,
  OggInputFormat,
  OggOutputFormat,
  Output,
  type OutputFormat,
  QuickTimeInputFormat,
  WaveInputFormat,
  WebMInputFormat,
} from 'mediabunny';
import { decodeAlacInMp4 } from './decode-alac.ts';
import { decodeOpus } from './decode-opus.ts';
import { decodeVorbis } from './decode-vorbis.ts';
import { decodeWithFfmpeg } from './ffmpeg.ts';
import { findFirstPacket } from './first-packet.ts';
import { findSoundParts } from './sound-parts.ts';
import {
  maxPaddingSeconds,
  type Planes,
  type SoundWindow,
  UnreadableSound,
  type WavWriter,
} from './wav-writer.ts';

/** Not `ALL_FORMATS`: playlists refer to other files. */
const formats = [
  new Mp4InputFormat(),
  new QuickTimeInputFormat(),
  new WebMInputFormat(),
  new MatroskaInputFormat(),
  new OggInputFormat(),
  new WaveInputFormat(),
  new FlacInputFormat(),
  new AdtsInputFormat(),
  new Mp3InputFormat(),
];

/** The packets of a window, much more than a minute of any compressed sound. */
const maxPacketBytes = 96 * 1024 ** 2;

/** The frames of one packet, where its duration can be longer: containers count a pause as part of the packet before it. */
const packetFrames = { aac: 1_024, mp3: 1_152, vorbis: 8_192, flac: 65_535 } satisfies Record<
  StreamCodec,
  number
>;

/** A video that has no sound. */
export class SilentVideo extends Error {}

/** The packets of a compressed sound, without their container, as a stream that a decoder reads. */
const streams = {
  aac: () => new AdtsOutputFormat(),
  vorbis: () => new OggOutputFormat(),
  flac: () => new FlacOutputFormat(),
  mp3: () => new Mp3OutputFormat(),
} satisfies Record<string, () => OutputFormat>;

type StreamCodec = keyof typeof streams;

/**
 * Decodes the sound of an MP4, WebM, OGG, FLAC, ADTS, WAV or MP3 file, also of a video. An OGG can have several
 * streams, one after the other.
 */
export async function decodeContainer(
  path: string,
  window: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const file = await openAsBlob(path);
  for (const { from, to } of await findSoundParts(path)) {
    await decodeBlob(file.slice(from, to), window, writer);
    if (writer.isFull) return;
  }
}

/** Decodes the sound of one container and appends it to what the writer has already received. */
export async function decodeBlob(
  blob: Blob,
  window: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const input = new Input({ source: new BlobSource(blob), formats });
  try {
    const track = await input.getPrimaryAudioTrack();
    if (track === null) {
      const isVideo = (await input.getPrimaryVideoTrack()) !== null;
      throw isVideo ? new SilentVideo() : new UnreadableSound();
    }
    const durationSeconds =
      (await track.computeDuration()) - Math.max(0, await track.getFirstTimestamp());
    const startSeconds = writer.beginPart(durationSeconds);
    if (startSeconds !== null)
      await decodeTrack({ track, blob }, { ...window, startSeconds }, writer);
  } finally {
    input.dispose();
  }
}

async function decodeTrack(
  { track, blob }: { track: InputAudioTrack; blob: Blob },
  window: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const codec = await track.getCodec();
  if (codec === null && (await track.getInternalCodecId()) === 'alac') {
    await decodeAlacInMp4(blob, track, writer);
  } else if (codec === null) {
    throw new UnreadableSound();
  } else if (codec === 'opus') {
    await decodeOpus(track, window, writer);
  } else if (codec in streams) {
    await decodeStream({ track, codec: codec as StreamCodec }, window, writer);
  } else {
    await decodePcm(track, window, writer);
  }
}

async function decodePcm(
  track: InputAudioTrack,
  { startSeconds }: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const origin = Math.max(0, await track.getFirstTimestamp());
  let at: number | undefined;
  for await (const sample of new AudioSampleSink(track).samples(origin + startSeconds)) {
    at ??= sample.timestamp - origin;
    const planes = Array.from({ length: sample.numberOfChannels }, (_, planeIndex) => {
      const plane = new Float32Array(sample.numberOfFrames);
      sample.copyTo(plane, { planeIndex, format: 'f32-planar' });
      return plane;
    });
    const { sampleRate } = sample;
    sample.close();
    if (!(await writer.write(planes, sampleRate, at))) return;
  }
}

async function decodeStream(
  { track, codec }: { track: InputAudioTrack; codec: StreamCodec },
  window: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const origin = Math.max(0, await track.getFirstTimestamp());
  const begin = origin + window.startSeconds;
  const end = begin + window.maxSeconds + maxPaddingSeconds;
  const stream = await copyPackets(track, codec, { begin, end });
  const { planes, rate } =
    codec === 'vorbis'
      ? await decodeVorbis(stream.bytes)
      : await decodeWithFfmpeg(stream.bytes, Math.min(stream.seconds, end - stream.beginsAt) + 1);
  // Packets can decode to more samples than the container declares, because the last packet is padded.
  const frames = stream.isAtEnd ? Math.round(stream.seconds * rate) : Number.POSITIVE_INFINITY;
  const cut: Planes = planes.map((plane) => plane.subarray(0, frames));
  await writer.write(cut, rate, stream.beginsAt - origin);
}

/**
 * Copies the packets of a part of the track, and says which part they are. Decoders leave out pauses between packets, so the end is
 * reached when enough sound is copied, whatever time the packets have.
 */
async function copyPackets(
  track: InputAudioTrack,
  codec: StreamCodec,
  { begin, end }: { begin: number; end: number },
) {
  const decoderConfig = await track.getDecoderConfig();
  const sink = new EncodedPacketSink(track);
  const first = await findFirstPacket(sink, begin);
  if (decoderConfig === null) throw new UnreadableSound();
  const target = new BufferTarget();
  const output = new Output({ format: streams[codec](), target });
  const source = new EncodedAudioPacketSource(codec);
  output.addAudioTrack(source);
  await output.start();
  // FFmpeg drops the first frame of an ADTS stream, so that frame is sent twice.
  const repeatedSeconds = codec === 'aac' ? first.duration : 0;
  if (repeatedSeconds > 0) await source.add(first.clone({ timestamp: 0 }), { decoderConfig });
  const maxPacketSeconds = packetFrames[codec] / decoderConfig.sampleRate;
  let bytes = 0;
  let copiedSeconds = 0;
  let endsAt = first.timestamp;
  let isAtEnd = true;
  for await (const packet of sink.packets(first)) {
    bytes += packet.byteLength;
    if (bytes > maxPacketBytes) throw new UnreadableSound();
    const timestamp = copiedSeconds + repeatedSeconds;
    await source.add(packet.clone({ timestamp }), { decoderConfig });
    endsAt = Math.max(endsAt, packet.timestamp + packet.duration);
    isAtEnd = first.timestamp + copiedSeconds < end;
    if (!isAtEnd) break;
    copiedSeconds += Math.min(packet.duration, maxPacketSeconds);
  }
  source.close();
  await output.finalize();
  if (target.buffer === null || bytes === 0) throw new UnreadableSound();
  const beginsAt = first.timestamp;
  return { bytes: target.buffer, beginsAt, seconds: endsAt - beginsAt, isAtEnd };
}
