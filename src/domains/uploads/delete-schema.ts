import { InvalidInputError, NotFoundError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { upstreamCallCost } from '../../graphql/prices.ts';

const DeleteUploadInputRef = builder.inputType('DeleteUploadInput', {
  description: 'The upload to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the upload.' }) }),
});

const DeleteSuccessRef = builder
  .objectRef<{ deletedUploadId: string }>('DeleteUploadSuccess')
  .implement({
    description: 'The upload is deleted.',
    fields: (t) => ({
      deletedUploadId: t.exposeID('deletedUploadId', {
        description: 'The id of the deleted upload.',
      }),
    }),
  });

builder.mutationField('deleteUpload', (t) =>
  t.field({
    type: DeleteSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Deletes an upload, which no lip-sync can use any more. Rejected with `InvalidInputError` while its file is arriving, and while a lip-sync waits to be sent with it. Lip-syncs that were sent with it stay. The video service has no way to delete the file itself.',
    args: {
      input: t.arg({
        type: DeleteUploadInputRef,
        required: true,
        description: 'The upload to delete.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: {
        name: 'DeleteUploadResult',
        description: 'The deleted upload, or why it was not deleted.',
      },
    },
    resolve: async (_, { input }, { caller, services }) => {
      await services.uploads.remove(caller.owner, keyOf('Upload', input.id) ?? '');
      return { deletedUploadId: input.id };
    },
  }),
);
