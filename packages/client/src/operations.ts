// Written by `npm run schema` from schema.graphql and documents.ts. Do not edit: a test holds it true.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** Which lip-sync to cancel. */
export type CancelLipsyncInput = {
  /** The id of the lip-sync. */
  id: string;
};

/** The lip-sync to create, and its options. */
export type CreateLipsyncInput = {
  /** Which events are sent to `callbackUrl`, at least one. Each event is a webhook of its own. */
  callbackEvents?: Array<WebhookEvent> | null | undefined;
  /** The URL of the caller's server to which webhooks for the `callbackEvents` are sent, signed as Standard Webhooks specifies. */
  callbackUrl?: string | null | undefined;
  /** The lip-sync ends as EXPIRED, free of charge, if it was not submitted by this time. */
  expiresAt?: string | null | undefined;
  /** 1 to 255 characters. Repeating a request with the same key and input returns the same lip-sync and creates no other. */
  idempotencyKey?: string | null | undefined;
  /** Keeps the video's own sound in the background. Default: the video service decides. */
  keepOriginalSound?: boolean | null | undefined;
  /** How many jobs the account may run at a time, this one included: 1 to 8. It can lower the limit of the account, not raise it. */
  maxJobs?: number | null | undefined;
  /** Off-peak: slower and cheaper. Default false. */
  offPeak?: boolean | null | undefined;
  /** The caller's own reference, at most 1024 characters. Every read of the lip-sync returns it. */
  reference?: string | null | undefined;
  /** The audio or text. */
  speech: LipsyncSpeechInput;
  /** The source video. */
  video: LipsyncVideoInput;
  /** What to do if no slot is free. */
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

/** What to do if no account of the video service has a free slot. */
export type LipsyncBusyPolicy =
  /** Answer `RateLimitedError` and create no lip-sync. */
  | 'FAIL'
  /** Wait in the queue of this server, and be sent when a slot is free. */
  | 'QUEUE';

/** The kind of a failure: the name of its type without `Error`, in capitals. */
export type LipsyncErrorCode =
  /** The account is on hold until the operator reconnects it. */
  | 'ACCOUNT_PENDING'
  /** The video service's moderation rejected the content. */
  | 'CONTENT_MODERATED'
  /** The video service failed to generate the video. */
  | 'GENERATION_FAILED'
  /** The idempotencyKey was used before with a different input. */
  | 'IDEMPOTENCY_CONFLICT'
  /** The account has no credits left. */
  | 'INSUFFICIENT_CREDITS'
  /** The input is not valid; `issues` lists the reasons. Nothing was sent to the video service or charged. */
  | 'INVALID_INPUT'
  /** The request has no valid token. */
  | 'NOT_AUTHENTICATED'
  /** The caller does not have the required scope. */
  | 'NOT_AUTHORIZED'
  /** The object does not exist, or it belongs to another owner. */
  | 'NOT_FOUND'
  /** The request was sent, but its outcome is unknown. It is never sent again. */
  | 'OUTCOME_UNKNOWN'
  /** This server's queue is full. */
  | 'QUEUE_FULL'
  /** A limit of this server is exhausted. */
  | 'QUOTA_EXCEEDED'
  /** The video service has no free capacity right now. */
  | 'RATE_LIMITED'
  /** The operator's subscription to the video service has expired. */
  | 'SUBSCRIPTION_EXPIRED'
  /** The video service rejected this server's credentials. */
  | 'UPSTREAM_UNAUTHORIZED'
  /** The video service could not be reached or did not return a usable response. */
  | 'UPSTREAM_UNAVAILABLE';

/** What led this server to notice a change. */
export type LipsyncEventSource =
  /** A callback of the video service. */
  | 'CALLBACK'
  /** An action of this server, such as sending or cancelling. */
  | 'GATEWAY'
  /** Regular polling of the video service. */
  | 'POLL';

/** What the person says: exactly one of these fields. */
export type LipsyncSpeechInput =
  {   /** A finished upload of kind AUDIO, at most 60 seconds long. */
  audioUploadId: string; text?: never; }
  |  { audioUploadId?: never;   /** A text to be spoken. */
  text: LipsyncTextInput; };

/** The status of a lip-sync. COMPLETED, FAILED, MODERATED, CANCELLED and EXPIRED are terminal: no status follows them. */
export type LipsyncStatus =
  /** Cancelled. If the job was already running, the video service still charges for it. */
  | 'CANCELLED'
  /** The video is ready: see `result`. */
  | 'COMPLETED'
  /** Not submitted by its `expiresAt`. Nothing was charged. */
  | 'EXPIRED'
  /** The video could not be generated: see `failure`. */
  | 'FAILED'
  /** The video service is generating the video. */
  | 'GENERATING'
  /** Rejected by the video service's moderation: see `failure`. */
  | 'MODERATED'
  /** Waiting in the queue of this server. Nothing has been sent or charged. */
  | 'QUEUED'
  /** Accepted by the video service, which may charge for it. */
  | 'SUBMITTED'
  /** Being sent to the video service. */
  | 'SUBMITTING';

/** A text and the voice that speaks it. */
export type LipsyncTextInput = {
  /** The text to speak: 1 to 200 characters. */
  text: string;
  /** A voice from `voices`. Default: the video service chooses one. */
  voiceId?: string | null | undefined;
};

/** The video of the person who is to speak: exactly one of these fields. */
export type LipsyncVideoInput =
  {   /** A video from `videos`, or the result of an earlier lip-sync. */
  id: string; uploadId?: never; }
  |  { id?: never;   /** A finished upload of kind VIDEO. */
  uploadId: string; };

/** The limit of the video service that was reached. */
export type RateLimitReason =
  /** The account of the source video has no free slot. */
  | 'ACCOUNT_BUSY'
  /** No account has a free slot. */
  | 'ALL_ACCOUNTS_BUSY'
  /** The provider behind the video service accepts no more concurrent jobs. */
  | 'PROVIDER_LIMIT';

/** The use of an uploaded file. */
export type UploadKind =
  /** Speech for the lip-sync: WAV or MP3. */
  | 'AUDIO'
  /** The video of the person that will speak: MP4, MOV, WebM and others. */
  | 'VIDEO';

/** An event of a lip-sync that can be sent as a webhook to its `callbackUrl`. */
export type WebhookEvent =
  /** The lip-sync reached a final status. Sent as `lipsync.completed`, `lipsync.failed`, `lipsync.moderated`, `lipsync.cancelled` or `lipsync.expired`. */
  | 'FINISHED'
  /** The video service is generating the video. Sent as `lipsync.generating`; not sent for a short job that ends before this status is observed. */
  | 'GENERATING'
  /** The video service accepted the job. Sent once, as `lipsync.submitted`. */
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
