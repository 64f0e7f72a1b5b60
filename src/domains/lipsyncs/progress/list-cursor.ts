import { createHash } from 'node:crypto';
import { largestSequence } from './cursor.ts';
import type { Places } from './log-watcher.ts';

/**
 * The places of a list of lip-syncs in one cursor. It begins with a digest of the list, whatever order that is named
 * in, so that it is worth nothing for another one, and goes on with a varint for each lip-sync, in the order of their
 * ids. A log has under a hundred events, so that is a byte for each; at the worst it is five.
 */
export type ListCursors = {
  encode(places: Places): string;
  /** Null where the cursor is none of this list's. */
  decode(cursor: string): Places | null;
};

/** 96 bits: two lists that meet would at most have places in each other's logs, which their owner may read anyway. */
const digestBytes = 12;

const mostBytesEach = 5;

/** @param ids of lip-syncs, each once */
export function listCursorsOf(ids: readonly string[]): ListCursors {
  const sorted = ids.toSorted();
  const digest = createHash('sha256').update(`lip-syncs:${sorted.join()}`).digest();
  const head = digest.subarray(0, digestBytes);
  // Four characters of base64 hold three bytes.
  const mostCharacters = Math.ceil(((digestBytes + mostBytesEach * ids.length) * 4) / 3);

  const encode = (places: Places) => {
    const bytes = sorted.flatMap((id) => toVarint(places.get(id) ?? 0));
    return Buffer.concat([head, Buffer.from(bytes)]).toString('base64url');
  };

  return {
    encode,
    decode(cursor) {
      if (cursor.length > mostCharacters) return null;
      const bytes = Buffer.from(cursor, 'base64url');
      if (!bytes.subarray(0, digestBytes).equals(head)) return null;
      const places = new Map<string, number>();
      let at = digestBytes;
      for (const id of sorted) {
        const { value, length } = readVarint(bytes.subarray(at, at + mostBytesEach));
        places.set(id, value);
        at += length;
      }
      const isSound = [...places.values()].every((place) => place <= largestSequence);
      // Only as it was given out: no byte too many or too few, and no number written in a longer way.
      return isSound && encode(places) === cursor ? places : null;
    },
  };
}

/** Seven bits in each byte, the lowest first; the eighth says that more follow. */
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
