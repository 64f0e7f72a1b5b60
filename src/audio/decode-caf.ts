import { open } from 'node:fs/promises';
import type { WavWriter } from './wav-writer.ts';

const pieceBytes = 256 * 1024;

/** Where a CAF file has the name of its codec: its first chunk is the description. */
const codecAt = { position: 28, bytes: 4 };

/**
 * The decoder of CAF treats the 13 bits of A-law and the 14 bits of µ-law as 16 bits, and so scales the sound to an
 * eighth and to a quarter.
 */
const cafGains: ReadonlyMap<string, number> = new Map([
  ['alaw', 8],
  ['ulaw', 4],
]);

/** Decodes a CAF file of uncompressed sound piece by piece. */
export async function decodeCaf(path: string, writer: WavWriter): Promise<void> {
  const decoder = (await import('@audio/decode-caf')).decoder();
  const gain = cafGains.get(await readCafCodec(path)) ?? 1;
  await using file = await open(path);
  const buffer = Buffer.alloc(pieceBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, pieceBytes);
    if (bytesRead === 0) return;
    const { channelData, sampleRate } = decoder.decode(
      new Uint8Array(buffer.subarray(0, bytesRead)),
    );
    const planes =
      gain === 1 ? channelData : channelData.map((plane) => plane.map((v) => v * gain));
    if (!(await writer.write(planes, sampleRate))) return;
  }
}

export async function readCafCodec(path: string): Promise<string> {
  await using file = await open(path);
  const { buffer } = await file.read(
    Buffer.alloc(codecAt.bytes),
    0,
    codecAt.bytes,
    codecAt.position,
  );
  return buffer.toString('latin1');
}
