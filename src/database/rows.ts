import type { Row } from './sql.ts';

const fields = new Map<string, string>();

/** Names the columns of a row as TypeScript does: `created_at` becomes `createdAt`. The values stay as they are. */
export function mapRow<T>(row: Row): T {
  const mapped: Row = {};
  for (const column in row) mapped[toField(column)] = row[column];
  return mapped as T;
}

/** Remembered: a table has few columns and many rows. */
function toField(column: string): string {
  const known = fields.get(column);
  if (known !== undefined) return known;
  const field = column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  fields.set(column, field);
  return field;
}

/** The column of a field: `createdAt` is stored as `created_at`. */
export function toColumn(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * Removes what `jsonb` rejects (U+0000, half surrogate pairs), because a text of the upstream with such characters
 * would prevent its lip-sync from ending.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'string' ? each.replaceAll('\0', '').toWellFormed() : each,
  );
}
