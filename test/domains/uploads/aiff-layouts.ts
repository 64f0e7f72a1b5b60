/** The tests' own encoder of AIFF and AIFF-C: a tone of 440 Hz, mono. */

export type AiffLayout = {
  /** The compression of AIFF-C; by default an AIFF without one. */
  name?: string;
  bits?: 8 | 16 | 24 | 32;
  sampleRate?: number;
  seconds?: number;
  /** Chunks behind the samples. */
  extra?: Buffer;
  isSoundFirst?: boolean;
  /** Sizes and frames are not written, as by a writer on a pipe: 0, or a large number. */
  unknown?: number;
};

export function encodeAiff({
  name,
  bits = 16,
  sampleRate = 16_000,
  seconds = 2,
  extra = Buffer.alloc(0),
  isSoundFirst = false,
  unknown,
}: AiffLayout = {}): Buffer<ArrayBuffer> {
  const frames = Math.round(sampleRate * seconds);
  const samples = encodeSamples({ frames, bits, sampleRate, name: name ?? 'NONE' });
  const comm = Buffer.alloc(name === undefined ? 18 : 24);
  comm.writeUInt16BE(1, 0);
  comm.writeUInt32BE(unknown ?? frames, 2);
  comm.writeUInt16BE(bits, 6);
  // 80 bits: an exponent, and a mantissa whose first bit is 1.
  const exponent = Math.floor(Math.log2(sampleRate));
  comm.writeUInt16BE(16_383 + exponent, 8);
  comm.writeUInt32BE(sampleRate * 2 ** (31 - exponent), 10);
  if (name !== undefined) comm.write(name, 18, 'latin1');
  const common = aiffChunk('COMM', comm);
  const sound = aiffChunk('SSND', Buffer.concat([Buffer.alloc(8), samples]));
  if (unknown !== undefined) sound.writeUInt32BE(unknown, 4);
  const chunks = isSoundFirst ? [sound, common] : [common, sound];
  const type = Buffer.from(name === undefined ? 'AIFF' : 'AIFC');
  const form = aiffChunk('FORM', Buffer.concat([type, ...chunks, extra]));
  if (unknown !== undefined) form.writeUInt32BE(unknown, 4);
  return form;
}

export function aiffChunk(name: string, body: Buffer): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32BE(body.byteLength, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.byteLength % 2)]);
}

type Samples = { frames: number; bits: number; sampleRate: number; name: string };

function encodeSamples({ frames, bits, sampleRate, name }: Samples): Buffer {
  const bytes = Buffer.alloc((frames * bits) / 8);
  for (let at = 0; at < frames; at += 1) {
    const value = 0.5 * Math.sin((2 * Math.PI * 440 * at) / sampleRate + 0.1);
    const position = (at * bits) / 8;
    const integer = Math.round(value * (2 ** (bits - 1) - 1));
    if (/^fl32$/i.test(name)) bytes.writeFloatBE(value, position);
    else if (name === 'raw ') bytes.writeUInt8(integer + 128, position);
    else if (name === 'sowt' || name === '42ni') bytes.writeIntLE(integer, position, bits / 8);
    else bytes.writeIntBE(integer, position, bits / 8);
  }
  return bytes;
}
