/** What the database answered when it refused something. Both drivers put the same fields on their errors. */

function fieldOf(error: unknown, field: 'code' | 'constraint' | 'severity'): string | undefined {
  if (!(error instanceof Error)) return;
  const value = (error as unknown as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : undefined;
}

/** Such as `ECONNREFUSED`, or `28P01` for a wrong password; never a message, which may hold part of a URL. */
export function databaseErrorCode(error: unknown): string | undefined {
  const code = fieldOf(error, 'code');
  return code !== undefined && /^\w+$/.test(code) ? code : undefined;
}

/**
 * True when the server itself said no and the connection goes on. Everything else (a cut connection, a timeout of ours,
 * a server that shuts down) leaves open whether the statement ran.
 */
export function isStatementRejected(error: unknown): boolean {
  return fieldOf(error, 'severity') === 'ERROR';
}

/**
 * True where the server said no to what it may well take a moment later: two met (40), it was short of something (53), a
 * lock was not to be had (55P03), it stopped, or broke off a statement that had waited for too long (57).
 */
export function isTransient(error: unknown): boolean {
  return /^(?:40|53|55P03|57)/.test(fieldOf(error, 'code') ?? '');
}

/** @param constraint only this one, by name, as in `lipsyncs_owner_idempotency_key_key` */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (fieldOf(error, 'code') !== '23505') return false;
  return constraint === undefined || fieldOf(error, 'constraint') === constraint;
}

const serializationFailure = '40001';
const deadlockDetected = '40P01';

/** Two transactions met, one was undone, and running it again is the documented answer. */
export function isConflict(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  return code === serializationFailure || code === deadlockDetected;
}
