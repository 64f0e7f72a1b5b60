import type { CombinedError } from 'urql';
import { explainFailure } from './explain.ts';
import type { Notice } from './notices.ts';

/** The notice for a query without data: the first of its `errors[]`, or a network error. */
export function explainQueryError(error: CombinedError | undefined): Notice {
  const [first] = error?.graphQLErrors ?? [];
  if (first === undefined) {
    return {
      title: 'The server cannot be reached',
      advice: 'Check your network and try again.',
      step: 'TRY_AGAIN',
    };
  }
  const { code, retryable, retryAfterSeconds } = first.extensions;
  return explainFailure({
    code: String(code),
    message: first.message,
    retryable: retryable === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
  });
}
