/** The 44 bytes before the samples of a mono PCM WAV. `dataBytes` is what the header claims will follow. */
export function wavHeader(
  dataBytes: number,
  { sampleRate = 8_000, bytesPerSample = 2 }: { sampleRate?: number; bytesPerSample?: 1 | 2 } = {},
): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * bytesPerSample, 28);
  header.writeUInt16LE(bytesPerSample, 32);
  header.writeUInt16LE(bytesPerSample * 8, 34);
  header.write('data', 36);
  header.writeUInt32LE(dataBytes, 40);
  return header;
}

/** The header and content of a WAV, read strictly: the sizes in the header must be those of the file. */
export type ReadWav = {
  sampleRate: number;
  channels: number;
  seconds: number;
  /** Of the loudest tone, from the zero crossings of the first channel; 0 for silence. */
  hertz: number;
  /** The loudest sample of the first channel, from 0 to 1. */
  peak: number;
};

/** Reads a WAV of 16 bits without the decoders of the program. */
export function readWav(bytes: Uint8Array): ReadWav {
  const file = Buffer.from(bytes);
  if (file.toString('latin1', 0, 16).replace(/.{4}(?=WAVE)/s, '') !== 'RIFFWAVEfmt ') {
    throw new Error('The file is no WAV.');
  }
  if (file.readUInt32LE(4) !== file.byteLength - 8) throw new Error('The RIFF size is wrong.');
  const dataBytes = file.readUInt32LE(40);
  if (dataBytes !== file.byteLength - 44) throw new Error('The data size is wrong.');
  const channels = file.readUInt16LE(22);
  const sampleRate = file.readUInt32LE(24);
  const frames = dataBytes / (2 * channels);
  const sample = (at: number) => file.readInt16LE(44 + at * 2 * channels);
  let crossings = 0;
  let peak = 0;
  for (let at = 1; at < frames; at += 1) {
    peak = Math.max(peak, Math.abs(sample(at)) / 32_768);
    if (sample(at - 1) < 0 && sample(at) >= 0) crossings += 1;
  }
  return {
    sampleRate,
    channels,
    seconds: frames / sampleRate,
    hertz: (crossings * sampleRate) / frames,
    peak,
  };
}
