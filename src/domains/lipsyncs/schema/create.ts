import {
  AccountPendingError,
  ContentModeratedError,
  IdempotencyConflictError,
  InsufficientCreditsError,
  InvalidInputError,
  NotFoundError,
  OutcomeUnknownError,
  QueueFullError,
  QuotaExceededError,
} from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { type Context, withOrigin } from '../../../graphql/context.ts';
import { accessErrors, upstreamErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import { WebhookEventRef } from '../../webhooks/schema.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { CreateInput, Creation } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

export const VideoInputRef = builder.inputType('LipsyncVideoInput', {
  description: 'The source video, with the person to animate: exactly one of these fields.',
  fields: (t) => ({
    videoId: t.id({ description: 'A video from `videos`, or the result of an earlier lip-sync.' }),
    uploadId: t.id({
      description:
        'An upload of kind VIDEO that is READY or RECEIVING. The lip-sync waits for a file that is still arriving.',
    }),
    url: t.field({
      type: 'URL',
      description:
        'The URL of a video file, which this server fetches as `importUpload` does. The lip-sync is QUEUED without a position until the file has arrived, and FAILED, free of charge, if it does not.',
    }),
  }),
});

const ScriptInputRef = builder.inputType('LipsyncScriptInput', {
  description: 'A text and the voice that speaks it.',
  fields: (t) => ({
    text: t.string({ required: true, description: 'The text to speak: 1 to 200 characters.' }),
    voiceId: t.id({
      description: 'A voice from `voices`. Default: the video service chooses one.',
    }),
  }),
});

export const SpeechInputRef = builder.inputType('LipsyncSpeechInput', {
  description: 'What the person says: exactly one of these fields.',
  fields: (t) => ({
    script: t.field({ type: ScriptInputRef, description: 'A text to be spoken.' }),
    uploadId: t.id({
      description:
        'An upload of kind AUDIO that is READY or RECEIVING, at most 60 seconds long. The lip-sync waits for a file that is still arriving.',
    }),
    url: t.field({
      type: 'URL',
      description:
        'The URL of an audio file, which this server fetches as `importUpload` does. The lip-sync is QUEUED without a position until the file has arrived, and FAILED, free of charge, if it does not.',
    }),
  }),
});

const BusyPolicyRef = builder.enumType('LipsyncBusyPolicy', {
  description: 'What to do if no account of the video service has a free slot.',
  values: {
    QUEUE: { description: 'Wait in the queue of this server, and be sent when a slot is free.' },
    FAIL: {
      description:
        'Answer `RateLimitedError` and create no lip-sync. A lip-sync that waits for a file is created in any case, because it is not known when it can be sent; when the file has arrived, it waits for a slot.',
    },
  },
});

export const CreateInputRef = builder.inputType('CreateLipsyncInput', {
  description: 'The lip-sync to create, and its options.',
  fields: (t) => ({
    video: t.field({ type: VideoInputRef, required: true, description: 'The source video.' }),
    speech: t.field({ type: SpeechInputRef, required: true, description: 'The audio or text.' }),
    keepOriginalSound: t.boolean({
      description:
        "Keeps the video's own sound in the background. Default: the video service decides.",
    }),
    offPeak: t.boolean({
      description: 'Off-peak: slower and cheaper. Default false.',
    }),
    reference: t.string({
      description:
        "The caller's own reference, at most 1024 characters. Every read of the lip-sync returns it.",
    }),
    callbackUrl: t.field({
      type: 'URL',
      description:
        "The URL of the caller's server to which webhooks for the `callbackEvents` are sent, signed as Standard Webhooks specifies.",
    }),
    callbackEvents: t.field({
      type: [WebhookEventRef],
      defaultValue: ['FINISHED'],
      description:
        'Which events are sent to `callbackUrl`, at least one. Each event is a webhook of its own.',
    }),
    maxJobs: t.int({
      description:
        'How many jobs the account may run at a time, this one included: 1 to 8. It can lower the limit of the account, not raise it.',
    }),
    maxCredits: t.float({
      description:
        'The lip-sync is rejected with `InsufficientCreditsError` if its estimated cost, as `estimateLipsync` gives it, is higher. An unknown cost is not rejected. Default: no limit.',
    }),
    idempotencyKey: t.string({
      description:
        '1 to 255 characters. Repeating a request with the same key and input returns the same lip-sync and creates no other.',
    }),
    whenBusy: t.field({
      type: BusyPolicyRef,
      defaultValue: 'QUEUE',
      description: 'What to do if no slot is free.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description:
        'The lip-sync ends as EXPIRED, free of charge, if it was not submitted by this time.',
    }),
  }),
});

const SuccessRef = builder.objectRef<Creation>('CreateLipsyncSuccess').implement({
  description: 'The lip-sync was created: SUBMITTED, or QUEUED if no slot was free.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync.',
      resolve: ({ lipsync }) => lipsync,
    }),
    replayed: t.exposeBoolean('replayed', {
      description: 'Whether an earlier request with this idempotencyKey created the lip-sync.',
    }),
  }),
});

const failureKinds = [
  InvalidInputError,
  NotFoundError,
  InsufficientCreditsError,
  ContentModeratedError,
  AccountPendingError,
  QuotaExceededError,
  ...upstreamErrors,
  ...accessErrors,
  OutcomeUnknownError,
  IdempotencyConflictError,
  QueueFullError,
];

/** The result of one input, also in `createLipsyncs`. */
export const CreateResultRef = builder.errorUnion('CreateLipsyncResult', {
  description: 'The lip-sync, or why it was not created.',
  types: [SuccessRef, ...failureKinds],
  resolveType: () => SuccessRef,
});

builder.mutationField('createLipsync', (t) =>
  t.field({
    type: CreateResultRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Makes the person in a video speak. If a slot is free, the answer waits for the video service: it is the lip-sync, or the rejection, in which case no lip-sync exists. At most one job is ever charged.',
    args: {
      input: t.arg({
        type: CreateInputRef,
        required: true,
        description: 'The lip-sync to create.',
      }),
    },
    resolve: (_, { input }, context) =>
      context.services.lipsyncs.create({
        ...creatorOf(context),
        input: toCreateInput(input),
      }),
  }),
);

export function creatorOf(context: Context) {
  const { owner, scopes } = context.caller;
  return withOrigin(context, { owner, canSeeAll: scopes.has('videos:read') });
}

export function toCreateInput(input: typeof CreateInputRef.$inferInput): CreateInput {
  return {
    video: toVideo(input.video),
    speech: toSpeech(input.speech),
    keepOriginalSound: input.keepOriginalSound ?? null,
    offPeak: input.offPeak ?? false,
    reference: input.reference ?? null,
    callbackUrl: input.callbackUrl ?? null,
    ...toEvents(input.callbackEvents),
    maxJobs: input.maxJobs ?? null,
    ...(input.maxCredits == null ? {} : { maxCredits: input.maxCredits }),
    idempotencyKey: input.idempotencyKey ?? null,
    mayWait: input.whenBusy !== 'FAIL',
    expiresAt: input.expiresAt ?? null,
  };
}

/** Sorted and without duplicates, so that equal choices have equal fingerprints. */
function toEvents(events: readonly WebhookEvent[] | null | undefined) {
  if (events == null) return {};
  const callbackEvents = [...new Set(events)].sort();
  return callbackEvents.join() === 'FINISHED' ? {} : { callbackEvents };
}

export function toVideo(video: typeof VideoInputRef.$inferInput): CreateInput['video'] {
  const { videoId, uploadId, url } = video;
  if (url != null) return { url };
  if (videoId != null) return { key: keyOf('Video', videoId) };
  return { uploadKey: keyOf('Upload', uploadId ?? '') };
}

export function toSpeech(speech: typeof SpeechInputRef.$inferInput): CreateInput['speech'] {
  const { script, uploadId, url } = speech;
  if (url != null) return { url };
  if (script == null) return { audioUploadKey: keyOf('Upload', uploadId ?? '') };
  return {
    text: script.text,
    voiceKey: script.voiceId == null ? undefined : keyOf('Voice', script.voiceId),
  };
}
