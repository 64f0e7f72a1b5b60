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
  type RateLimitReason,
  SubscriptionExpiredError,
  type UnavailableReason,
  UpstreamUnauthorizedError,
  UpstreamUnavailableError,
} from '../errors.ts';
import { builder } from './builder.ts';
import { listOf } from './prices.ts';

const codeDescriptions: Record<FailureCode, string> = {
  INVALID_INPUT: 'The input breaks a rule; the issues say which. Nothing was sent or charged.',
  UPSTREAM_UNAUTHORIZED: "The video service refused this server's own credentials.",
  SUBSCRIPTION_EXPIRED: "The operator's subscription to the video service has expired.",
  NOT_FOUND: 'What the request refers to does not exist, or not for this caller.',
  INSUFFICIENT_CREDITS: 'The account has no credits left.',
  CONTENT_MODERATED: "The video service's moderation refused the content.",
  RATE_LIMITED: 'There is no room at the video service right now.',
  ACCOUNT_PENDING: 'The account is on hold until its operator reconnects it.',
  UPSTREAM_UNAVAILABLE: 'The video service could not be reached or gave no usable answer.',
  GENERATION_FAILED: 'The video service tried and failed.',
  OUTCOME_UNKNOWN: 'The request was sent and no clear answer came. It is never sent again.',
  NOT_AUTHENTICATED: 'The caller is nobody: no token, or one that is not valid.',
  NOT_AUTHORIZED: 'The caller lacks a scope.',
  IDEMPOTENCY_CONFLICT: 'The idempotencyKey was used before with another input.',
  QUEUE_FULL: "This server's queue is full.",
  QUOTA_EXCEEDED: 'A limit of this server is used up.',
};

export const ErrorCodeRef = builder.enumType('LipsyncErrorCode', {
  description: "What went wrong: the type's name without `Error`.",
  values: Object.fromEntries(
    failureCodes.map((code) => [code, { description: codeDescriptions[code] }]),
  ) as Record<FailureCode, { description: string }>,
});

/** The rule behind every code: `NOT_FOUND` is the code of `NotFoundError`. */
function typeNameOf(code: FailureCode): string {
  const words = code.split('_').map((word) => word.charAt(0) + word.slice(1).toLowerCase());
  return `${words.join('')}Error`;
}

/** What every failure tells. Exported for the fields that return any of them. */
export const LipsyncErrorRef = builder.interfaceRef<Failure>('LipsyncError').implement({
  description: 'A failure that was foreseen. Each kind is a type of its own.',
  resolveType: ({ code }) => typeNameOf(code),
  fields: (t) => ({
    code: t.field({
      type: ErrorCodeRef,
      description: "The kind of failure, for programs: the type's name without `Error`.",
      resolve: (failure) => failure.code,
    }),
    message: t.exposeString('message', {
      description: 'What went wrong, for people. Its wording may change.',
    }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether the same request may succeed later without any change.',
    }),
    retryAfterSeconds: t.exposeInt('retryAfterSeconds', {
      nullable: true,
      description: 'Seconds to wait before trying again. Null where time alone does not help.',
    }),
  }),
});

const InputIssueRef = builder
  .objectRef<{ path: string[]; message: string }>('InputIssue')
  .implement({
    description: 'One rule that the input breaks.',
    fields: (t) => ({
      path: t.exposeStringList('path', {
        description: 'The way to the field, from the argument inwards.',
      }),
      message: t.exposeString('message', { description: 'What is wrong with it.' }),
    }),
  });

const RateLimitReasonRef = builder.enumType('RateLimitReason', {
  description: 'Which limit was met at the video service.',
  values: {
    ACCOUNT_BUSY: { description: 'The account that this video belongs to has no free slot.' },
    ALL_ACCOUNTS_BUSY: { description: 'No account has a free slot.' },
    PROVIDER_LIMIT: { description: 'The provider behind the video service refused more jobs.' },
  } satisfies Record<RateLimitReason, object>,
});

const UnavailableReasonRef = builder.enumType('UpstreamUnavailableReason', {
  description: 'Why the video service could not be used.',
  values: {
    TIMEOUT: { description: 'It did not answer in time.' },
    CONNECTION_FAILED: { description: 'No connection could be made, or it broke.' },
    SERVER_ERROR: { description: 'It answered with a server error.' },
    INVALID_ANSWER: { description: 'It answered with something that is not what it documents.' },
    UNKNOWN_STATUS: { description: 'It answered with a status that it does not document.' },
    NO_ACCOUNT: { description: 'It has no account configured that could do the work.' },
  } satisfies Record<UnavailableReason, object>,
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks a rule, of this server or of the video service.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    issues: t.field({
      type: [InputIssueRef],
      directives: { listSize: listOf(5) },
      description: 'Every rule that is broken.',
      resolve: (failure) => failure.issues,
    }),
  }),
});

builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  description: 'The video service has no room now, and the request asked not to wait.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    reason: t.field({
      type: RateLimitReasonRef,
      description: 'Which limit was met.',
      resolve: (failure) => failure.reason,
    }),
  }),
});

builder.objectType(UpstreamUnavailableError, {
  name: 'UpstreamUnavailableError',
  description: 'The video service could not be reached or gave no usable answer.',
  interfaces: [LipsyncErrorRef],
  fields: (t) => ({
    reason: t.field({
      type: UnavailableReasonRef,
      description: 'What happened.',
      resolve: (failure) => failure.reason,
    }),
  }),
});

/** Kinds that tell no more than every failure does. `lipsyncs/schema.ts` adds `lipsync` to the unknown outcome. */
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

/** What any field behind authentication can meet. */
export const accessErrors = [NotAuthenticatedError, NotAuthorizedError, QuotaExceededError];

/** What anything that asks the upstream can meet: it documents no list that could be relied on. */
export const upstreamErrors = [
  InvalidInputError,
  UpstreamUnauthorizedError,
  SubscriptionExpiredError,
  NotFoundError,
  InsufficientCreditsError,
  ContentModeratedError,
  RateLimitedError,
  AccountPendingError,
  UpstreamUnavailableError,
];

/** What was thrown, if it is a meant failure: executors wrap a thrown value that is no `Error`, each in its own way. */
export function failureOf(thrown: unknown): Failure | null {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof GraphQLError) return failureOf(thrown.originalError);
  if (!(thrown instanceof Error)) return null;
  const wrapped: unknown = 'thrownValue' in thrown ? thrown.thrownValue : thrown.cause;
  return wrapped instanceof Failure ? wrapped : null;
}

/** The entry in `errors[]` for a meant failure of a field without a union. */
export function toGraphQLError(failure: Failure, at?: GraphQLError): GraphQLError {
  const { code, retryable, retryAfterSeconds } = failure;
  return new GraphQLError(failure.message, {
    ...(at?.nodes === undefined ? {} : { nodes: at.nodes }),
    ...(at?.path === undefined ? {} : { path: at.path }),
    extensions: { code, retryable, ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }) },
  });
}
