import { type EncodedPacket, EncodedPacketSink, type InputAudioTrack } from 'mediabunny';
import { OpusDecoder } from 'opus-decoder';
import { findFirstPacket } from './first-packet.ts';
import { type SoundWindow, UnreadableSound, type WavWriter } from './wav-writer.ts';

/** Decodes Opus packet by packet. FFmpeg's demuxer would lose the first second of an OGG that it seeks in. */
export async function decodeOpus(
  track: InputAudioTrack,
  { startSeconds }: SoundWindow,
  writer: WavWriter,
): Promise<void> {
  const origin = Math.max(0, await track.getFirstTimestamp());
  const sink = new EncodedPacketSink(track);
  const first = await findFirstPacket(sink, origin + startSeconds);
  const head = readOpusHead((await track.getDecoderConfig())?.description);
  const decoder = new OpusDecoder({ ...head.layout, sampleRate: 48_000 });
  await decoder.ready;
  // The decoder's first `preSkip` samples are not sound. Some containers give them times below zero, others ignore
  // them.
  const isBeginning = first.timestamp <= origin + 1e-6;
  let skip = isBeginning && first.timestamp >= 0 ? head.preSkip : 0;
  const decode = async (packet: EncodedPacket, isLast: boolean): Promise<boolean> => {
    const { channelData, errors } = decoder.decodeFrame(packet.data);
    if (errors.length > 0) throw new UnreadableSound();
    // The last frame can have padding, which the duration of the packet excludes.
    const end = isLast ? Math.round(packet.duration * 48_000) : undefined;
    const planes = channelData.map((plane) => plane.subarray(skip, end));
    skip = Math.max(0, skip - (channelData[0]?.length ?? 0));
    return await writer.write(planes, 48_000, first.timestamp - origin);
  };
  let previous: EncodedPacket | undefined;
  for await (const packet of sink.packets(first)) {
    if (previous !== undefined && !(await decode(previous, false))) return;
    previous = packet;
  }
  if (previous !== undefined) await decode(previous, true);
}

/** The identification header of RFC 7845, section 5.1. Without it the sound is mono or stereo, and each packet says which. */
function readOpusHead(description: AllowSharedBufferSource | undefined) {
  if (description === undefined) return { preSkip: 0, layout: { channels: 2 } };
  const view = ArrayBuffer.isView(description)
    ? new DataView(description.buffer, description.byteOffset, description.byteLength)
    : new DataView(description);
  if (view.byteLength < 19) throw new UnreadableSound();
  const channels = view.getUint8(9);
  const preSkip = view.getUint16(10, true);
  if (view.getUint8(18) === 0) return { preSkip, layout: { channels } };
  if (view.byteLength < 21 + channels) throw new UnreadableSound();
  const layout = {
    channels,
    streamCount: view.getUint8(19),
    coupledStreamCount: view.getUint8(20),
    channelMappingTable: Array.from({ length: channels }, (_, at) => view.getUint8(21 + at)),
  };
  return { preSkip, layout };
}
