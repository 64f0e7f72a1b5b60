import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { type Planes, UnreadableSound } from './wav-writer.ts';

/** Decodes Vorbis in OGG. FFmpeg's demuxer would lose the first seconds of an OGG that it seeks in. */
export async function decodeVorbis(stream: ArrayBuffer): Promise<{ planes: Planes; rate: number }> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  const { channelData, sampleRate, errors } = await decoder.decodeFile(new Uint8Array(stream));
  if (errors.length > 0) throw new UnreadableSound();
  return { planes: channelData, rate: sampleRate };
}
