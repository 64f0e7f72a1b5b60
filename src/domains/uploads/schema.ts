import { restoreFailure } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { LipsyncErrorRef } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import type { Upload, UploadKind, UploadService, UploadState } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    uploads: UploadService;
  }
}

export const UploadKindRef = builder.enumType('UploadKind', {
  description: 'The use of an uploaded file.',
  values: {
    AUDIO: {
      description:
        'Speech for the lip-sync: WAV, MP3, M4A, AAC, OGG, WebM, FLAC, AIFF or CAF, of at most 60 seconds.',
    },
    VIDEO: { description: 'The video of the person that will speak: MP4, MOV, WebM and others.' },
  } satisfies Record<UploadKind, object>,
});

const UploadStatusRef = builder.enumType('UploadStatus', {
  description: 'The status of an upload. READY, FAILED and EXPIRED are final.',
  values: {
    WAITING: { description: 'No byte has arrived. The upload URL accepts the file.' },
    RECEIVING: {
      description:
        'The file is arriving and is being forwarded to the video service, or is about to be fetched from its URL.',
    },
    READY: {
      description:
        'The whole file has arrived. The upload can be used in `createLipsync`, until the server deletes it, after as many days as it keeps finished lip-syncs. Lip-syncs that use it stay as they are.',
    },
    FAILED: { description: 'The file did not arrive completely or was rejected: see `failure`.' },
    EXPIRED: { description: 'No file arrived before `expiresAt`. Create another upload.' },
  } satisfies Record<UploadState, object>,
});

export const UploadRef = builder.loadableNode('Upload', {
  description: 'A file of the caller for use in lip-syncs.',
  id: { resolve: ({ id }: Upload) => id, description: 'Opaque and stable.' },
  load: (keys: string[], { caller, services }): Promise<(Upload | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.uploads.findByKeys(keys.map((key) => ({ owner: caller.owner, key })))
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    kind: t.field({
      type: UploadKindRef,
      description: 'The use of the file.',
      resolve: ({ kind }) => kind,
    }),
    status: t.field({
      type: UploadStatusRef,
      description: 'The status of the upload.',
      resolve: ({ state }) => state,
    }),
    contentType: t.exposeString('contentType', {
      description:
        'The media type of what was sent: as declared until the upload is READY, then as detected from the content.',
    }),
    storedContentType: t.exposeString('storedContentType', {
      nullable: true,
      description:
        'The media type of the file that the video service received. Differs from `contentType` if the sound was decoded: then it is `audio/wav`. Null until the upload is READY.',
    }),
    size: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'The size in bytes: until the upload is READY as declared, for an import by the server of the URL; then as received. Null if unknown.',
      resolve: ({ size }) => size,
    }),
    filename: t.string({
      nullable: true,
      description: "The caller's own name for the file. Visible to the caller only.",
      // An admin can reach the upload of another owner by its lip-sync.
      resolve: ({ owner, filename }, _, { caller }) => (owner === caller.owner ? filename : null),
    }),
    bytesReceived: t.expose('receivedBytes', {
      type: 'SafeInt',
      nullable: true,
      description:
        'How many bytes of the file have arrived: to the second for an import, to the minute for a file that a client sends. An import whose connection breaks begins again with the first byte. Null before the first byte.',
    }),
    sourceUrl: t.field({
      type: 'URL',
      nullable: true,
      description:
        'The URL from which this server fetches the file. Null for a file that a client sends. Visible to the caller only.',
      resolve: ({ owner, sourceUrl }, _, { caller }) => (owner === caller.owner ? sourceUrl : null),
    }),
    durationSeconds: t.exposeFloat('durationSeconds', {
      nullable: true,
      description:
        'The playing time in seconds, after a `clip`. Null until the upload is READY, and for files without a readable duration. Audio has at most 60 seconds: longer files are rejected, unless a `clip` cuts them.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the upload was created.',
      resolve: ({ createdAt }) => createdAt,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The latest time at which the file can begin to arrive. Null once it has begun.',
      resolve: ({ state, expiresAt }) =>
        state === 'WAITING' || state === 'EXPIRED' ? expiresAt : null,
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why the upload FAILED. Null in any other status.',
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
    description: "One of the caller's uploads. Null if the caller has no upload with this id.",
    args: { id: t.arg.id({ required: true, description: 'The id of the upload.' }) },
    resolve: (_, { id }, context) => {
      const key = keyOf('Upload', id);
      return key === null ? null : UploadRef.getDataloader(context).load(key);
    },
  }),
);

export const UploadClipInputRef = builder.inputType('UploadClipInput', {
  description:
    'The part of a sound that is used. The sound is decoded and cut; the rest is not sent to the video service.',
  fields: (t) => ({
    startSeconds: t.float({
      description: 'Where the part begins, in seconds. Default: 0.',
    }),
    durationSeconds: t.float({
      description:
        'The length of the part in seconds, from 0.1 to 60. Default: 60. A sound that ends earlier gives a shorter part.',
    }),
  }),
});
