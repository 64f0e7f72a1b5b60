import type { IncomingBody } from '../incoming-body.ts';
import type { Clip } from './decoding.ts';

/** What is sent to the upstream, and what is known about it after that. */
export type Outgoing = {
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** In bytes; undefined = unknown. */
  contentLength: number | undefined;
  /** Must be called after the body was sent. In seconds; null if the duration cannot be read. */
  readDuration(): Promise<number | null>;
  close(): Promise<void>;
};

export type Source = {
  head: Uint8Array;
  incoming: IncomingBody;
  signal: AbortSignal;
  /** Called for each piece that arrives, with the number of bytes so far. */
  onPiece?: ((receivedBytes: number) => void) | undefined;
  /** In bytes, as announced; null = not announced. */
  size: number | null;
  owner: string;
} & Clip;

/** All pieces of the file, from its head on. */
export async function* readPieces({ head, incoming, onPiece }: Source): AsyncGenerator<Uint8Array> {
  let piece: Uint8Array | null = head;
  while (piece !== null) {
    onPiece?.(incoming.bytes);
    yield piece;
    piece = await incoming.next();
  }
}
