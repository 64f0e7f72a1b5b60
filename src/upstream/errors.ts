import { randomInt } from 'node:crypto';
import {
  AccountPendingError,
  ContentModeratedError,
  type Failure,
  InsufficientCreditsError,
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
  SubscriptionExpiredError,
  type UpstreamLimit,
  UpstreamUnauthorizedError,
  UpstreamUnavailableError,
} from '../errors.ts';
import { parseRetryAfterSeconds } from './retry-after.ts';

// The upstream's own page asks clients to wait "at least 10..30 seconds" after a 429.
const minRetryAfterSeconds = 10;
const maxRetryAfterSeconds = 30;

/** useapi's own status for a PixVerse account on hold. Not transient although above 500: an operator must reconnect it. */
const accountPendingStatus = 596;

const busyPhrases: [phrase: RegExp, limit: UpstreamLimit][] = [
  [/is busy executing/i, 'ACCOUNT_BUSY'],
  [/maximum capacity/i, 'ALL_ACCOUNTS_BUSY'],
  [/concurrent generations/i, 'PROVIDER_LIMIT'],
];

const plainFailures: Record<number, () => Failure> = {
  401: () => new UpstreamUnauthorizedError(),
  402: () => new SubscriptionExpiredError(),
  404: () => new NotFoundError('The requested resource'),
  412: () => new InsufficientCreditsError(),
  422: () => new ContentModeratedError(),
  [accountPendingStatus]: () => new AccountPendingError(),
};

/**
 * The failure that an upstream response other than 2xx means to a caller (design.md, section 3). The HTTP status alone
 * decides: the bodies of the lipsync endpoint have no `code`.
 *
 * @param body the parsed JSON, or undefined without JSON
 * @param retryAfter the `Retry-After` header, as seconds or as an HTTP date
 */
export function failureOfStatus(status: number, body: unknown, retryAfter?: string): Failure {
  if (status === 400) {
    return new InvalidInputError([
      { path: ['input'], message: inputMessageOf(body), code: 'REJECTED' },
    ]);
  }
  if (status === 429) {
    return new RateLimitedError(upstreamLimitOf(body), retryAfterSecondsOf(body, retryAfter));
  }
  const plain = plainFailures[status];
  if (plain) {
    return plain();
  }
  const isServerError = status >= 500 && status <= 599;
  return new UpstreamUnavailableError(isServerError ? 'SERVER_ERROR' : 'UNKNOWN_STATUS');
}

/** For a request that was sent and may have taken effect: repeating it could do the work twice. */
export function markNotRetryable(thrown: unknown): unknown {
  return thrown instanceof UpstreamUnavailableError && thrown.retryable
    ? new UpstreamUnavailableError(thrown.reason, false)
    : thrown;
}

/** The `error` of a JSON body, unless empty: every field of an error body is documented as optional. */
export function errorTextOf(body: unknown): string | undefined {
  const error = fieldOf(body, 'error');
  if (typeof error === 'string') {
    return error || undefined;
  }
  return error ? JSON.stringify(error) : undefined;
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name)
    ? (body as Record<string, unknown>)[name]
    : undefined;
}

function upstreamLimitOf(body: unknown): UpstreamLimit {
  const text = errorTextOf(body) ?? '';
  return busyPhrases.find(([phrase]) => phrase.test(text))?.[1] ?? 'ALL_ACCOUNTS_BUSY';
}

function retryAfterSecondsOf(body: unknown, header: string | undefined): number {
  const seconds =
    parseRetryAfterSeconds(header) ?? parseRetryAfterSeconds(fieldOf(body, 'retryAfter'));
  return seconds === undefined
    ? randomRetryAfterSeconds()
    : Math.min(maxRetryAfterSeconds, Math.max(minRetryAfterSeconds, Math.ceil(seconds)));
}

/** Random, so that requests that were rejected together do not retry together. */
export function randomRetryAfterSeconds(): number {
  return randomInt(minRetryAfterSeconds, maxRetryAfterSeconds + 1);
}

/** The upstream's own message if it is safe to show, because only that says which input it rejected. */
function inputMessageOf(body: unknown): string {
  const error = fieldOf(body, 'error');
  return typeof error === 'string' && isSafeToShow(error)
    ? error.trim()
    : 'The video service rejected this input.';
}

// The upstream's messages quote ids, e-mails, URLs and file paths. Rejecting the whole message is safer than cutting
// pieces out. A long word may be a token. Format characters (category Cf) could reverse or hide text.
const maxShownLength = 200;
const maxShownWordLength = 24;
const unsafePatterns = [
  /@/,
  /%40/,
  /[/\\]/,
  /user:/i,
  /pixverse:/i,
  /<[a-z!]/i,
  // A host name, such as that of the service. A sentence without a space after its full stop is rejected too.
  /\p{L}\.\p{L}{2,}/u,
  /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u,
];

function isSafeToShow(text: string): boolean {
  return (
    text.trim() !== '' &&
    text.length <= maxShownLength &&
    text.split(' ').every((word) => word.length <= maxShownWordLength) &&
    !unsafePatterns.some((pattern) => pattern.test(text))
  );
}

/** Replaces our token in the upstream's text, also where only the secret part of the token is quoted. */
export function redactToken(text: string, token: string): string {
  const [, unique] = /^user:\d+-(.{8,})$/.exec(token) ?? [];
  const redacted = text.replaceAll(token, '[token]');
  return unique === undefined ? redacted : redacted.replaceAll(unique, '[token]');
}
