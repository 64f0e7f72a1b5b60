import { readRetryAfterMs } from './back-off.ts';
import { LipsyncRequestError, LipsyncServerError } from './errors.ts';
import type { LipsyncErrorCode } from './operations.ts';

/** The fields that every failure has. */
export type LipsyncFailure = {
  /** For programs. */
  code: LipsyncErrorCode;
  /** For people. The wording may change. */
  message: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  retryAfterSeconds: number | null;
};

/**
 * A failure type that a newer server has and this version of the kit does not know. It has the same fields as every
 * other failure, so a `switch` that is exhaustive today stays exhaustive.
 */
export type FutureError = Omit<LipsyncFailure, 'code'> & {
  __typename: 'FutureError';
  /** The name of the type without `Error`, in SCREAMING_SNAKE case. */
  code: string;
};

/** A quota of the caller is used up. Any operation can answer it, because the cost per minute is checked for all. */
export type QuotaExceededError = LipsyncFailure & { __typename: 'QuotaExceededError' };

/** Failures of a field without a union, such as `lipsync`. They arrive in `errors`. */
export type FieldFailure =
  | (LipsyncFailure & { __typename: 'NotAuthenticatedError' | 'NotAuthorizedError' })
  | QuotaExceededError
  | FutureError;

export type RequestError = {
  message: string;
  path?: unknown;
  extensions?: {
    code?: unknown;
    retryable?: unknown;
    retryAfterSeconds?: unknown;
    requestId?: unknown;
  };
};

export type ExecutionResult = {
  data?: { answer?: unknown } | null;
  errors?: readonly RequestError[];
};

/** Faults of the server: of its program, or of its database. Worth a retry. */
const serverFaults = ['INTERNAL_SERVER_ERROR', 'TEMPORARILY_UNAVAILABLE'];

/**
 * The error of a server fault, or null for any other error.
 *
 * @param headerDelayMs of the header `Retry-After`. A WebSocket has no headers, so the error names its delay too.
 */
export function readServerFault(error: RequestError | undefined, headerDelayMs = 0) {
  const { code, requestId, retryAfterSeconds } = error?.extensions ?? {};
  if (error === undefined || !serverFaults.includes(String(code))) return null;
  return new LipsyncServerError(error.message, {
    code: String(code),
    requestId: typeof requestId === 'string' ? requestId : null,
    minDelayMs: Math.max(headerDelayMs, readRetryAfterMs(retryAfterSeconds)),
  });
}

/**
 * Reads the union member out of a result.
 *
 * @throws LipsyncRequestError if the result has none, or LipsyncServerError
 */
export function readUnionMember<T extends { __typename: string }>(
  { data, errors }: ExecutionResult,
  known: readonly T['__typename'][],
): T | QuotaExceededError | FutureError {
  const [error] = errors ?? [];
  const answer = (data?.answer ?? null) as
    | T
    | (Omit<FutureError, '__typename'> & { __typename: string })
    | null;
  if (error !== undefined && answer === null) return readFailure(error) as FieldFailure & T;
  if (answer !== null && known.includes(answer.__typename)) return answer as T;
  if (answer !== null && 'code' in answer) return toFutureError(answer);
  throw new LipsyncRequestError(`This version of the kit does not know ${answer?.__typename}.`);
}

/**
 * Reads a field that is not a union. Null: the server has no such object.
 *
 * @throws LipsyncRequestError for a rejected request, or LipsyncServerError
 */
export function readField<T>({ data, errors }: ExecutionResult): T | FieldFailure | null {
  const [error] = errors ?? [];
  const answer = (data?.answer ?? null) as T | null;
  return error === undefined || answer !== null ? answer : readFailure(error);
}

/** Failures that are members of a union in other fields, and here may be in `errors`. */
const typenames: Record<
  string,
  'NotAuthenticatedError' | 'NotAuthorizedError' | 'QuotaExceededError'
> = {
  // From a field whose type is not a union, or from `createProxy` if the user is not signed in.
  NOT_AUTHENTICATED: 'NotAuthenticatedError',
  NOT_AUTHORIZED: 'NotAuthorizedError',
  // The cost per minute, which is checked before any field is resolved.
  QUOTA_EXCEEDED: 'QuotaExceededError',
};

/** @throws LipsyncServerError for a fault, LipsyncRequestError for another error that is of no field */
function readFailure(error: RequestError): FieldFailure {
  const fault = readServerFault(error);
  if (fault !== null) throw fault;
  const { message, path, extensions = {} } = error;
  const { code, retryable, retryAfterSeconds } = extensions;
  const __typename = typenames[String(code)];
  const isOfField = path !== undefined && typeof retryable === 'boolean';
  if (__typename === undefined && !isOfField) {
    throw new LipsyncRequestError(message, code === undefined ? null : String(code));
  }
  return {
    __typename: __typename ?? 'FutureError',
    code: code as LipsyncErrorCode,
    message,
    retryable: retryable === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
  } as FieldFailure;
}

export function toFutureError({
  code,
  message,
  retryable,
  retryAfterSeconds,
}: Omit<FutureError, '__typename'>): FutureError {
  return { __typename: 'FutureError', code, message, retryable, retryAfterSeconds };
}
