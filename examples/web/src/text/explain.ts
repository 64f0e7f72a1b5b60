import {
  type CancelLipsyncAnswer,
  type CreateFailure,
  type FutureError,
  LipsyncConnectionError,
  type LipsyncErrorCode,
  type LipsyncFailure,
  type UploadAnswer,
  type WatchFailure,
} from 'lipsync-graphql-client';
import { type Words, wordsByCode } from './notices.ts';

type CreateRefusal = CreateFailure;
type CancelRefusal = Exclude<
  CancelLipsyncAnswer,
  { __typename: 'LipsyncCancelled' | 'LipsyncTrackingStopped' | 'LipsyncAlreadyFinished' }
>;
type UploadRefusal = Exclude<UploadAnswer, { __typename: 'UploadReady' }>;

export type Refusal = CreateRefusal | CancelRefusal | UploadRefusal | WatchFailure;

/**
 * Words for whatever the kit gives back instead of a success. The switch is complete: where the kit learns a type, this
 * no longer compiles until there is an answer to it, and what only a newer server knows is a `FutureError`.
 */
export function explain(refusal: Refusal): Words {
  switch (refusal.__typename) {
    case 'InvalidInputError':
      return {
        ...wordsByCode.INVALID_INPUT,
        details: refusal.issues.map(({ message }) => message),
      };
    case 'RateLimitedError':
      return withAdvice(refusal, busyAdvice[refusal.reason]);
    case 'NotAuthorizedError':
    case 'QuotaExceededError':
      return { ...explainFailure(refusal), details: [refusal.message] };
    case 'UploadRefused':
      return explainUpload(refusal);
    case 'FutureError':
      return explainFuture(refusal);
    case 'AccountPendingError':
    case 'ContentModeratedError':
    case 'IdempotencyConflictError':
    case 'InsufficientCreditsError':
    case 'NotAuthenticatedError':
    case 'NotFoundError':
    case 'QueueFullError':
    case 'SubscriptionExpiredError':
    case 'UpstreamUnauthorizedError':
    case 'UpstreamUnavailableError':
      return explainFailure(refusal);
  }
}

const line = 'Nothing was sent. You can also let it wait in line.';
const busyAdvice = {
  ACCOUNT_BUSY: `The account of this video has no place free. ${line}`,
  ALL_ACCOUNTS_BUSY: `No account has a place free. ${line}`,
  PROVIDER_LIMIT: `The company behind the video service takes no more right now. ${line}`,
};

/** A failure by its code alone, as a lip-sync keeps it and as `errors[]` tell it. */
export function explainFailure(failure: Omit<LipsyncFailure, 'code'> & { code: string }): Words {
  if (!isKnown(failure.code)) return explainFuture(failure);
  return withAdvice(failure, wordsByCode[failure.code].advice);
}

function withAdvice(
  {
    code,
    retryable,
    retryAfterSeconds,
  }: Pick<LipsyncFailure, 'retryable' | 'retryAfterSeconds'> & {
    code: string;
  },
  advice: string,
): Words {
  const words = isKnown(code) ? wordsByCode[code] : unknown;
  return { ...words, advice: retryable ? `${advice} ${when(retryAfterSeconds)}` : advice };
}

const unknown: Words = { title: 'This did not work', advice: '', step: 'NOTHING' };

/** From a server that is newer than this page: its own words are all there is. */
function explainFuture({
  message,
  retryable,
  retryAfterSeconds,
}: Omit<FutureError, '__typename'>): Words {
  return {
    title: unknown.title,
    advice: retryable ? `${message} ${when(retryAfterSeconds)}` : message,
    step: retryable ? 'TRY_AGAIN' : 'NOTHING',
  };
}

function explainUpload({ message, retryable, retryAfterSeconds }: LipsyncFailureOf): Words {
  return {
    title: 'The file was not taken',
    advice: retryable ? when(retryAfterSeconds) : 'Choose another one.',
    step: retryable ? 'TRY_AGAIN' : 'NOTHING',
    details: [message],
  };
}

type LipsyncFailureOf = Pick<LipsyncFailure, 'message' | 'retryable' | 'retryAfterSeconds'>;

/** What the kit throws: no answer came at all, or the server takes no such request. */
export function explainThrown(error: Error): Words {
  if (error instanceof LipsyncConnectionError) {
    return {
      title: 'There is no connection',
      advice:
        'Look after your network, and try again. What was asked for already goes on meanwhile, and nothing is made twice.',
      step: 'TRY_AGAIN',
    };
  }
  return {
    title: 'The server does not take what this page sends',
    advice: 'Load the page again: it may be older than the server.',
    step: 'NOTHING',
    details: [error.message],
  };
}

function when(seconds: number | null): string {
  if (seconds === null) return 'Try again in a moment.';
  if (seconds < 90) return `Try again in ${seconds} seconds.`;
  if (seconds < 5_400) return `Try again in ${Math.round(seconds / 60)} minutes.`;
  return `Try again in ${Math.round(seconds / 3_600)} hours.`;
}

function isKnown(code: string): code is LipsyncErrorCode {
  return Object.hasOwn(wordsByCode, code);
}
