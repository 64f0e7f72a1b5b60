/** Classifies database errors. Both drivers set the same fields on them. */

function fieldOf(error: unknown, field: 'code' | 'constraint' | 'severity'): string | undefined {
  if (!(error instanceof Error)) return;
  const value = (error as unknown as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : undefined;
}

/**
 * True if the server rejected the statement and the connection is still usable. After any other error (a lost connection,
 * our own timeout, a server that shuts down) it is unknown whether the statement ran.
 */
export function isStatementRejected(error: unknown): boolean {
  return fieldOf(error, 'severity') === 'ERROR';
}

/**
 * True if the same statement can succeed a moment later: a conflict between transactions (40), insufficient resources (53),
 * a lock that was not available (55P03), or a shutdown or statement timeout (57).
 */
export function isTransient(error: unknown): boolean {
  return /^(?:40|53|55P03|57)/.test(fieldOf(error, 'code') ?? '');
}

/** @param constraint matches only this constraint, by name, such as `lipsyncs_owner_idempotency_key_key` */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (fieldOf(error, 'code') !== '23505') return false;
  return constraint === undefined || fieldOf(error, 'constraint') === constraint;
}

const featureNotSupported = '0A000';

/** A prepared statement would return other columns than when it was prepared: a migration changed its tables. */
export function isPlanOutdated(error: unknown): boolean {
  const isOfPlan = error instanceof Error && error.message.includes('cached plan');
  return isOfPlan && fieldOf(error, 'code') === featureNotSupported;
}

const serializationFailure = '40001';
const deadlockDetected = '40P01';

/**
 * A serialization failure or deadlock: the transaction was rolled back, and PostgreSQL's documented answer is to retry it. The
 * same holds for an outdated plan.
 */
export function isConflict(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  return code === serializationFailure || code === deadlockDetected || isPlanOutdated(error);
}
