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
