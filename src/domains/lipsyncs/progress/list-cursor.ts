import { createHash } from 'node:crypto';
import { maxSequence } from './cursor.ts';
import type { Sequences } from './log-feed.ts';

/**
 * One cursor for the logs of a list of lip-syncs. It begins with a digest of the list (in any order), which makes it
 * invalid for other lists. Then follows the sequence of each lip-sync as a varint, in the order of the ids. A log has
 * under a hundred events, so a sequence takes one byte; at most it takes five.
 */
export type ListCursors = {
  encode(sequences: Sequences): string;
  /** Null if the cursor does not belong to this list. */
  decode(cursor: string): Sequences | null;
};

/** 96 bits. A collision would only give sequences for other logs, and only their owner can read these logs. */
const digestBytes = 12;

const maxBytesEach = 5;

/** @param ids of lip-syncs, without duplicates */
export function listCursorsOf(ids: readonly string[]): ListCursors {
  const sorted = ids.toSorted();
  const digest = createHash('sha256').update(`lip-syncs:${sorted.join()}`).digest();
  const head = digest.subarray(0, digestBytes);
  // Four characters of base64 hold three bytes.
  const maxCharacters = Math.ceil(((digestBytes + maxBytesEach * ids.length) * 4) / 3);

  const encode = (sequences: Sequences) => {
    const bytes = sorted.flatMap((id) => toVarint(sequences.get(id) ?? 0));
    return Buffer.concat([head, Buffer.from(bytes)]).toString('base64url');
  };

  return {
    encode,
    decode(cursor) {
      if (cursor.length > maxCharacters) return null;
      const bytes = Buffer.from(cursor, 'base64url');
      if (!bytes.subarray(0, digestBytes).equals(head)) return null;
      const sequences = new Map<string, number>();
      let at = digestBytes;
      for (const id of sorted) {
        const { value, length } = readVarint(bytes.subarray(at, at + maxBytesEach));
        sequences.set(id, value);
        at += length;
      }
      const isInRange = [...sequences.values()].every((sequence) => sequence <= maxSequence);
      // Encoding again rejects missing or extra bytes and longer encodings of the same number.
      return isInRange && encode(sequences) === cursor ? sequences : null;
    },
  };
}

/** Seven bits per byte, lowest first; the eighth bit says that more bytes follow. */
function toVarint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...toVarint(Math.floor(value / 128))];
}

function readVarint(bytes: Uint8Array): { value: number; length: number } {
  let value = 0;
  let length = 0;
  for (const byte of bytes) {
    value += (byte % 128) * 128 ** length;
    length += 1;
    if (byte < 128) break;
  }
  return { value, length };
}
