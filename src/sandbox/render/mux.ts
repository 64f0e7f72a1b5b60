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

/** No common encoder shows pictures further out of decode order than this. */
const REORDER_SECONDS = 1;

export type Picture = { width: number; height: number; durationSeconds: number };

/** Size and length of the first video track. Throws when there is none that can be read. */
export async function probePicture(path: string): Promise<Picture> {
  return withPicture(path, async (track) => ({
    width: await track.getCodedWidth(),
    height: await track.getCodedHeight(),
    durationSeconds: (await track.computeDuration()) - (await track.getFirstTimestamp()),
  }));
}

/**
 * Writes an MP4 of one picture track and one sound track to `resultPath`. The sound is heard whole:
 * the picture is repeated, or cut, to its length, by copying packets; nothing is re-encoded and no
 * lip is moved. The source's own sound is dropped, also with `original_sound_switch`: mixing would
 * need a decoder for it, which Node does not have.
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
      // A cancel that fails must not hide why the mux did.
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
 * Packets come in decode order, so a picture past the end may be what an earlier one refers to: it
 * is held back until one that is needed follows it.
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
