import { Readable } from 'node:stream';

// Bounds how long one piece may take to leave: the idle timeout sees whole pieces only.
const pieceBytes = 64 * 1024;

/**
 * A source of bytes as a stream that undici can send with back-pressure. The source is never closed: an HTTP body that
 * is destroyed takes its caller's answer with it, so that stays with its owner.
 *
 * @param onSourceError told the source's own error, which must not be taken for the upstream's
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
  // By hand, because `for await` closes its source when it is left early.
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const chunk = await nextOf(chunks, onSourceError);
    if (chunk === undefined) {
      return;
    }
    for (let start = 0; start < chunk.byteLength; start += pieceBytes) {
      yield chunk.subarray(start, start + pieceBytes);
    }
  }
}

async function nextOf(
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
