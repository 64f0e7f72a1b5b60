import { errorCodeOf } from './log/error-code.ts';

/**
 * The database can't be reached, stopped during a statement, or has no resources for it. The same request can succeed a
 * moment later; whether the statement ran is unknown. The transports answer it with `TEMPORARILY_UNAVAILABLE` and 503.
 */
export class TemporarilyUnavailableError extends Error {
  override readonly name = 'TemporarilyUnavailableError';
  /** Of the cause, such as `ECONNREFUSED` or `57P01`. */
  readonly code: string | undefined;

  constructor(cause: unknown) {
    super('The database is not available.', { cause });
    this.code = errorCodeOf(cause);
  }
}

/** How long a client should wait before it retries, in seconds. A restart of PostgreSQL takes about as long. */
export const unavailableRetrySeconds = 2;

/** Executors and loaders wrap what was thrown, each in its own way. */
export function isTemporarilyUnavailable(thrown: unknown): boolean {
  if (thrown instanceof TemporarilyUnavailableError) return true;
  if (!(thrown instanceof Error)) return false;
  const { originalError, cause } = thrown as { originalError?: unknown; cause?: unknown };
  return isTemporarilyUnavailable(originalError ?? cause);
}
