/** An error after which the same call is safe and may succeed. */
class RepeatableError extends Error {
  /** The cursor of the last event that was received. Pass it as `after`. */
  cursor: string | null = null;
  /** The key of the lip-sync that was requested. Pass it as `input.idempotencyKey`. */
  idempotencyKey: string | null = null;
}

/**
 * The connection failed and every retry failed too. Whether the last request reached the server is unknown, but a
 * repeated call is safe: with `idempotencyKey` nothing is made twice, and from `cursor` no event is missed.
 */
export class LipsyncConnectionError extends RepeatableError {
  override readonly name = 'LipsyncConnectionError';
}

/**
 * The server answered every attempt with a fault of its own, so the connection works. Give `requestId` to the server's
 * operator: it is in the server's log. As after a lost connection, a repeated call is safe.
 */
export class LipsyncServerError extends RepeatableError {
  override readonly name = 'LipsyncServerError';
  /** `INTERNAL_SERVER_ERROR`, or `TEMPORARILY_UNAVAILABLE` while the server has no database. */
  readonly code: string;
  readonly requestId: string | null;
  /** How long the server asks to wait, by `Retry-After` or `retryAfterSeconds`, at most 30 seconds; or 0. */
  readonly minDelayMs: number;

  constructor(
    message: string,
    { code, requestId, minDelayMs }: { code: string; requestId: string | null; minDelayMs: number },
  ) {
    super(message);
    this.code = code;
    this.requestId = requestId;
    this.minDelayMs = minDelayMs;
  }
}

/**
 * The server refused the request itself, and a retry would not help: a document that it does not execute, a URL that
 * is not the GraphQL endpoint, an answer that this version of the kit does not know. Failures that a program can handle
 * are returned instead.
 */
export class LipsyncRequestError extends Error {
  override readonly name = 'LipsyncRequestError';
  /** The code in `errors[]`, such as `GRAPHQL_VALIDATION_FAILED`, or the close code of a WebSocket. */
  readonly code: string | null;

  constructor(message: string, code: string | null = null) {
    super(message);
    this.code = code;
  }
}

/** A failed attempt, which is retried after this delay at the earliest. */
export class FailedAttempt extends Error {
  readonly minDelayMs: number;

  constructor(message: string, minDelayMs: number) {
    super(message);
    this.minDelayMs = minDelayMs;
  }
}

export function minDelayOf(error: unknown): number {
  return error instanceof FailedAttempt || error instanceof LipsyncServerError
    ? error.minDelayMs
    : 0;
}

/** What a caller gets when there are no more attempts. */
export function toLastError(error: unknown, message: string) {
  if (error instanceof LipsyncServerError) return error;
  return new LipsyncConnectionError(message, { cause: error });
}
