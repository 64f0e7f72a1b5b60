import { LipsyncRequestError } from './errors.ts';
import type { LipsyncErrorCode } from './operations.ts';

/** What every failure tells. */
export type LipsyncFailure = {
  /** For programs. */
  code: LipsyncErrorCode;
  /** For people. Its wording may change. */
  message: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  retryAfterSeconds: number | null;
};

/**
 * A failure that this version of the kit does not know, from a server that is newer. It can be read as every other, so
 * that a `switch` which is complete today is still complete then.
 */
export type FutureError = Omit<LipsyncFailure, 'code'> & {
  __typename: 'FutureError';
  /** The name of its type without `Error`, in capitals. */
  code: string;
};

type RequestError = {
  message: string;
  extensions?: { code?: unknown; retryable?: unknown; retryAfterSeconds?: unknown };
};

export type Result = { data?: { answer?: unknown } | null; errors?: readonly RequestError[] };

/** What is worth another try: the server failed, or took us for nobody because our connection was just ending. */
const passing = ['INTERNAL_SERVER_ERROR', 'NOT_AUTHENTICATED'];

/**
 * The member of the union.
 *
 * @throws LipsyncRequestError where there is none, and Error where the next try may get one
 */
export function readAnswer<T extends { __typename: string }>(
  { data, errors }: Result,
  known: readonly T['__typename'][],
): T | FutureError {
  const [error] = errors ?? [];
  const code = String(error?.extensions?.code ?? '');
  if (error !== undefined && passing.includes(code)) throw new Error(error.message);
  const answer = (data?.answer ?? refusedForNow(error)) as
    | T
    | (Omit<FutureError, '__typename'> & { __typename: string })
    | null;
  if (error !== undefined && answer === null) {
    throw new LipsyncRequestError(error.message, code || null);
  }
  if (answer !== null && known.includes(answer.__typename)) return answer as T;
  if (answer !== null && 'code' in answer) {
    const { code, message, retryable, retryAfterSeconds } = answer;
    return { __typename: 'FutureError', code, message, retryable, retryAfterSeconds };
  }
  throw new LipsyncRequestError(`The answer ${answer?.__typename} is newer than this kit.`);
}

/**
 * What may be spent in a minute is counted before there is any field, and so is told beside the answer. To whoever asks
 * it is the same as the other quotas, which are members of each union.
 */
function refusedForNow(error: RequestError | undefined): object | null {
  const { code, retryable, retryAfterSeconds = null } = error?.extensions ?? {};
  if (code !== 'QUOTA_EXCEEDED' || retryable !== true) return null;
  const __typename = 'QuotaExceededError';
  return { __typename, code, message: error?.message, retryable, retryAfterSeconds };
}
