/** The tests' own encoder of WAV: a tone of 440 Hz in the layouts that programs write. */

export type WavLayout = {
  tag?: number;
  bits?: 8 | 16 | 24 | 32 | 64;
  channels?: number;
  sampleRate?: number;
  seconds?: number;
  isExtensible?: boolean;
  container?: 'RIFF' | 'RF64';
  /** Chunks between the format and the samples. */
  extra?: Buffer;
  /** What the header says of the file and of the samples; by default the truth. */
  claims?: { riff: number; data: number };
};

const guidEnd = Buffer.from('000000001000800000aa00389b71', 'hex');

export function encodeWav({
  tag = 1,
  bits = 16,
  channels = 1,
  sampleRate = 16_000,
  seconds = 1,
  isExtensible = false,
  container = 'RIFF',
  extra = Buffer.alloc(0),
  claims,
}: WavLayout = {}): Buffer<ArrayBuffer> {
  const blockAlign = (channels * bits) / 8;
  const format = Buffer.alloc(isExtensible ? 40 : 16);
  format.writeUInt16LE(isExtensible ? 0xfffe : tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt32LE(sampleRate * blockAlign, 8);
  format.writeUInt16LE(blockAlign, 12);
  format.writeUInt16LE(bits, 14);
  if (isExtensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(tag, 24);
    guidEnd.copy(format, 26);
  }
  const samples = encodeSamples({ tag, bits, channels, sampleRate, seconds });
  const isLarge = container === 'RF64';
  const sizes = Buffer.alloc(28);
  sizes.writeBigUInt64LE(BigInt(samples.byteLength + extra.byteLength + 72), 0);
  sizes.writeBigUInt64LE(BigInt(samples.byteLength), 8);
  sizes.writeBigUInt64LE(BigInt(samples.byteLength / blockAlign), 16);
  const chunks = [
    ...(isLarge ? [chunk('ds64', sizes)] : []),
    chunk('fmt ', format),
    extra,
    head('data', isLarge ? 0xffffffff : (claims?.data ?? samples.byteLength)),
    samples,
  ];
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return Buffer.concat([
    head(container, isLarge ? 0xffffffff : (claims?.riff ?? body.byteLength)),
    body,
  ]);
}

/** As voice recorders write it. */
export function mp3InWav(mp3: Buffer): Buffer {
  const format = Buffer.alloc(30);
  format.writeUInt16LE(0x55, 0);
  format.writeUInt16LE(1, 2);
  format.writeUInt32LE(44_100, 4);
  format.writeUInt16LE(1, 12);
  format.writeUInt16LE(12, 16);
  const body = Buffer.concat([Buffer.from('WAVE'), chunk('fmt ', format), chunk('data', mp3)]);
  return chunk('RIFF', body);
}

export function chunk(name: string, body: Buffer): Buffer {
  return Buffer.concat([head(name, body.byteLength), body, Buffer.alloc(body.byteLength % 2)]);
}

function head(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.write(name, 'latin1');
  bytes.writeUInt32LE(size, 4);
  return bytes;
}

type Sound = Required<Pick<WavLayout, 'tag' | 'bits' | 'channels' | 'sampleRate' | 'seconds'>>;

function encodeSamples({ tag, bits, channels, sampleRate, seconds }: Sound): Buffer {
  const bytes = Buffer.alloc(Math.round(sampleRate * seconds) * channels * (bits / 8));
  for (let at = 0; at < bytes.byteLength / (bits / 8); at += 1) {
    const value =
      0.5 * Math.sin((2 * Math.PI * 440 * Math.floor(at / channels)) / sampleRate + 0.1);
    writeSample(bytes, at * (bits / 8), { tag, bits, value });
  }
  return bytes;
}

function writeSample(
  bytes: Buffer,
  at: number,
  { tag, bits, value }: { tag: number; bits: number; value: number },
): void {
  if (tag === 3) {
    if (bits === 64) bytes.writeDoubleLE(value, at);
    else bytes.writeFloatLE(value, at);
  } else if (tag === 7) {
    bytes.writeUInt8(encodeMuLaw(value), at);
  } else if (bits === 8) {
    bytes.writeUInt8(Math.round(value * 127) + 128, at);
  } else {
    bytes.writeIntLE(Math.round(value * (2 ** (bits - 1) - 1)), at, bits / 8);
  }
}

/** G.711. */
function encodeMuLaw(value: number): number {
  const magnitude = Math.min(Math.round(Math.abs(value) * 32_767) + 132, 32_767);
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff;
}
