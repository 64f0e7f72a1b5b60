import { randomInt } from 'node:crypto';
import {
  AccountPendingError,
  ContentModeratedError,
  type Failure,
  InsufficientCreditsError,
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
  type RateLimitReason,
  SubscriptionExpiredError,
  UpstreamUnauthorizedError,
  UpstreamUnavailableError,
} from '../errors.ts';

// The upstream's own page asks clients to wait "at least 10..30 seconds" after a 429.
const minRetryAfterSeconds = 10;
const maxRetryAfterSeconds = 30;

/** useapi's own status for a PixVerse account on hold. Above 500 and yet not transient: only its operator heals it. */
const accountPendingStatus = 596;

const busyPhrases: [phrase: RegExp, reason: RateLimitReason][] = [
  [/is busy executing/i, 'ACCOUNT_BUSY'],
  [/maximum capacity/i, 'ALL_ACCOUNTS_BUSY'],
  [/concurrent generations/i, 'PROVIDER_LIMIT'],
];

const plainFailures: Record<number, () => Failure> = {
  401: () => new UpstreamUnauthorizedError(),
  402: () => new SubscriptionExpiredError(),
  404: () => new NotFoundError('What was asked for'),
  412: () => new InsufficientCreditsError(),
  422: () => new ContentModeratedError(),
  [accountPendingStatus]: () => new AccountPendingError(),
};

/**
 * What an upstream answer other than 2xx means to a caller (design.md, section 3). The HTTP status alone decides:
 * `code` is absent from the bodies of the lipsync endpoint.
 *
 * @param body the parsed JSON, or undefined where there was none
 * @param retryAfter the `Retry-After` header, as seconds or as an HTTP date
 */
export function failureOfStatus(status: number, body: unknown, retryAfter?: string): Failure {
  if (status === 400) {
    return new InvalidInputError([{ path: ['input'], message: refusalOf(body) }]);
  }
  if (status === 429) {
    return new RateLimitedError(busyReasonOf(body), retryAfterSecondsOf(body, retryAfter));
  }
  const plain = plainFailures[status];
  if (plain) {
    return plain();
  }
  const isServerError = status >= 500 && status <= 599;
  return new UpstreamUnavailableError(isServerError ? 'SERVER_ERROR' : 'UNKNOWN_STATUS');
}

/** The same of something that was sent and may have happened: whoever sends it again may do it twice. */
export function unrepeatable(thrown: unknown): unknown {
  return thrown instanceof UpstreamUnavailableError && thrown.retryable
    ? new UpstreamUnavailableError(thrown.reason, false)
    : thrown;
}

/** The `error` of a JSON body, where it says anything: every field of an error body is documented as optional. */
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

function busyReasonOf(body: unknown): RateLimitReason {
  const text = errorTextOf(body) ?? '';
  return busyPhrases.find(([phrase]) => phrase.test(text))?.[1] ?? 'ALL_ACCOUNTS_BUSY';
}

function retryAfterSecondsOf(body: unknown, header: string | undefined): number {
  const told = secondsOf(header) ?? secondsOf(fieldOf(body, 'retryAfter'));
  return told === undefined
    ? randomRetryAfterSeconds()
    : Math.min(maxRetryAfterSeconds, Math.max(minRetryAfterSeconds, Math.ceil(told)));
}

/** Random, so that clients rejected at the same time do not all retry at the same time. */
export function randomRetryAfterSeconds(): number {
  return randomInt(minRetryAfterSeconds, maxRetryAfterSeconds + 1);
}

function secondsOf(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : undefined;
  }
  if (typeof value !== 'string' || value.trim() === '') {
    return undefined;
  }
  const seconds = Number(value);
  if (Number.isFinite(seconds)) {
    return seconds;
  }
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : (date - Date.now()) / 1000;
}

/** The upstream's own words where they can do no harm, because they alone say which input it disliked. */
function refusalOf(body: unknown): string {
  const error = fieldOf(body, 'error');
  return typeof error === 'string' && isHarmless(error)
    ? error.trim()
    : 'The video service refused this input.';
}

// Its texts quote ids, e-mails, URLs and file paths. Refusing the whole text is safer than cutting pieces out, and a
// long word may be a token. Format characters (category Cf) could reverse or hide what a reader sees.
const maxHarmlessLength = 200;
const maxHarmlessWord = 24;
const harmful = [
  /@/,
  /%40/,
  /[/\\]/,
  /user:/i,
  /pixverse:/i,
  /<[a-z!]/i,
  /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u,
];

function isHarmless(text: string): boolean {
  return (
    text.trim() !== '' &&
    text.length <= maxHarmlessLength &&
    text.split(' ').every((word) => word.length <= maxHarmlessWord) &&
    !harmful.some((pattern) => pattern.test(text))
  );
}

const maxLoggedLength = 200;

/** A text of the upstream without our token, also where it quotes only that part which makes the token a secret. */
export function withoutToken(text: string, token: string): string {
  const [, unique] = /^user:\d+-(.{8,})$/.exec(token) ?? [];
  const bare = text.replaceAll(token, '[token]');
  return unique === undefined ? bare : bare.replaceAll(unique, '[token]');
}

/** The beginning of a text, fit for a log: without our token, without e-mails and without long encoded words. */
export function redact(text: string, token: string): string {
  // Tokens first and in the whole text: one that is cut in half would no longer be recognised. Then cut, because the
  // e-mail pattern takes quadratic time on a long word.
  return withoutToken(text, token)
    .slice(0, 5 * maxLoggedLength)
    .replace(/[^\s"'<>,;:()[\]{}/\\?=&]+(?:@|%40)[^\s"'<>,;:()[\]{}/\\?=&]+/gi, '[e-mail]')
    .replace(/(?=[\w+=-]*\d)[\w+=-]{40,}/g, '[…]')
    .slice(0, maxLoggedLength);
}
