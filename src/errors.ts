/**
 * The closed list of failures that callers can act on. Each is a member of the GraphQL result unions. All other errors are
 * defects and are masked.
 *
 * They do not extend `Error`: graphql-js treats a returned `Error` as a thrown one, so a field such as `Lipsync.failure`
 * would become null plus an entry in `errors[]`. They can still be thrown.
 * Callers read the messages: they must not contain tokens, e-mail addresses, file paths or upstream addresses.
 */

export const failureCodes = [
  'INVALID_INPUT',
  'UPSTREAM_UNAUTHORIZED',
  'SUBSCRIPTION_EXPIRED',
  'NOT_FOUND',
  'INSUFFICIENT_CREDITS',
  'CONTENT_MODERATED',
  'RATE_LIMITED',
  'ACCOUNT_PENDING',
  'UPSTREAM_UNAVAILABLE',
  'GENERATION_FAILED',
  'OUTCOME_UNKNOWN',
  'NOT_AUTHENTICATED',
  'NOT_AUTHORIZED',
  'IDEMPOTENCY_CONFLICT',
  'QUEUE_FULL',
  'QUOTA_EXCEEDED',
] as const;

export type FailureCode = (typeof failureCodes)[number];

export abstract class Failure {
  abstract readonly code: FailureCode;
  readonly message: string;
  readonly retryable: boolean;
  /** Whole seconds to wait before a retry; null if waiting alone does not help or the time is unknown. */
  readonly retryAfterSeconds: number | null;

  constructor(message: string, retry: { retryable?: boolean; afterSeconds?: number } = {}) {
    this.message = message;
    this.retryable = retry.retryable ?? false;
    this.retryAfterSeconds = retry.afterSeconds ?? null;
  }

  /** Other executors than graphql-js wrap a thrown value in an `Error`, from which `failureOf` reads it back as `cause`. */
  get cause(): this {
    return this;
  }
}

/** The kinds of rules that an input can break, for programs. */
export const inputIssueCodes = [
  'REQUIRED',
  'TOO_LONG',
  'TOO_LARGE',
  'OUT_OF_RANGE',
  'INVALID_FORMAT',
  'INVALID_CHARACTER',
  'INVALID_CURSOR',
  'DUPLICATE',
  'NOT_COMBINABLE',
  'UNKNOWN_ID',
  'WRONG_KIND',
  'WRONG_STATUS',
  'WRONG_SIZE',
  'NOT_ALLOWED',
  'NOT_SUPPORTED',
  'INCOMPLETE',
  'UNREACHABLE',
  'REJECTED',
  'INVALID',
] as const;
export type InputIssueCode = (typeof inputIssueCodes)[number];

/** `path` is the path to the invalid input field, such as `['input', 'speech', 'script', 'text']`. */
export type InputIssue = { path: string[]; message: string; code: InputIssueCode };

export class InvalidInputError extends Failure {
  override readonly code = 'INVALID_INPUT';
  readonly issues: InputIssue[];

  constructor(issues: InputIssue[]) {
    super(issues.map((issue) => issue.message).join(' ') || 'The input is not valid.');
    this.issues = issues;
  }
}

export class UpstreamUnauthorizedError extends Failure {
  override readonly code = 'UPSTREAM_UNAUTHORIZED';

  constructor() {
    super(
      'The video service refused the credentials of this server. Its operator must renew them.',
    );
  }
}

export class SubscriptionExpiredError extends Failure {
  override readonly code = 'SUBSCRIPTION_EXPIRED';

  constructor() {
    super("The operator's subscription to the video service has expired.");
  }
}

export class NotFoundError extends Failure {
  override readonly code = 'NOT_FOUND';

  constructor(what: string) {
    super(`${what} was not found.`);
  }
}

export class InsufficientCreditsError extends Failure {
  override readonly code = 'INSUFFICIENT_CREDITS';

  /** @param lacking ACCOUNT: of the account; MAX_CREDITS: the estimated cost is above what the caller accepts */
  constructor(lacking: 'ACCOUNT' | 'MAX_CREDITS' = 'ACCOUNT') {
    super(
      lacking === 'ACCOUNT'
        ? 'The account that would make this video has too few credits left.'
        : 'The estimated cost of this lip-sync is above its maxCredits.',
    );
  }
}

export class ContentModeratedError extends Failure {
  override readonly code = 'CONTENT_MODERATED';

  constructor() {
    super("The video service's moderation refused this content. Change the text, audio or video.");
  }
}

export const upstreamLimits = ['ACCOUNT_BUSY', 'ALL_ACCOUNTS_BUSY', 'PROVIDER_LIMIT'] as const;
export type UpstreamLimit = (typeof upstreamLimits)[number];

const busyMessages: Record<UpstreamLimit, string> = {
  ACCOUNT_BUSY: 'The account of this video is busy. Try again later, or let the request wait.',
  ALL_ACCOUNTS_BUSY: 'All accounts are busy. Try again later, or let the request wait.',
  PROVIDER_LIMIT: 'The video service has reached its limit for concurrent generations.',
};

export class RateLimitedError extends Failure {
  override readonly code = 'RATE_LIMITED';
  readonly limit: UpstreamLimit;

  /** @param afterSeconds 10 to 30, the range that the upstream's documentation asks clients to wait */
  constructor(limit: UpstreamLimit, afterSeconds: number) {
    super(busyMessages[limit], { retryable: true, afterSeconds });
    this.limit = limit;
  }
}

export class AccountPendingError extends Failure {
  override readonly code = 'ACCOUNT_PENDING';

  constructor() {
    super('The account that would make this video is on hold until its operator reconnects it.');
  }
}

export const unavailableReasons = [
  'TIMEOUT',
  'CONNECTION_FAILED',
  'SERVER_ERROR',
  'INVALID_ANSWER',
  'UNKNOWN_STATUS',
  'NO_ACCOUNT',
] as const;
export type UnavailableReason = (typeof unavailableReasons)[number];

const unavailableMessages: Record<UnavailableReason, string> = {
  TIMEOUT: 'The video service did not answer in time.',
  CONNECTION_FAILED: 'The video service could not be reached.',
  SERVER_ERROR: 'The video service responded with a server error.',
  INVALID_ANSWER: 'The video service returned a response that could not be read.',
  UNKNOWN_STATUS: 'The video service returned an undocumented status.',
  NO_ACCOUNT: 'No account is configured at the video service.',
};

export class UpstreamUnavailableError extends Failure {
  override readonly code = 'UPSTREAM_UNAVAILABLE';
  /** The GraphQL field `cause`. It has another name here, because `cause` of every failure is the failure itself: see above. */
  readonly reason: UnavailableReason;

  /** Retryable by default: a read changes nothing, and a POST that was not sent costs nothing. */
  constructor(reason: UnavailableReason, retryable = true) {
    super(unavailableMessages[reason], { retryable });
    this.reason = reason;
  }
}

export class GenerationFailedError extends Failure {
  override readonly code = 'GENERATION_FAILED';

  constructor(message = 'The video service could not generate this video.') {
    super(message);
  }
}

export class OutcomeUnknownError extends Failure {
  override readonly code = 'OUTCOME_UNKNOWN';
  readonly lipsyncId: string;

  constructor(lipsyncId: string) {
    super(
      'The request was sent, but its outcome is unknown. The server searches for its job and never sends it again: follow this lip-sync.',
    );
    this.lipsyncId = lipsyncId;
  }
}

export class NotAuthenticatedError extends Failure {
  override readonly code = 'NOT_AUTHENTICATED';

  constructor() {
    super('Sign in to do this.');
  }
}

export class NotAuthorizedError extends Failure {
  override readonly code = 'NOT_AUTHORIZED';

  constructor(scope: string) {
    super(`This needs the scope ${scope}.`);
  }
}

export class IdempotencyConflictError extends Failure {
  override readonly code = 'IDEMPOTENCY_CONFLICT';

  constructor() {
    super('This idempotencyKey was already used with a different input.');
  }
}

/** What has no free place: the whole queue, or the part of it that one owner can use now. */
export type FullQueue = 'QUEUE' | 'SHARE_OF_OWNER';

export class QueueFullError extends Failure {
  override readonly code = 'QUEUE_FULL';

  constructor(full: FullQueue) {
    const message =
      full === 'QUEUE'
        ? 'Too many lip-syncs of all owners are waiting. Try again later.'
        : 'Too many of your lip-syncs are waiting: the other places are for other owners. Try again when some of yours have started.';
    super(message, { retryable: true, afterSeconds: 30 });
  }
}

export class QuotaExceededError extends Failure {
  override readonly code = 'QUOTA_EXCEEDED';

  /** @param limit such as `3 open subscriptions` */
  constructor(limit: string, afterSeconds: number) {
    super(`The limit of ${limit} is used up.`, { retryable: true, afterSeconds });
  }
}

/** A failure as JSON, as it is stored in a row. */
export type StoredFailure = {
  code: FailureCode;
  message: string;
  retryable: boolean;
  retryAfterSeconds: number | null;
  /** Without a code in rows from before version 0.3. */
  issues?: (Omit<InputIssue, 'code'> & { code?: InputIssueCode })[];
  limit?: string;
  /** Of UPSTREAM_UNAVAILABLE, and of RATE_LIMITED in rows from before `limit`. */
  reason?: string;
  lipsyncId?: string;
};

export function storeFailure(failure: Failure): StoredFailure {
  const { code, message, retryable, retryAfterSeconds } = failure;
  return {
    code,
    message,
    retryable,
    retryAfterSeconds,
    ...(failure instanceof InvalidInputError ? { issues: failure.issues } : {}),
    ...(failure instanceof RateLimitedError ? { limit: failure.limit } : {}),
    ...(failure instanceof UpstreamUnavailableError ? { reason: failure.reason } : {}),
    ...(failure instanceof OutcomeUnknownError ? { lipsyncId: failure.lipsyncId } : {}),
  };
}

const prototypes: Record<FailureCode, Failure> = {
  INVALID_INPUT: InvalidInputError.prototype,
  UPSTREAM_UNAUTHORIZED: UpstreamUnauthorizedError.prototype,
  SUBSCRIPTION_EXPIRED: SubscriptionExpiredError.prototype,
  NOT_FOUND: NotFoundError.prototype,
  INSUFFICIENT_CREDITS: InsufficientCreditsError.prototype,
  CONTENT_MODERATED: ContentModeratedError.prototype,
  RATE_LIMITED: RateLimitedError.prototype,
  ACCOUNT_PENDING: AccountPendingError.prototype,
  UPSTREAM_UNAVAILABLE: UpstreamUnavailableError.prototype,
  GENERATION_FAILED: GenerationFailedError.prototype,
  OUTCOME_UNKNOWN: OutcomeUnknownError.prototype,
  NOT_AUTHENTICATED: NotAuthenticatedError.prototype,
  NOT_AUTHORIZED: NotAuthorizedError.prototype,
  IDEMPOTENCY_CONFLICT: IdempotencyConflictError.prototype,
  QUEUE_FULL: QueueFullError.prototype,
  QUOTA_EXCEEDED: QuotaExceededError.prototype,
};

/** Restores a stored failure with its class, so that it resolves to the same member of a union. */
export function restoreFailure(stored: StoredFailure): Failure {
  const { issues, limit = stored.code === 'RATE_LIMITED' ? stored.reason : undefined } = stored;
  return Object.assign(Object.create(prototypes[stored.code]) as Failure, stored, {
    ...(issues === undefined
      ? {}
      : { issues: issues.map((each) => ({ code: 'INVALID', ...each })) }),
    ...(limit === undefined ? {} : { limit }),
  });
}
