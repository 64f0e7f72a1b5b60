/**
 * The network is gone for good: nothing that was tried came through. Whether the last request arrived is not known, but
 * asking once more is safe: with `idempotencyKey` nothing is made twice, and from `cursor` nothing is missed.
 */
export class LipsyncConnectionError extends Error {
  override readonly name = 'LipsyncConnectionError';
  /** Of the last event that was seen, for `after`. */
  cursor: string | null = null;
  /** Of the lip-sync that was asked for, for `input.idempotencyKey`. */
  idempotencyKey: string | null = null;
}

/**
 * The server refused the request itself, which no retry mends: a document that it does not execute, an address that
 * is not its own, an answer that is newer than this kit. What a program can handle is never thrown but returned.
 */
export class LipsyncRequestError extends Error {
  override readonly name = 'LipsyncRequestError';
  /** Of `errors[]`, such as `GRAPHQL_VALIDATION_FAILED`. */
  readonly code: string | null;

  constructor(message: string, code: string | null = null) {
    super(message);
    this.code = code;
  }
}
