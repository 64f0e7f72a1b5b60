import {
  brotliDecompressSync,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { errorCodeOf } from '../log/error-code.ts';

type Decode = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;

const decoders: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflate],
  ['br', brotliDecompressSync],
  ['zstd', zstdDecompressSync],
]);

/** By the standard `deflate` has a zlib header; some servers leave it out. */
function inflate(bytes: Buffer, options: { maxOutputLength: number }): Buffer {
  const hasHeader =
    ((bytes[0] ?? 0) & 0x0f) === 8 && bytes.length > 1 && bytes.readUInt16BE() % 31 === 0;
  return hasHeader ? inflateSync(bytes, options) : inflateRawSync(bytes, options);
}

/**
 * The body without its content encodings. Requests ask for `identity`, but a cache or proxy in between may ignore that,
 * and an unreadable response to a POST would make its outcome unknown.
 *
 * @param encodings the `content-encoding` header, in the order in which they were applied
 * @returns the body as it came where it does not match the header, because the header may be wrong; an empty buffer where it
 *   exceeds `maxBytes`. The status stays usable
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
  } catch (thrown) {
    return errorCodeOf(thrown) === 'ERR_BUFFER_TOO_LARGE' ? Buffer.alloc(0) : bytes;
  }
}
