/**
 * The connection failed and every retry failed too. Whether the last request reached the server is unknown, but a
 * repeated call is safe: with `idempotencyKey` nothing is made twice, and from `cursor` no event is missed.
 */
export class LipsyncConnectionError extends Error {
  override readonly name = 'LipsyncConnectionError';
  /** The cursor of the last event that was received. Pass it as `after`. */
  cursor: string | null = null;
  /** The key of the lip-sync that was requested. Pass it as `input.idempotencyKey`. */
  idempotencyKey: string | null = null;
}

/**
 * The server answered every attempt with a fault of its own, so the connection works. Give `requestId` to the server's
 * operator: it is in the server's log. As after a lost connection, a repeated call is safe.
 */
export class LipsyncServerError extends Error {
  override readonly name = 'LipsyncServerError';
  /** `INTERNAL_SERVER_ERROR`, or `TEMPORARILY_UNAVAILABLE` while the server has no database. */
  readonly code: string;
  readonly requestId: string | null;
  /** Of the answer's `Retry-After`, or 0. */
  readonly minDelayMs: number;
  /** The cursor of the last event that was received. Pass it as `after`. */
  cursor: string | null = null;
  /** The key of the lip-sync that was requested. Pass it as `input.idempotencyKey`. */
  idempotencyKey: string | null = null;

  constructor(
    message: string,
    {
      code,
      requestId,
      minDelayMs = 0,
    }: { code: string; requestId: string | null; minDelayMs?: number },
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
