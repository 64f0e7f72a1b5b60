import { InvalidInputError, restoreFailure } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { accessErrors, LipsyncErrorRef, upstreamErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { upstreamCallCost } from '../../graphql/prices.ts';
import type { Upload, UploadKind, UploadService, UploadState } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    uploads: UploadService;
  }
}

const UploadKindRef = builder.enumType('UploadKind', {
  description: 'What an uploaded file is for.',
  values: {
    AUDIO: { description: 'Speech to be put into a mouth: WAV or MP3.' },
    VIDEO: { description: 'A video whose person shall speak: MP4, MOV, WebM and others.' },
  } satisfies Record<UploadKind, object>,
});

const UploadStateRef = builder.enumType('UploadState', {
  description: 'Where an upload is in its life. The last three are ends.',
  values: {
    WAITING: { description: 'No byte has arrived. Its upload URL takes the file.' },
    RECEIVING: { description: 'The file is arriving and is being passed on.' },
    READY: { description: 'The whole file has arrived. It can be used in `createLipsync`.' },
    FAILED: { description: 'The file did not arrive or was refused: see `failure`.' },
    EXPIRED: { description: 'No file came before `expiresAt`. Create another upload.' },
  } satisfies Record<UploadState, object>,
});

export const UploadRef = builder.loadableNode('Upload', {
  description: "A file of the caller's own that is to be used in lip-syncs.",
  id: { resolve: ({ id }: Upload) => id, description: 'Opaque and stable.' },
  load: (keys: string[], { caller, services }): Promise<(Upload | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.uploads.findByKeys(caller.owner, keys)
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    kind: t.field({
      type: UploadKindRef,
      description: 'What the file is for.',
      resolve: ({ kind }) => kind,
    }),
    state: t.field({
      type: UploadStateRef,
      description: 'Where it is in its life.',
      resolve: ({ state }) => state,
    }),
    contentType: t.exposeString('contentType', {
      description: 'The media type: as declared until the file is READY, then what its content is.',
    }),
    size: t.field({
      type: 'BigInt',
      nullable: true,
      description:
        'In bytes: as declared until the file is READY, then as it arrived. Null where not known.',
      resolve: ({ size }) => size,
    }),
    filename: t.exposeString('filename', {
      nullable: true,
      description: "The caller's own name for the file. It is kept for the caller alone.",
    }),
    durationSeconds: t.exposeFloat('durationSeconds', {
      nullable: true,
      description:
        'How long it plays. Null until READY, and for files that do not say. Audio of more than 60 seconds cannot be used in a lip-sync.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was asked for.',
      resolve: ({ createdAt }) => createdAt,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'Until when, or until when at most, the file could begin to arrive. Null once it has begun.',
      resolve: ({ state, expiresAt }) =>
        state === 'WAITING' || state === 'EXPIRED' ? expiresAt : null,
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why it FAILED. Null in any other state.',
      resolve: ({ failure }) => (failure === null ? null : restoreFailure(failure)),
    }),
  }),
});

defineEntity(UploadRef, { scope: 'lipsync:read' });

builder.queryField('upload', (t) =>
  t.field({
    type: UploadRef,
    nullable: true,
    authScopes: { scope: 'lipsync:read' },
    description: "One of the caller's uploads. Null where there is none under this id.",
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_, { id }, context) => {
      const key = keyOf('Upload', id);
      return key === null ? null : UploadRef.getDataloader(context).load(key);
    },
  }),
);

const CreateUploadInputRef = builder.inputType('CreateUploadInput', {
  description: 'The file that shall be sent.',
  fields: (t) => ({
    kind: t.field({ type: UploadKindRef, required: true, description: 'What it is for.' }),
    contentType: t.string({
      required: true,
      description:
        'Its media type, as in `audio/mpeg`, `audio/wav` or `video/mp4`. The content itself is looked at when it arrives.',
    }),
    size: t.field({
      type: 'BigInt',
      description:
        'In bytes, from 1 to 5 GB. Where it is given, a file of any other size is refused.',
    }),
    filename: t.string({
      description: "The caller's own name for it, at most 255 characters. It is only given back.",
    }),
  }),
});

const CreateSuccessRef = builder
  .objectRef<{ upload: Upload; uploadUrl: string }>('CreateUploadSuccess')
  .implement({
    description: 'The upload waits for its file.',
    fields: (t) => ({
      upload: t.field({
        type: UploadRef,
        description: 'The upload.',
        resolve: ({ upload }) => upload,
      }),
      uploadUrl: t.exposeString('uploadUrl', {
        description:
          'Send the raw bytes there with one HTTP PUT, before `expiresAt`. Whoever knows this address can do that, once, without any other credentials. The answer is JSON: `id`, `state` and `durationSeconds`, or `code` and `message`.',
      }),
    }),
  });

const UploadAudioSuccessRef = builder.objectRef<Upload>('UploadAudioSuccess').implement({
  description: 'The audio has arrived at the video service.',
  fields: (t) => ({
    upload: t.field({
      type: UploadRef,
      description: 'The upload, READY to be used in `createLipsync`.',
      resolve: (upload) => upload,
    }),
  }),
});

builder.mutationFields((t) => ({
  createUpload: t.field({
    type: CreateSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Prepares an upload of any size up to 5 GB: the file itself goes to the address that comes back.',
    args: {
      input: t.arg({ type: CreateUploadInputRef, required: true, description: 'The file.' }),
    },
    errors: {
      types: [InvalidInputError, ...accessErrors],
      union: { name: 'CreateUploadResult', description: 'The upload, or why there is none.' },
    },
    resolve: (_, { input }, { caller, services }) => services.uploads.create(caller.owner, input),
  }),
  uploadAudio: t.field({
    directives: { cost: upstreamCallCost },
    type: UploadAudioSuccessRef,
    authScopes: { scope: 'lipsync:write' },
    description:
      'Uploads an audio file of at most 25 MB within the request itself, in the GraphQL multipart request format.',
    args: {
      file: t.arg({ type: 'File', required: true, description: 'A WAV or MP3 file.' }),
    },
    errors: {
      types: [...upstreamErrors, ...accessErrors],
      union: { name: 'UploadAudioResult', description: 'The upload, or why there is none.' },
    },
    resolve: (_, { file }, { caller, services }) => services.uploads.sendAudio(caller.owner, file),
  }),
}));
