import { Readable } from 'node:stream';

// The idle timeout is reset by whole pieces only, so this bounds how long one piece may take to be sent.
const pieceBytes = 64 * 1024;

/**
 * A source of bytes as a stream that undici sends with backpressure. The source is never closed: destroying the body of
 * a client's HTTP request also destroys the connection for the response, so closing it is left to its owner.
 *
 * @param onSourceError receives an error of the source itself, which must not be reported as the upstream's
 */
export function toUploadBody(
  source: AsyncIterable<Uint8Array>,
  onSourceError: (error: unknown) => void,
): Readable {
  return Readable.from(inPieces(source, onSourceError), {
    objectMode: false,
    highWaterMark: pieceBytes,
  });
}

async function* inPieces(
  source: AsyncIterable<Uint8Array>,
  onSourceError: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  // Not `for await`, which closes its source on an early exit.
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const chunk = await readNext(chunks, onSourceError);
    if (chunk === undefined) {
      return;
    }
    for (let start = 0; start < chunk.byteLength; start += pieceBytes) {
      yield chunk.subarray(start, start + pieceBytes);
    }
  }
}

async function readNext(
  chunks: AsyncIterator<Uint8Array>,
  onSourceError: (error: unknown) => void,
): Promise<Uint8Array | undefined> {
  try {
    const next = await chunks.next();
    return next.done ? undefined : next.value;
  } catch (error) {
    onSourceError(error);
    throw error;
  }
}
