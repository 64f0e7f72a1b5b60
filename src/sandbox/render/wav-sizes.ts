import { open } from 'node:fs/promises';

const headerBytes = 12;
const chunkHeaderBytes = 8;

/**
 * Throws if the sizes in a WAV are not those of the file, as strict readers do. A lenient reader would accept the
 * placeholders of streaming writers, and so hide that our server failed to correct them.
 */
export async function checkWavSizes(path: string): Promise<void> {
  await using file = await open(path);
  const fileBytes = (await file.stat()).size;
  const read = async (position: number, bytes: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
    return buffer.subarray(0, bytesRead);
  };
  const header = await read(0, headerBytes);
  if (header.toString('latin1', 0, 4) !== 'RIFF') return;
  if (header.readUInt32LE(4) + chunkHeaderBytes > fileBytes) {
    throw new Error('The RIFF size is larger than the file.');
  }
  let at = headerBytes;
  for (;;) {
    const chunk = await read(at, chunkHeaderBytes);
    if (chunk.byteLength < chunkHeaderBytes) throw new Error('The WAV has no samples.');
    const size = chunk.readUInt32LE(4);
    if (at + chunkHeaderBytes + size > fileBytes) {
      throw new Error('A chunk of the WAV is larger than the file.');
    }
    if (chunk.toString('latin1', 0, 4) === 'data') {
      if (size === 0) throw new Error('The WAV has no samples.');
      return;
    }
    at += chunkHeaderBytes + size + (size % 2);
  }
}
