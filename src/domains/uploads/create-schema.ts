import {
  AccountPendingError,
  ContentModeratedError,
  InsufficientCreditsError,
  InvalidInputError,
  QuotaExceededError,
} from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { withOrigin } from '../../graphql/context.ts';
import { accessErrors, answerWithin, upstreamErrors } from '../../graphql/errors.ts';
import { upstreamCallCost } from '../../graphql/prices.ts';
import { UploadClipInputRef, UploadKindRef, UploadRef } from './schema.ts';
import type { Upload } from './service.ts';

const CreateUploadInputRef = builder.inputType('CreateUploadInput', {
  description: 'The file to upload.',
  fields: (t) => ({
    kind: t.field({ type: UploadKindRef, required: true, description: 'The use of the file.' }),
    contentType: t.string({
      required: true,
      description:
        'The media type, such as `audio/mpeg`, `audio/mp4` or `video/mp4`, or `application/octet-stream` if it is unknown. The content is checked when it arrives.',
    }),
    size: t.field({
      type: 'SafeInt',
      description:
        'The size in bytes, from 1 byte to 5 GB. If given, a file of another size is rejected.',
    }),
    clip: t.field({
      type: UploadClipInputRef,
      description:
        'For audio: the part of the sound that is used, for files that are longer than 60 seconds. Such a file can have at most 256 MB.',
    }),
    filename: t.string({
      description:
        "The caller's own name for the file, at most 255 characters. It is stored and returned, and used for nothing else.",
    }),
  }),
});

const CreateSuccessRef = builder
  .objectRef<{ upload: Upload; uploadUrl: string }>('CreateUploadSuccess')
  .implement({
    description: 'The created upload, which waits for its file.',
    fields: (t) => ({
      upload: t.field({
        type: UploadRef,
        description: 'The upload.',
        resolve: ({ upload }) => upload,
      }),
      uploadUrl: t.expose('uploadUrl', {
        type: 'URL',
        description:
          'The URL for the raw bytes of the file: one HTTP PUT, before `expiresAt`. The URL is the only credential, so keep it secret; it works once. The response is JSON: `id`, `status` and `durationSeconds`, or `code` and `message`.',
      }),
    }),
  });

const UploadAudioSuccessRef = builder.objectRef<Upload>('UploadAudioSuccess').implement({
  description: 'The audio file has arrived at the video service.',
  fields: (t) => ({
    upload: t.field({
      type: UploadRef,
      description: 'The upload, READY to be used in `createLipsync`.',
      resolve: (upload) => upload,
    }),
  }),
});

const audioFailures = [
  InvalidInputError,
  QuotaExceededError,
  ...upstreamErrors,
  AccountPendingError,
  InsufficientCreditsError,
  ContentModeratedError,
  ...accessErrors,
];

builder.mutationFields((t) => ({
  createUpload: t.field({
    type: CreateSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description: 'Creates an upload of up to 5 GB. The file itself is sent to the returned URL.',
    args: {
      input: t.arg({ type: CreateUploadInputRef, required: true, description: 'The file.' }),
    },
    errors: {
      types: [InvalidInputError, QuotaExceededError, ...accessErrors],
      union: { name: 'CreateUploadResult', description: 'The upload, or why it was not created.' },
    },
    resolve: (_, { input }, context) =>
      context.services.uploads.create(context.caller.owner, withOrigin(context, input)),
  }),
  uploadAudio: t.field({
    directives: { cost: upstreamCallCost },
    type: UploadAudioSuccessRef,
    authScopes: { scope: 'lipsync:write' },
    description:
      'Uploads an audio file of at most 25 MB within the request, in the GraphQL multipart request format.',
    args: {
      file: t.arg({
        type: 'File',
        required: true,
        description: 'An audio file of an accepted type.',
      }),
    },
    errors: {
      types: audioFailures,
      union: { name: 'UploadAudioResult', description: 'The upload, or why it was not created.' },
    },
    resolve: (_, { file }, { services, caller, requestId, trace }) => {
      const traced = withOrigin({ requestId, trace }, {});
      const upload = services.uploads.sendAudio(caller.owner, file, traced);
      return answerWithin(audioFailures, upload, { isRead: false });
    },
  }),
}));
