import type { CombinedError } from 'urql';
import { explainFailure } from './explain.ts';
import type { Words } from './notices.ts';

/** Why a read failed as a whole: what `errors[]` say, or that no answer came. */
export function explainRead(error: CombinedError | undefined): Words {
  const [told] = error?.graphQLErrors ?? [];
  if (told === undefined) {
    return {
      title: 'The server can not be reached',
      advice: 'Look after your network, and try again.',
      step: 'TRY_AGAIN',
    };
  }
  const { code, retryable, retryAfterSeconds } = told.extensions;
  return explainFailure({
    code: String(code),
    message: told.message,
    retryable: retryable === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
  });
}
