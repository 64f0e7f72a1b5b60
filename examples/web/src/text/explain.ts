import {
  type CancelLipsyncAnswer,
  type CreateFailure,
  type FutureError,
  LipsyncConnectionError,
  type LipsyncErrorCode,
  type LipsyncFailure,
  LipsyncServerError,
  type UploadAnswer,
  type WatchFailure,
} from 'lipsync-graphql-client';
import { type Notice, noticeByCode } from './notices.ts';

type CancelFailure = Exclude<CancelLipsyncAnswer, { lipsync: object }>;
type UploadFailure = Exclude<UploadAnswer, { __typename: 'UploadReady' }>;

export type Refusal = CreateFailure | CancelFailure | UploadFailure | WatchFailure;

/**
 * The notice for a failure that the kit returns. The switch is exhaustive: a failure type that the kit adds is a type
 * error here until it has a case. A type that only a newer server knows arrives as `FutureError`.
 */
export function explainRefusal(refusal: Refusal): Notice {
  switch (refusal.__typename) {
    case 'InvalidInputError':
      return {
        ...noticeByCode.INVALID_INPUT,
        details: refusal.issues.map(({ message }) => message),
      };
    case 'RateLimitedError':
      return withAdvice(refusal, busyAdvice[refusal.limit]);
    case 'NotAuthorizedError':
    case 'QuotaExceededError':
      return { ...explainFailure(refusal), details: [refusal.message] };
    case 'UploadRefused':
      return explainUpload(refusal);
    case 'FutureError':
      return explainUnknown(refusal);
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

const queueHint = 'Nothing was sent. To queue it, turn on “Wait in the queue when busy”.';
const busyAdvice = {
  ACCOUNT_BUSY: `The account of this video has no free slot. ${queueHint}`,
  ALL_ACCOUNTS_BUSY: `No account has a free slot. ${queueHint}`,
  PROVIDER_LIMIT: `The provider of the video service has reached its limit. ${queueHint}`,
};

type FailureWithAnyCode = Omit<LipsyncFailure, 'code'> & { code: string };

/** The notice for a failure by its code alone, as in `Lipsync.failure` and in `errors[]`. */
export function explainFailure(failure: FailureWithAnyCode): Notice {
  if (!isKnown(failure.code)) return explainUnknown(failure);
  return withAdvice(failure, noticeByCode[failure.code].advice);
}

function withAdvice(
  { code, retryable, retryAfterSeconds }: Omit<FailureWithAnyCode, 'message'>,
  advice: string,
): Notice {
  const notice = isKnown(code) ? noticeByCode[code] : unknownFailure;
  return {
    ...notice,
    advice: retryable ? `${advice} ${describeRetry(retryAfterSeconds)}` : advice,
  };
}

const unknownFailure: Notice = { title: 'Something went wrong', advice: '', step: 'NOTHING' };

/** For a failure of a newer server: its message is the only explanation. */
function explainUnknown({
  message,
  retryable,
  retryAfterSeconds,
}: Omit<FutureError, '__typename'>): Notice {
  return {
    title: unknownFailure.title,
    advice: retryable ? `${message} ${describeRetry(retryAfterSeconds)}` : message,
    step: retryable ? 'TRY_AGAIN' : 'NOTHING',
  };
}

function explainUpload({
  message,
  retryable,
  retryAfterSeconds,
}: Pick<LipsyncFailure, 'message' | 'retryable' | 'retryAfterSeconds'>): Notice {
  return {
    title: 'The file was not accepted',
    advice: retryable ? describeRetry(retryAfterSeconds) : 'Choose another file.',
    step: retryable ? 'TRY_AGAIN' : 'NOTHING',
    details: [message],
  };
}

/** The notice for an error that the kit throws: no answer arrived, or the server refused the request itself. */
export function explainError(error: Error): Notice {
  if (error instanceof LipsyncConnectionError) {
    return {
      title: 'No connection',
      advice:
        'Check your network and try again. Lip-syncs that were already requested continue, and nothing is made twice.',
      step: 'TRY_AGAIN',
    };
  }
  if (error instanceof LipsyncServerError) return explainServerError(error);
  return {
    title: 'The server rejected the request',
    advice: 'This page may be out of date. Reload it.',
    step: 'NOTHING',
    details: [error.message],
  };
}

/** The connection works, and the network has nothing to do with it. The request's id finds the fault in the server's log. */
function explainServerError({ code, requestId }: LipsyncServerError): Notice {
  const isUnavailable = code === 'TEMPORARILY_UNAVAILABLE';
  return {
    title: isUnavailable ? 'The server is not available' : 'The server made a mistake',
    advice:
      'Try again in a moment. Lip-syncs that were already requested continue, and nothing is made twice.',
    step: 'TRY_AGAIN',
    details: requestId === null ? [] : [`If it happens again, report the request ${requestId}.`],
  };
}

function describeRetry(seconds: number | null): string {
  if (seconds === null) return 'Try again in a moment.';
  if (seconds < 90) return `Try again in ${seconds} seconds.`;
  if (seconds < 5_400) return `Try again in ${Math.round(seconds / 60)} minutes.`;
  return `Try again in ${Math.round(seconds / 3_600)} hours.`;
}

function isKnown(code: string): code is LipsyncErrorCode {
  return Object.hasOwn(noticeByCode, code);
}
