import { LipsyncRequestError } from './errors.ts';
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

type RequestError = {
  message: string;
  extensions?: { code?: unknown; retryable?: unknown; retryAfterSeconds?: unknown };
};

export type ExecutionResult = {
  data?: { answer?: unknown } | null;
  errors?: readonly RequestError[];
};

/**
 * Request errors that are worth a retry: a server fault, a server without its database, and a token that expired while the connection was open (the
 * next attempt sends a fresh one).
 */
const retryableCodes = ['INTERNAL_SERVER_ERROR', 'TEMPORARILY_UNAVAILABLE', 'NOT_AUTHENTICATED'];

/**
 * Reads the union member out of a result.
 *
 * @throws LipsyncRequestError if the result has none, or Error if a retry may succeed
 */
export function readUnionMember<T extends { __typename: string }>(
  { data, errors }: ExecutionResult,
  known: readonly T['__typename'][],
): T | QuotaExceededError | FutureError {
  const [error] = errors ?? [];
  const code = String(error?.extensions?.code ?? '');
  if (error !== undefined && retryableCodes.includes(code)) throw new Error(error.message);
  const answer = (data?.answer ?? null) as
    | T
    | (Omit<FutureError, '__typename'> & { __typename: string })
    | null;
  if (error !== undefined && answer === null) return readRequestError(error);
  if (answer !== null && known.includes(answer.__typename)) return answer as T;
  if (answer !== null && 'code' in answer) {
    const { code, message, retryable, retryAfterSeconds } = answer;
    return { __typename: 'FutureError', code, message, retryable, retryAfterSeconds };
  }
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
