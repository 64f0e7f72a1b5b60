/** Enough for speech, and half the rate of most microphones. */
const sampleRate = 24_000;

const headerBytes = 44;

/**
 * Converts any audio that this browser can play to mono WAV. The video service accepts only WAV and MP3, and browsers
 * record neither.
 *
 * @throws if the browser cannot decode it
 */
export async function toWav(audio: Blob): Promise<Blob> {
  const decoder = new OfflineAudioContext(1, 1, sampleRate);
  const decoded = await decoder.decodeAudioData(await audio.arrayBuffer());
  return encodeWav(await mixDown(decoded));
}

async function mixDown(decoded: AudioBuffer): Promise<Float32Array> {
  const frames = Math.max(1, Math.ceil(decoded.duration * sampleRate));
  const context = new OfflineAudioContext(1, frames, sampleRate);
  const source = new AudioBufferSourceNode(context, { buffer: decoded });
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

/** 16 bits per sample, after a standard header. */
export function encodeWav(samples: Float32Array): Blob {
  const dataBytes = samples.length * 2;
  const view = new DataView(new ArrayBuffer(headerBytes + dataBytes));
  const write = (at: number, text: string) => {
    for (const [index, letter] of [...text].entries()) {
      view.setUint8(at + index, letter.charCodeAt(0));
    }
  };
  write(0, 'RIFF');
  view.setUint32(4, headerBytes - 8 + dataBytes, true);
  write(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, 'data');
  view.setUint32(40, dataBytes, true);
  for (const [index, sample] of samples.entries()) {
    view.setInt16(headerBytes + index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true);
  }
  return new Blob([view], { type: 'audio/wav' });
}
