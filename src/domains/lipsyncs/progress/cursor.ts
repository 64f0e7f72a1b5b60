/** A place in one lip-sync's log, as callers keep it: opaque, and worth nothing for any other lip-sync. */

/** A PostgreSQL integer: a cursor that somebody made up may hold any number. */
export const largestSequence = 2 ** 31 - 1;

export function encodeCursor(lipsyncId: string, sequence: number): string {
  return Buffer.from(`${lipsyncId}:${sequence}`).toString('base64url');
}

/** The sequence, or null where the cursor is none of this lip-sync's. */
export function decodeCursor(lipsyncId: string, cursor: string): number | null {
  if (cursor.length > 128) return null;
  const [id, digits] = Buffer.from(cursor, 'base64url').toString('utf8').split(':');
  const sequence = Number(digits);
  const isWhole = Number.isInteger(sequence) && sequence > 0 && sequence <= largestSequence;
  return id === lipsyncId && isWhole && encodeCursor(id, sequence) === cursor ? sequence : null;
}
