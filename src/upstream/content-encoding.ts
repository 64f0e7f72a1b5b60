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
 * The body without its content encodings. Requests ask for `identity`, but a cache or proxy in between may ignore that,
 * and an unreadable response to a POST would make its outcome unknown.
 *
 * @param encodings the `content-encoding` header, in the order in which they were applied
 * @returns an empty buffer where the body does not match the header or exceeds `maxBytes`; the status stays usable
 */
export function decodeBody(bytes: Buffer, encodings: string | undefined, maxBytes: number): Buffer {
  const names = (encodings ?? '').toLowerCase().split(',');
  try {
    return names.reduceRight((encoded, name) => {
      const decode = decoders.get(name.trim());
      // A response to HEAD and a 204 may name an encoding of an empty body.
      return decode === undefined || encoded.length === 0
        ? encoded
        : decode(encoded, { maxOutputLength: maxBytes });
    }, bytes);
  } catch {
    return Buffer.alloc(0);
  }
}
