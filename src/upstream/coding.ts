import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';

type Decode = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;

const decoders: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', brotliDecompressSync],
  ['zstd', zstdDecompressSync],
]);

/**
 * The body without its content codings. We ask for none, but a cache or proxy in between may not listen, and an answer
 * to a POST that can't be read is an unknown outcome.
 *
 * @param codings the header `content-encoding`, the first of them applied first
 * @returns nothing where it is not what the header says, or longer than `mostBytes`: the status still tells its part
 */
export function decodeBody(bytes: Buffer, codings: string | undefined, mostBytes: number): Buffer {
  const names = (codings ?? '').toLowerCase().split(',');
  try {
    return names.reduceRight((coded, name) => {
      const decode = decoders.get(name.trim());
      // An answer to HEAD or a 204 may name a coding of nothing.
      return decode === undefined || coded.length === 0
        ? coded
        : decode(coded, { maxOutputLength: mostBytes });
    }, bytes);
  } catch {
    return Buffer.alloc(0);
  }
}
