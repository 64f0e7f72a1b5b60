/** The cursor of an event in one lip-sync's log: opaque, and valid for that lip-sync only. */

/** The maximum of a PostgreSQL integer. A forged cursor may contain any number. */
export const maxSequence = 2 ** 31 - 1;

export function encodeCursor(lipsyncId: string, sequence: number): string {
  return Buffer.from(`${lipsyncId}:${sequence}`).toString('base64url');
}

/** The sequence, or null if the cursor does not belong to this lip-sync. */
export function decodeCursor(lipsyncId: string, cursor: string): number | null {
  if (cursor.length > 128) return null;
  const [id, digits] = Buffer.from(cursor, 'base64url').toString('utf8').split(':');
  const sequence = Number(digits);
  const isWhole = Number.isInteger(sequence) && sequence > 0 && sequence <= maxSequence;
  return id === lipsyncId && isWhole && encodeCursor(id, sequence) === cursor ? sequence : null;
}
