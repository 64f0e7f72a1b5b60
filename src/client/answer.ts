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

export type Result = {
  data?: { answer?: unknown } | null;
  errors?: readonly { message: string; extensions?: { code?: unknown } }[];
};

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
  if (error !== undefined) {
    const code = String(error.extensions?.code ?? '');
    if (passing.includes(code)) throw new Error(error.message);
    throw new LipsyncRequestError(error.message, code || null);
  }
  const answer = data?.answer as T | (Omit<FutureError, '__typename'> & { __typename: string });
  if (known.includes(answer?.__typename)) return answer as T;
  if (answer && 'code' in answer) {
    const { code, message, retryable, retryAfterSeconds } = answer;
    return { __typename: 'FutureError', code, message, retryable, retryAfterSeconds };
  }
  throw new LipsyncRequestError(`The answer ${answer?.__typename} is newer than this kit.`);
}
