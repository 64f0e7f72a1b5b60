import {
  ALL_FORMATS,
  type EncodedPacket,
  EncodedPacketSink,
  EncodedVideoPacketSource,
  FilePathSource,
  FilePathTarget,
  Input,
  type InputVideoTrack,
  Mp4OutputFormat,
  Output,
} from 'mediabunny';
import type { Sound } from './sound.ts';

/** Common encoders move a picture by less than this between decode order and display order. */
const REORDER_SECONDS = 1;

export type Picture = { width: number; height: number; durationSeconds: number };

/** Size and length of the first video track. Throws when the file has no readable one. */
export async function probePicture(path: string): Promise<Picture> {
  return withPicture(path, async (track) => ({
    width: await track.getCodedWidth(),
    height: await track.getCodedHeight(),
    durationSeconds: (await track.computeDuration()) - (await track.getFirstTimestamp()),
  }));
}

/**
 * Writes an MP4 with one picture track and one sound track to `resultPath`. The sound is complete; the picture is
 * repeated, or cut, to its length by copying packets. Nothing is re-encoded and no lip is moved. The source's own sound
 * is dropped, also with `original_sound_switch`, because mixing needs a decoder, which Node does not have.
 */
export async function muxLipsync(
  picturePath: string,
  sound: Sound,
  resultPath: string,
): Promise<Picture> {
  return withPicture(picturePath, async (track, codec) => {
    const output = new Output({
      format: new Mp4OutputFormat({ fastStart: 'in-memory' }),
      target: new FilePathTarget(resultPath),
    });
    const source = new EncodedVideoPacketSource(codec);
    output.addVideoTrack(source, { rotation: await track.getRotation() });
    output.addAudioTrack(sound.source);
    try {
      await output.start();
      await Promise.all([sound.write(), repeatPackets(track, source, sound.durationSeconds)]);
      await output.finalize();
    } catch (error) {
      // A failed cancel must not hide the error of the mux.
      await output.cancel().catch(() => undefined);
      throw error;
    }
    return {
      width: await track.getCodedWidth(),
      height: await track.getCodedHeight(),
      durationSeconds: sound.durationSeconds,
    };
  });
}

type VideoCodec = ConstructorParameters<typeof EncodedVideoPacketSource>[0];

async function withPicture<T>(
  path: string,
  use: (track: InputVideoTrack, codec: VideoCodec) => Promise<T>,
): Promise<T> {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    const track = await input.getPrimaryVideoTrack();
    const codec = await track?.getCodec();
    if (!(track && codec)) throw new Error('The file has no video track.');
    return await use(track, codec);
  } finally {
    input.dispose();
  }
}

async function repeatPackets(
  track: InputVideoTrack,
  source: EncodedVideoPacketSource,
  untilSeconds: number,
) {
  const decoderConfig = await track.getDecoderConfig();
  const meta = decoderConfig ? { decoderConfig } : undefined;
  const first = await track.getFirstTimestamp();
  const lengthSeconds = (await track.computeDuration()) - first;
  if (!(lengthSeconds > 0)) throw new Error('The video track is empty.');
  const sink = new EncodedPacketSink(track);
  for (let offset = 0; offset < untilSeconds; offset += lengthSeconds) {
    for await (const packet of packetsUntil(sink, untilSeconds - offset + first)) {
      await source.add(packet.clone({ timestamp: packet.timestamp - first + offset }), meta);
    }
  }
  source.close();
}

/**
 * Packets come in decode order, so an earlier picture may refer to one past the end. Such a packet is held back, and
 * yielded when a packet before the end follows it.
 */
async function* packetsUntil(sink: EncodedPacketSink, endSeconds: number) {
  let held: EncodedPacket[] = [];
  for await (const packet of sink.packets()) {
    held.push(packet);
    if (packet.timestamp > endSeconds + REORDER_SECONDS) return;
    if (packet.timestamp >= endSeconds) continue;
    yield* held;
    held = [];
  }
}
