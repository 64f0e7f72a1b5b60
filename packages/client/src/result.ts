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

/** The error of a server fault, or null for any other error. */
export function readServerFault(error: RequestError | undefined, minDelayMs = 0) {
  const { code, requestId } = error?.extensions ?? {};
  if (error === undefined || !serverFaults.includes(String(code))) return null;
  return new LipsyncServerError(error.message, {
    code: String(code),
    requestId: typeof requestId === 'string' ? requestId : null,
    minDelayMs,
  });
}

/** @throws Error if a retry may give a better result: a server fault, or a token that expired while the connection was open */
function throwIfTemporary(error: RequestError | undefined): void {
  const fault = readServerFault(error);
  if (fault !== null) throw fault;
  // The next attempt sends a fresh token.
  if (error?.extensions?.code === 'NOT_AUTHENTICATED') throw new Error(error.message);
}

/**
 * Reads the union member out of a result.
 *
 * @throws LipsyncRequestError if the result has none, LipsyncServerError, or another Error if a retry may succeed
 */
export function readUnionMember<T extends { __typename: string }>(
  { data, errors }: ExecutionResult,
  known: readonly T['__typename'][],
): T | QuotaExceededError | FutureError {
  const [error] = errors ?? [];
  throwIfTemporary(error);
  const answer = (data?.answer ?? null) as
    | T
    | (Omit<FutureError, '__typename'> & { __typename: string })
    | null;
  if (error !== undefined && answer === null) return readRequestError(error);
  if (answer !== null && known.includes(answer.__typename)) return answer as T;
  if (answer !== null && 'code' in answer) return toFutureError(answer);
  throw new LipsyncRequestError(`This version of the kit does not know ${answer?.__typename}.`);
}

/**
 * The cost per minute is checked before any field is resolved, so that quota arrives as a request error. The caller
 * gets it as `QuotaExceededError`, like the quotas that are union members.
 *
 * @throws LipsyncRequestError for every other error
 */
function readRequestError(error: RequestError): QuotaExceededError {
  const { code, retryable, retryAfterSeconds } = error.extensions ?? {};
  if (code !== 'QUOTA_EXCEEDED' || retryable !== true) {
    throw new LipsyncRequestError(error.message, code === undefined ? null : String(code));
  }
  return {
    __typename: 'QuotaExceededError',
    code,
    message: error.message,
    retryable,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
  };
}

export function toFutureError({
  code,
  message,
  retryable,
  retryAfterSeconds,
}: Omit<FutureError, '__typename'>): FutureError {
  return { __typename: 'FutureError', code, message, retryable, retryAfterSeconds };
}

const typenames: Record<string, 'NotAuthenticatedError' | 'NotAuthorizedError'> = {
  NOT_AUTHENTICATED: 'NotAuthenticatedError',
  NOT_AUTHORIZED: 'NotAuthorizedError',
};

/**
 * Reads a field that is no union. Null: the server has no such object.
 *
 * @throws LipsyncRequestError for a rejected request, LipsyncServerError, or another Error if a retry may succeed
 */
export function readField<T>({ data, errors }: ExecutionResult): T | FieldFailure | null {
  const [error] = errors ?? [];
  const answer = (data?.answer ?? null) as T | null;
  if (error === undefined || answer !== null) return answer;
  const { code, retryable, retryAfterSeconds } = error.extensions ?? {};
  const isOfField = error.path !== undefined && typeof retryable === 'boolean';
  if (!isOfField) {
    throwIfTemporary(error);
    return readRequestError(error);
  }
  const failure = {
    message: error.message,
    retryable,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
  };
  const __typename = typenames[String(code)];
  if (__typename === undefined) {
    return { __typename: 'FutureError', code: String(code), ...failure };
  }
  return { __typename, code: code as LipsyncErrorCode, ...failure };
}
