import { registerMp3Encoder } from '@mediabunny/mp3-encoder';
import {
  ALL_FORMATS,
  AudioSample,
  AudioSampleSink,
  AudioSampleSource,
  type AudioSource,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  FilePathSource,
  Input,
  type InputAudioTrack,
} from 'mediabunny';
import { checkWavSizes } from './wav-sizes.ts';

registerMp3Encoder();

/** The audio track of a finished video. `write` must be called once, after the output has started. */
export type Sound = {
  source: AudioSource;
  durationSeconds: number;
  write(): Promise<void>;
  close(): void;
};

/** Sample rates that MP3 supports. Any other one, such as a 96 kHz WAV, is resampled to 44.1 kHz. */
const MP3_RATES = new Set([8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]);
/** Codecs that fit into an MP4 and that browsers play. */
const COPIED_CODECS = new Set(['mp3', 'aac', 'opus', 'flac']);

/**
 * Opens an uploaded file as the sound of a result: compressed audio is copied packet by packet, PCM (WAV) is encoded as
 * MP3. Throws when the file has no readable audio.
 */
export async function openSound(path: string): Promise<Sound> {
  await checkWavSizes(path);
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    const track = await input.getPrimaryAudioTrack();
    if (!track) throw new Error('The file has no audio track.');
    const codec = await track.getCodec();
    const durationSeconds = (await track.computeDuration()) - (await track.getFirstTimestamp());
    if (!(durationSeconds > 0)) throw new Error('The audio track is empty.');
    const close = () => input.dispose();
    if (codec && COPIED_CODECS.has(codec)) {
      const source = new EncodedAudioPacketSource(codec);
      return { source, durationSeconds, write: () => copyPackets(track, source), close };
    }
    const source = await mp3Source(track);
    return { source, durationSeconds, write: () => encodeTrack(track, source), close };
  } catch (error) {
    input.dispose();
    throw error;
  }
}

/** A sound of raw mono samples. */
export function soundFromSamples(samples: Int16Array<ArrayBuffer>, sampleRate: number): Sound {
  const source = new AudioSampleSource({ codec: 'mp3', bitrate: 64_000 });
  const write = async () => {
    const sample = new AudioSample({
      data: samples,
      format: 's16',
      numberOfChannels: 1,
      sampleRate,
      timestamp: 0,
    });
    await source.add(sample);
    sample.close();
    source.close();
  };
  return { source, durationSeconds: samples.length / sampleRate, write, close: () => undefined };
}

async function mp3Source(track: InputAudioTrack): Promise<AudioSampleSource> {
  const sampleRate = await track.getSampleRate();
  const channels = await track.getNumberOfChannels();
  return new AudioSampleSource({
    codec: 'mp3',
    bitrate: sampleRate < 32_000 ? 64_000 : 128_000,
    transform: {
      sampleRate: MP3_RATES.has(sampleRate) ? sampleRate : 44_100,
      numberOfChannels: Math.min(channels, 2),
    },
  });
}

async function copyPackets(track: InputAudioTrack, source: EncodedAudioPacketSource) {
  const decoderConfig = await track.getDecoderConfig();
  const first = await track.getFirstTimestamp();
  for await (const packet of new EncodedPacketSink(track).packets()) {
    const shifted = packet.clone({ timestamp: packet.timestamp - first });
    await source.add(shifted, decoderConfig ? { decoderConfig } : undefined);
  }
  source.close();
}

async function encodeTrack(track: InputAudioTrack, source: AudioSampleSource) {
  const first = await track.getFirstTimestamp();
  for await (const sample of new AudioSampleSink(track).samples()) {
    sample.setTimestamp(sample.timestamp - first);
    await source.add(sample);
    sample.close();
  }
  source.close();
}
