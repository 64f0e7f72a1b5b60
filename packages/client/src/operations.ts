// Written by `npm run schema` from schema.graphql and documents.ts. Do not edit: a test holds it true.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** Which lip-sync to cancel. */
export type CancelLipsyncInput = {
  /** Its id. */
  id: string;
};

/** What to make, and how. */
export type CreateLipsyncInput = {
  /** What to tell the `callbackUrl`, at least one. Each is told by its own webhook. */
  callbackEvents?: Array<WebhookEvent> | null | undefined;
  /** Where to tell the caller's own server of the `callbackEvents`, signed by Standard Webhooks. */
  callbackUrl?: string | null | undefined;
  /** Gives up, free of charge, if it has not been submitted by then. */
  expiresAt?: string | null | undefined;
  /** 1 to 255 characters. The same key with the same input gives the same lip-sync, however often it is sent. */
  idempotencyKey?: string | null | undefined;
  /** Keeps the video's own sound under the new one. Default: the service decides. */
  keepOriginalSound?: boolean | null | undefined;
  /** How many jobs the account may run for this to be sent: 1 to 8. Lowers only. */
  maxJobs?: number | null | undefined;
  /** Waits for a time of low demand, for fewer credits. Default false. */
  offPeak?: boolean | null | undefined;
  /** The caller's own reference, at most 1024 characters. It is given back everywhere. */
  reference?: string | null | undefined;
  /** What is said. */
  speech: LipsyncSpeechInput;
  /** Who speaks. */
  video: LipsyncVideoInput;
  /** What to do when there is no room now. */
  whenBusy?: LipsyncBusyPolicy | null | undefined;
};

/** The file to upload. */
export type CreateUploadInput = {
  /** The media type, such as `audio/mpeg`, `audio/wav` or `video/mp4`. The content is checked when it arrives. */
  contentType: string;
  /** The caller's own name for the file, at most 255 characters. It is stored and returned, and used for nothing else. */
  filename?: string | null | undefined;
  /** The use of the file. */
  kind: UploadKind;
  /** The size in bytes, from 1 byte to 5 GB. If given, a file of another size is rejected. */
  size?: number | null | undefined;
};

/** What to do when the video service has no room now. */
export type LipsyncBusyPolicy =
  /** Answer `RateLimitedError`, and leave nothing behind. */
  | 'FAIL'
  /** Wait here, and be sent when there is room. */
  | 'QUEUE';

/** What went wrong: the type's name without `Error`. */
export type LipsyncErrorCode =
  /** The account is on hold until its operator reconnects it. */
  | 'ACCOUNT_PENDING'
  /** The video service's moderation refused the content. */
  | 'CONTENT_MODERATED'
  /** The video service tried and failed. */
  | 'GENERATION_FAILED'
  /** The idempotencyKey was used before with another input. */
  | 'IDEMPOTENCY_CONFLICT'
  /** The account has no credits left. */
  | 'INSUFFICIENT_CREDITS'
  /** The input breaks a rule; the issues say which. Nothing was sent or charged. */
  | 'INVALID_INPUT'
  /** The caller is nobody: no token, or one that is not valid. */
  | 'NOT_AUTHENTICATED'
  /** The caller lacks a scope. */
  | 'NOT_AUTHORIZED'
  /** What the request refers to does not exist, or not for this caller. */
  | 'NOT_FOUND'
  /** The request was sent and no clear answer came. It is never sent again. */
  | 'OUTCOME_UNKNOWN'
  /** This server's queue is full. */
  | 'QUEUE_FULL'
  /** A limit of this server is used up. */
  | 'QUOTA_EXCEEDED'
  /** There is no room at the video service right now. */
  | 'RATE_LIMITED'
  /** The operator's subscription to the video service has expired. */
  | 'SUBSCRIPTION_EXPIRED'
  /** The video service refused this server's own credentials. */
  | 'UPSTREAM_UNAUTHORIZED'
  /** The video service could not be reached or gave no usable answer. */
  | 'UPSTREAM_UNAVAILABLE';

/** What made us look when we learnt of a change. */
export type LipsyncEventSource =
  /** The video service called us back. */
  | 'CALLBACK'
  /** It was our own doing, such as sending or cancelling. */
  | 'GATEWAY'
  /** We looked by ourselves. */
  | 'POLL';

/** What shall be said: exactly one of these. */
export type LipsyncSpeechInput =
  {   /** A finished upload of kind AUDIO, at most 60 seconds long. */
  audioUploadId: string; text?: never; }
  |  { audioUploadId?: never;   /** A text to be spoken. */
  text: LipsyncTextInput; };

/** Where a lip-sync is in its life. The last five are ends: nothing follows them. */
export type LipsyncStatus =
  /** It was cancelled. Where it ran already, the service still charges. */
  | 'CANCELLED'
  /** The video is ready: see `result`. */
  | 'COMPLETED'
  /** It was not submitted by its `expiresAt`. Nothing was charged. */
  | 'EXPIRED'
  /** It could not be made: see `failure`. */
  | 'FAILED'
  /** The video service is making the video. */
  | 'GENERATING'
  /** The video service's moderation refused it: see `failure`. */
  | 'MODERATED'
  /** It waits in our queue. Nothing has been sent or charged. */
  | 'QUEUED'
  /** The video service has taken it, and may charge for it. */
  | 'SUBMITTED'
  /** It is being sent to the video service. */
  | 'SUBMITTING';

/** A text and the voice that speaks it. */
export type LipsyncTextInput = {
  /** What to say: 1 to 200 characters. */
  text: string;
  /** A voice from `voices`. Left out, the video service chooses one. */
  voiceId?: string | null | undefined;
};

/** The video whose person shall speak: exactly one of these. */
export type LipsyncVideoInput =
  {   /** A video from `videos`, or the result of an earlier lip-sync. */
  id: string; uploadId?: never; }
  |  { id?: never;   /** A finished upload of kind VIDEO. */
  uploadId: string; };

/** Which limit was met at the video service. */
export type RateLimitReason =
  /** The account that this video belongs to has no free slot. */
  | 'ACCOUNT_BUSY'
  /** No account has a free slot. */
  | 'ALL_ACCOUNTS_BUSY'
  /** The provider behind the video service refused more jobs. */
  | 'PROVIDER_LIMIT';

/** The use of an uploaded file. */
export type UploadKind =
  /** Speech for the lip-sync: WAV or MP3. */
  | 'AUDIO'
  /** The video of the person that will speak: MP4, MOV, WebM and others. */
  | 'VIDEO';

/** What of a lip-sync the caller's own server may be told. */
export type WebhookEvent =
  /** Its end, whichever it is: `lipsync.completed`, `lipsync.failed`, `lipsync.moderated`, `lipsync.cancelled` or `lipsync.expired`. */
  | 'FINISHED'
  /** The video service is making the video: `lipsync.generating`. A short job may end before that is seen, and then it is not told. */
  | 'GENERATING'
  /** The video service has taken it: `lipsync.submitted`, once. */
  | 'SUBMITTED';

export type CancelLipsyncMutationVariables = Exact<{
  input: CancelLipsyncInput;
}>;


export type CancelLipsyncMutation = { answer:
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null, issues: Array<{ path: Array<string>, message: string }> }
      & { __typename: 'InvalidInputError' }
    )
    | (
      { lipsync: { id: string, status: LipsyncStatus, reference: string | null, text: string | null, creditsCharged: number | null, createdAt: string, submittedAt: string | null, finishedAt: string | null, progress: { percent: number, queuePosition: number | null, estimatedCompletionAt: string | null }, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, result: { id: string, url: string | null, posterUrl: string | null, width: number | null, height: number | null, durationSeconds: number | null } | null } }
      & { __typename: 'LipsyncAlreadyFinished' | 'LipsyncCancelled' | 'LipsyncTrackingStopped' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null }
      & { __typename: 'NotAuthenticatedError' | 'NotAuthorizedError' | 'NotFoundError' | 'QuotaExceededError' }
    )
   };

export type LipsyncFragment = { id: string, status: LipsyncStatus, reference: string | null, text: string | null, creditsCharged: number | null, createdAt: string, submittedAt: string | null, finishedAt: string | null, progress: { percent: number, queuePosition: number | null, estimatedCompletionAt: string | null }, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, result: { id: string, url: string | null, posterUrl: string | null, width: number | null, height: number | null, durationSeconds: number | null } | null };

export type CreateLipsyncMutationVariables = Exact<{
  input: CreateLipsyncInput;
}>;


export type CreateLipsyncMutation = { answer:
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null }
      & { __typename: 'AccountPendingError' | 'ContentModeratedError' | 'IdempotencyConflictError' | 'InsufficientCreditsError' | 'NotAuthenticatedError' | 'NotAuthorizedError' | 'NotFoundError' | 'QueueFullError' | 'QuotaExceededError' | 'SubscriptionExpiredError' | 'UpstreamUnauthorizedError' | 'UpstreamUnavailableError' }
    )
    | (
      { replayed: boolean, lipsync: { id: string, status: LipsyncStatus, reference: string | null, text: string | null, creditsCharged: number | null, createdAt: string, submittedAt: string | null, finishedAt: string | null, progress: { percent: number, queuePosition: number | null, estimatedCompletionAt: string | null }, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, result: { id: string, url: string | null, posterUrl: string | null, width: number | null, height: number | null, durationSeconds: number | null } | null } }
      & { __typename: 'CreateLipsyncSuccess' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null, issues: Array<{ path: Array<string>, message: string }> }
      & { __typename: 'InvalidInputError' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null, lipsync: { id: string, status: LipsyncStatus, reference: string | null, text: string | null, creditsCharged: number | null, createdAt: string, submittedAt: string | null, finishedAt: string | null, progress: { percent: number, queuePosition: number | null, estimatedCompletionAt: string | null }, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, result: { id: string, url: string | null, posterUrl: string | null, width: number | null, height: number | null, durationSeconds: number | null } | null } }
      & { __typename: 'OutcomeUnknownError' }
    )
    | (
      { reason: RateLimitReason, code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null }
      & { __typename: 'RateLimitedError' }
    )
   };

export type CreateUploadMutationVariables = Exact<{
  input: CreateUploadInput;
}>;


export type CreateUploadMutation = { answer:
    | (
      { uploadUrl: string }
      & { __typename: 'CreateUploadSuccess' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null, issues: Array<{ path: Array<string>, message: string }> }
      & { __typename: 'InvalidInputError' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null }
      & { __typename: 'NotAuthenticatedError' | 'NotAuthorizedError' | 'QuotaExceededError' }
    )
   };

export type WatchLipsyncSubscriptionVariables = Exact<{
  id: string;
  after?: string | null | undefined;
}>;


export type WatchLipsyncSubscription = { answer:
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null, issues: Array<{ path: Array<string>, message: string }> }
      & { __typename: 'InvalidInputError' }
    )
    | (
      { cursor: string, sequence: number, status: LipsyncStatus, percent: number, queuePosition: number | null, occurredAt: string, source: LipsyncEventSource, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, lipsync: { id: string, status: LipsyncStatus, reference: string | null, text: string | null, creditsCharged: number | null, createdAt: string, submittedAt: string | null, finishedAt: string | null, progress: { percent: number, queuePosition: number | null, estimatedCompletionAt: string | null }, failure: { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null } | null, result: { id: string, url: string | null, posterUrl: string | null, width: number | null, height: number | null, durationSeconds: number | null } | null } }
      & { __typename: 'LipsyncProgress' }
    )
    | (
      { code: LipsyncErrorCode, message: string, retryable: boolean, retryAfterSeconds: number | null }
      & { __typename: 'NotAuthenticatedError' | 'NotAuthorizedError' | 'NotFoundError' | 'QuotaExceededError' }
    )
   };

export const knownCreateLipsyncResults = ['AccountPendingError', 'ContentModeratedError', 'CreateLipsyncSuccess', 'IdempotencyConflictError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'OutcomeUnknownError', 'QueueFullError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'] as const;

export const knownCancelLipsyncResults = ['InvalidInputError', 'LipsyncAlreadyFinished', 'LipsyncCancelled', 'LipsyncTrackingStopped', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'] as const;

export const knownLipsyncProgressResults = ['InvalidInputError', 'LipsyncProgress', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'] as const;

export const knownCreateUploadResults = ['CreateUploadSuccess', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'QuotaExceededError'] as const;

/** What Apollo Client's cache has to know to match fragments on interfaces and unions. */
export const possibleTypes = {
  AccountsResult: ['AccountList', 'AccountPendingError', 'ContentModeratedError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  CancelLipsyncResult: ['InvalidInputError', 'LipsyncAlreadyFinished', 'LipsyncCancelled', 'LipsyncTrackingStopped', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'],
  CreateLipsyncResult: ['AccountPendingError', 'ContentModeratedError', 'CreateLipsyncSuccess', 'IdempotencyConflictError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'OutcomeUnknownError', 'QueueFullError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  CreateLipsyncsResult: ['CreateLipsyncsSuccess', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError'],
  CreateUploadResult: ['CreateUploadSuccess', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'QuotaExceededError'],
  DeleteLipsyncResult: ['DeleteLipsyncSuccess', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'],
  DeleteVideoResult: ['AccountPendingError', 'ContentModeratedError', 'DeleteVideoSuccess', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  LipsyncError: ['AccountPendingError', 'ContentModeratedError', 'GenerationFailedError', 'IdempotencyConflictError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'OutcomeUnknownError', 'QueueFullError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  LipsyncProgressResult: ['InvalidInputError', 'LipsyncProgress', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'],
  LipsyncsProgressResult: ['InvalidInputError', 'LipsyncProgress', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError'],
  Node: ['Account', 'Lipsync', 'Upload', 'Video', 'Voice', 'WebhookDelivery'],
  ReconnectAccountResult: ['AccountPendingError', 'ContentModeratedError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'ReconnectAccountSuccess', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  RedeliverWebhookResult: ['NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RedeliverWebhookSuccess'],
  RotateWebhookSecretResult: ['NotAuthenticatedError', 'NotAuthorizedError', 'QuotaExceededError', 'RotateWebhookSecretSuccess'],
  UploadAudioResult: ['AccountPendingError', 'ContentModeratedError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UploadAudioSuccess', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError'],
  VideosResult: ['AccountPendingError', 'ContentModeratedError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError', 'VideoConnection'],
  VoicesResult: ['AccountPendingError', 'ContentModeratedError', 'InsufficientCreditsError', 'InvalidInputError', 'NotAuthenticatedError', 'NotAuthorizedError', 'NotFoundError', 'QuotaExceededError', 'RateLimitedError', 'SubscriptionExpiredError', 'UpstreamUnauthorizedError', 'UpstreamUnavailableError', 'VoiceList'],
};
