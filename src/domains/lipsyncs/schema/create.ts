import { IdempotencyConflictError, OutcomeUnknownError, QueueFullError } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { accessErrors, upstreamErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import { WebhookEventRef } from '../../webhooks/schema.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { CreateInput, Creation } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

const VideoInputRef = builder.inputType('LipsyncVideoInput', {
  description: 'The video whose person shall speak: exactly one of these.',
  fields: (t) => ({
    id: t.id({ description: 'A video from `videos`, or the result of an earlier lip-sync.' }),
    uploadId: t.id({ description: 'A finished upload of kind VIDEO.' }),
  }),
});

const TextInputRef = builder.inputType('LipsyncTextInput', {
  description: 'A text and the voice that speaks it.',
  fields: (t) => ({
    text: t.string({ required: true, description: 'What to say: 1 to 200 characters.' }),
    voiceId: t.id({
      description: 'A voice from `voices`. Left out, the video service chooses one.',
    }),
  }),
});

const SpeechInputRef = builder.inputType('LipsyncSpeechInput', {
  description: 'What shall be said: exactly one of these.',
  fields: (t) => ({
    audioUploadId: t.id({
      description: 'A finished upload of kind AUDIO, at most 60 seconds long.',
    }),
    text: t.field({ type: TextInputRef, description: 'A text to be spoken.' }),
  }),
});

const BusyPolicyRef = builder.enumType('LipsyncBusyPolicy', {
  description: 'What to do when the video service has no room now.',
  values: {
    QUEUE: { description: 'Wait here, and be sent when there is room.' },
    FAIL: { description: 'Answer `RateLimitedError`, and leave nothing behind.' },
  },
});

export const CreateInputRef = builder.inputType('CreateLipsyncInput', {
  description: 'What to make, and how.',
  fields: (t) => ({
    video: t.field({ type: VideoInputRef, required: true, description: 'Who speaks.' }),
    speech: t.field({ type: SpeechInputRef, required: true, description: 'What is said.' }),
    keepOriginalSound: t.boolean({
      description: "Keeps the video's own sound under the new one. Default: the service decides.",
    }),
    offPeak: t.boolean({
      description: 'Waits for a time of low demand, for fewer credits. Default false.',
    }),
    reference: t.string({
      description:
        "The caller's own reference, at most 1024 characters. It is given back everywhere.",
    }),
    callbackUrl: t.string({
      description:
        "Where to tell the caller's own server of the `callbackEvents`, signed by Standard Webhooks.",
    }),
    callbackEvents: t.field({
      type: [WebhookEventRef],
      defaultValue: ['FINISHED'],
      description: 'What to tell the `callbackUrl`, at least one. Each is told by its own webhook.',
    }),
    maxJobs: t.int({
      description: 'How many jobs the account may run for this to be sent: 1 to 8. Lowers only.',
    }),
    idempotencyKey: t.string({
      description:
        '1 to 255 characters. The same key with the same input gives the same lip-sync, however often it is sent.',
    }),
    whenBusy: t.field({
      type: BusyPolicyRef,
      defaultValue: 'QUEUE',
      description: 'What to do when there is no room now.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'Gives up, free of charge, if it has not been submitted by then.',
    }),
  }),
});

const SuccessRef = builder.objectRef<Creation>('CreateLipsyncSuccess').implement({
  description: 'The lip-sync was taken: it is SUBMITTED, or QUEUED where there was no room.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync.',
      resolve: ({ lipsync }) => lipsync,
    }),
    replayed: t.exposeBoolean('replayed', {
      description: 'Whether an earlier request with this idempotencyKey had made it.',
    }),
  }),
});

const failureKinds = [
  ...upstreamErrors,
  ...accessErrors,
  OutcomeUnknownError,
  IdempotencyConflictError,
  QueueFullError,
];

/** What one input comes to, asked for alone or with others. */
export const CreateResultRef = builder.errorUnion('CreateLipsyncResult', {
  description: 'The lip-sync, or why there is none.',
  types: [SuccessRef, ...failureKinds],
  resolveType: () => SuccessRef,
});

builder.mutationField('createLipsync', (t) =>
  t.field({
    type: CreateResultRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Makes the person in a video speak. Where there is room it answers when the video service has: with the lip-sync, or with its refusal, which leaves nothing behind. At most one job is ever billed.',
    args: { input: t.arg({ type: CreateInputRef, required: true, description: 'What to make.' }) },
    resolve: (_, { input }, { caller, services }) =>
      services.lipsyncs.create({
        owner: caller.owner,
        canSeeAll: caller.scopes.has('videos:read'),
        input: toCreateInput(input),
      }),
  }),
);

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
    idempotencyKey: input.idempotencyKey ?? null,
    mayWait: input.whenBusy !== 'FAIL',
    expiresAt: input.expiresAt ?? null,
  };
}

/** One order and no repeats: the same choice is the same input. */
function toEvents(asked: readonly WebhookEvent[] | null | undefined) {
  if (asked == null) return {};
  const callbackEvents = [...new Set(asked)].sort();
  return callbackEvents.join() === 'FINISHED' ? {} : { callbackEvents };
}

function toVideo({ id, uploadId }: typeof VideoInputRef.$inferInput): CreateInput['video'] {
  return id != null ? { key: keyOf('Video', id) } : { uploadKey: keyOf('Upload', uploadId ?? '') };
}

function toSpeech(speech: typeof SpeechInputRef.$inferInput): CreateInput['speech'] {
  const { audioUploadId, text } = speech;
  if (text == null) return { audioUploadKey: keyOf('Upload', audioUploadId ?? '') };
  return {
    text: text.text,
    voiceKey: text.voiceId == null ? undefined : keyOf('Voice', text.voiceId),
  };
}
