import { GraphQLError } from 'graphql';
import {
  AccountPendingError,
  ContentModeratedError,
  Failure,
  type FailureCode,
  failureCodes,
  GenerationFailedError,
  IdempotencyConflictError,
  InsufficientCreditsError,
  InvalidInputError,
  NotAuthenticatedError,
  NotAuthorizedError,
  NotFoundError,
  OutcomeUnknownError,
  QueueFullError,
  QuotaExceededError,
  RateLimitedError,
  SubscriptionExpiredError,
  type UnavailableReason,
  type UpstreamLimit,
  UpstreamUnauthorizedError,
  UpstreamUnavailableError,
} from '../errors.ts';
import { builder } from './builder.ts';
import { InputIssueRef } from './input-issue.ts';
import { listOf } from './prices.ts';

const codeDescriptions: Record<FailureCode, string> = {
  INVALID_INPUT:
    'The input is not valid; `issues` lists the reasons. Nothing was sent to the video service or charged.',
  UPSTREAM_UNAUTHORIZED: "The video service rejected this server's credentials.",
  SUBSCRIPTION_EXPIRED: "The operator's subscription to the video service has expired.",
  NOT_FOUND: 'The object does not exist, or it belongs to another owner.',
  INSUFFICIENT_CREDITS:
    'The account has too few credits, or the estimated cost is above `maxCredits`.',
  CONTENT_MODERATED: "The video service's moderation rejected the content.",
  RATE_LIMITED: 'The video service has no free capacity right now.',
  ACCOUNT_PENDING: 'The account is on hold until the operator reconnects it.',
  UPSTREAM_UNAVAILABLE:
    'The video service could not be reached or did not return a usable response.',
  GENERATION_FAILED: 'The video service failed to generate the video.',
  OUTCOME_UNKNOWN: 'The request was sent, but its outcome is unknown. It is never sent again.',
  NOT_AUTHENTICATED: 'The request has no valid token.',
  NOT_AUTHORIZED: 'The caller does not have the required scope.',
  IDEMPOTENCY_CONFLICT: 'The idempotencyKey was used before with a different input.',
  QUEUE_FULL: "This server's queue is full.",
  QUOTA_EXCEEDED: 'A limit of this server is exhausted.',
};

export const ErrorCodeRef = builder.enumType('LipsyncErrorCode', {
  description: 'The kind of a failure: the name of its type without `Error`, in capitals.',
  values: Object.fromEntries(
    failureCodes.map((code) => [code, { description: codeDescriptions[code] }]),
  ) as Record<FailureCode, { description: string }>,
});

/** The rule behind every code: `NOT_FOUND` is the code of `NotFoundError`. */
function typeNameOf(code: FailureCode): string {
  const words = code.split('_').map((word) => word.charAt(0) + word.slice(1).toLowerCase());
  return `${words.join('')}Error`;
}

/** The fields of every failure. Exported for fields that can return any of them. */
export const LipsyncErrorRef = builder.interfaceRef<Failure>('LipsyncError').implement({
  description: 'A documented failure. Each kind is a type of its own.',
  resolveType: ({ code }) => typeNameOf(code),
  fields: (t) => ({
    code: t.field({
      type: ErrorCodeRef,
      description:
        'The kind of failure, for programs: the name of the type without `Error`, in capitals.',
      resolve: (failure) => failure.code,
    }),
    message: t.exposeString('message', {
      description:
        'A description of the failure, for display. The wording can change between versions.',
    }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether the same request can succeed later without a change.',
    }),
    retryAfterSeconds: t.exposeInt('retryAfterSeconds', {
      nullable: true,
      description:
        'Seconds to wait before a retry. Null if waiting alone does not help, or if the time is unknown.',
    }),
  }),
});

const UpstreamLimitRef = builder.enumType('UpstreamLimit', {
  description: 'The limit of the video service that was reached.',
  values: {
    ACCOUNT_BUSY: { description: 'The account of the source video has no free slot.' },
    ALL_ACCOUNTS_BUSY: { description: 'No account has a free slot.' },
    PROVIDER_LIMIT: {
      description: 'The provider behind the video service accepts no more concurrent jobs.',
    },
  } satisfies Record<UpstreamLimit, object>,
});

const UnavailableCauseRef = builder.enumType('UpstreamUnavailableCause', {
  description: 'Why the video service was not available.',
  values: {
    TIMEOUT: { description: 'It did not respond in time.' },
    CONNECTION_FAILED: { description: 'No connection could be made, or it was lost.' },
    SERVER_ERROR: { description: 'It responded with a server error.' },
    INVALID_ANSWER: { description: 'Its response does not match its documentation.' },
    UNKNOWN_STATUS: { description: 'It responded with an undocumented status.' },
    NO_ACCOUNT: { description: 'It has no configured account.' },
  } satisfies Record<UnavailableReason, object>,
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks a rule of this server or of the video service.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    issues: t.field({
      type: [InputIssueRef],
      directives: { listSize: listOf(5) },
      description: 'All reasons why the input is not valid.',
      resolve: (failure) => failure.issues,
    }),
  }),
});

builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  description: 'The video service has no free capacity, and the request does not allow waiting.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    limit: t.field({
      type: UpstreamLimitRef,
      description: 'The limit that was reached.',
      resolve: (failure) => failure.limit,
    }),
  }),
});

builder.objectType(UpstreamUnavailableError, {
  name: 'UpstreamUnavailableError',
  description: 'The video service could not be reached or did not return a usable response.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    cause: t.field({
      type: UnavailableCauseRef,
      description: 'What failed.',
      resolve: (failure) => failure.reason,
    }),
  }),
});

/** Failures without fields of their own. `lipsyncs/schema/` adds `lipsync` to `OutcomeUnknownError`. */
const plainKinds: [new (...args: never[]) => Failure, string, string][] = [
  [UpstreamUnauthorizedError, 'UpstreamUnauthorizedError', codeDescriptions.UPSTREAM_UNAUTHORIZED],
  [SubscriptionExpiredError, 'SubscriptionExpiredError', codeDescriptions.SUBSCRIPTION_EXPIRED],
  [NotFoundError, 'NotFoundError', codeDescriptions.NOT_FOUND],
  [InsufficientCreditsError, 'InsufficientCreditsError', codeDescriptions.INSUFFICIENT_CREDITS],
  [ContentModeratedError, 'ContentModeratedError', codeDescriptions.CONTENT_MODERATED],
  [AccountPendingError, 'AccountPendingError', codeDescriptions.ACCOUNT_PENDING],
  [GenerationFailedError, 'GenerationFailedError', codeDescriptions.GENERATION_FAILED],
  [OutcomeUnknownError, 'OutcomeUnknownError', codeDescriptions.OUTCOME_UNKNOWN],
  [NotAuthenticatedError, 'NotAuthenticatedError', codeDescriptions.NOT_AUTHENTICATED],
  [NotAuthorizedError, 'NotAuthorizedError', codeDescriptions.NOT_AUTHORIZED],
  [IdempotencyConflictError, 'IdempotencyConflictError', codeDescriptions.IDEMPOTENCY_CONFLICT],
  [QueueFullError, 'QueueFullError', codeDescriptions.QUEUE_FULL],
  [QuotaExceededError, 'QuotaExceededError', codeDescriptions.QUOTA_EXCEEDED],
];

for (const [kind, name, description] of plainKinds) {
  builder.objectType(kind as new () => Failure, {
    name,
    description,
    interfaces: [LipsyncErrorRef],
  });
}

/** The failures of every field that needs authentication. */
export const accessErrors = [NotAuthenticatedError, NotAuthorizedError];

/** The failures of every field that calls the upstream: they concern the account and the connection, not the request. */
export const upstreamErrors = [
  UpstreamUnauthorizedError,
  SubscriptionExpiredError,
  RateLimitedError,
  UpstreamUnavailableError,
];

type FailureKind = abstract new (...args: never[]) => Failure;

/**
 * The result of the work, which calls the upstream for a field with a result union. A failure that is not a member of the
 * union comes from a status that has no meaning for this request, such as a moderation of a list of voices: it becomes
 * `UpstreamUnavailableError`, which is retryable if the work is a read.
 */
export async function answerWithin<T>(
  kinds: readonly FailureKind[],
  work: Promise<T>,
  { isRead = true } = {},
): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const isMember = kinds.some((kind) => thrown instanceof kind);
    throw thrown instanceof Failure && !isMember
      ? new UpstreamUnavailableError('UNKNOWN_STATUS', isRead)
      : thrown;
  }
}

/** The `Failure` in a thrown value, or null. Executors wrap thrown values that are not an `Error`, each in its own way. */
export function failureOf(thrown: unknown): Failure | null {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof GraphQLError) return failureOf(thrown.originalError);
  if (!(thrown instanceof Error)) return null;
  const wrapped: unknown = 'thrownValue' in thrown ? thrown.thrownValue : thrown.cause;
  return wrapped instanceof Failure ? wrapped : null;
}

/** The entry in `errors[]` for a failure of a field without a result union. */
export function toGraphQLError(failure: Failure, at?: GraphQLError): GraphQLError {
  const { code, retryable, retryAfterSeconds } = failure;
  return new GraphQLError(failure.message, {
    ...(at?.nodes === undefined ? {} : { nodes: at.nodes }),
    ...(at?.path === undefined ? {} : { path: at.path }),
    extensions: { code, retryable, ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }) },
  });
}
