import { InvalidInputError, QuotaExceededError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { withOrigin } from '../../graphql/context.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { upstreamCallCost } from '../../graphql/prices.ts';
import { UploadClipInputRef, UploadKindRef, UploadRef } from './schema.ts';
import type { Upload } from './service.ts';

const ImportUploadInputRef = builder.inputType('ImportUploadInput', {
  description: 'The file to fetch.',
  fields: (t) => ({
    kind: t.field({ type: UploadKindRef, required: true, description: 'The use of the file.' }),
    url: t.field({
      type: 'URL',
      required: true,
      description:
        'The http or https URL of the file, at most 2048 characters, without a user name or password. It must lead to a server on the public internet, also after redirects. The content is checked when it arrives.',
    }),
    clip: t.field({
      type: UploadClipInputRef,
      description:
        'For AUDIO: the part of the sound that is used. Default: all of it, at most 60 seconds.',
    }),
    filename: t.string({
      description:
        "The caller's own name for the file, at most 255 characters. It is stored and returned, and used for nothing else.",
    }),
  }),
});

const ImportSuccessRef = builder.objectRef<Upload>('ImportUploadSuccess').implement({
  description: 'The upload of the file, which this server fetches in the background.',
  fields: (t) => ({
    upload: t.field({
      type: UploadRef,
      description:
        'The upload, RECEIVING until the whole file has arrived. `createLipsync` accepts it immediately: the lip-sync waits for the file.',
      resolve: (upload) => upload,
    }),
  }),
});

builder.mutationField('importUpload', (t) =>
  t.field({
    type: ImportSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Creates an upload from a URL. This server fetches the file in the background and forwards it to the video service while it arrives. It sends no credentials, follows up to 5 redirects, and retries after a broken connection and a server error.',
    args: {
      input: t.arg({ type: ImportUploadInputRef, required: true, description: 'The file.' }),
    },
    errors: {
      types: [InvalidInputError, QuotaExceededError, ...accessErrors],
      union: { name: 'ImportUploadResult', description: 'The upload, or why it was not created.' },
    },
    resolve: (_, { input }, context) =>
      context.services.uploads.import(context.caller.owner, withOrigin(context, input)),
  }),
);
