import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { accessErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { Cancellation } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

const CancelInputRef = builder.inputType('CancelLipsyncInput', {
  description: 'Which lip-sync to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Its id.' }) }),
});

const DeleteInputRef = builder.inputType('DeleteLipsyncInput', {
  description: 'Which lip-sync to erase.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Its id.' }) }),
});

const CancelledRef = builder.objectRef<Cancellation>('LipsyncCancelled').implement({
  description: 'It was waiting and never will be sent. Nothing was charged.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync, now CANCELLED.',
      resolve: ({ lipsync }) => lipsync,
    }),
  }),
});

const TrackingStoppedRef = builder.objectRef<Cancellation>('LipsyncTrackingStopped').implement({
  description:
    'It was running. We look after it no more, but the video service can not be stopped: it goes on and charges.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync, now CANCELLED.',
      resolve: ({ lipsync }) => lipsync,
    }),
    message: t.string({
      description: 'What this means, for people.',
      resolve: () =>
        'The video service can not stop a job: it goes on, and its credits are charged.',
    }),
  }),
});

const AlreadyFinishedRef = builder.objectRef<Cancellation>('LipsyncAlreadyFinished').implement({
  description: 'It had ended before, so that nothing was left to cancel.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync as it ended.',
      resolve: ({ lipsync }) => lipsync,
    }),
  }),
});

const cancellationTypes = {
  cancelled: 'LipsyncCancelled',
  'tracking-stopped': 'LipsyncTrackingStopped',
  'already-finished': 'LipsyncAlreadyFinished',
} as const;

builder.mutationField('cancelLipsync', (t) =>
  t.errorUnionField({
    directives: { cost: upstreamCallCost },
    types: [
      CancelledRef,
      TrackingStoppedRef,
      AlreadyFinishedRef,
      InvalidInputError,
      NotFoundError,
      ...accessErrors,
    ],
    union: {
      name: 'CancelLipsyncResult',
      description: 'What cancelling came to. Asking a second time gives the first answer again.',
      resolveType: (value: unknown) => cancellationTypeOf(value),
    },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Gives up a lip-sync. One that waits ends free of charge; one that runs goes on and is charged, and the answer says so.',
    args: { input: t.arg({ type: CancelInputRef, required: true, description: 'Which one.' }) },
    resolve: (_, { input }, { caller, services }) =>
      services.lipsyncs.cancel({ owner: caller.owner, id: keyOf('Lipsync', input.id) ?? '' }),
  }),
);

function cancellationTypeOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'kind' in value
    ? cancellationTypes[value.kind as Cancellation['kind']]
    : undefined;
}

const DeleteSuccessRef = builder
  .objectRef<{ deletedLipsyncId: string }>('DeleteLipsyncSuccess')
  .implement({
    description: 'It was erased: its text, its reference and its events.',
    fields: (t) => ({
      deletedLipsyncId: t.exposeID('deletedLipsyncId', { description: 'The id it had.' }),
    }),
  });

builder.mutationField('deleteLipsync', (t) =>
  t.field({
    type: DeleteSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description: 'Erases a finished lip-sync. The video that it made stays: see `deleteVideo`.',
    args: { input: t.arg({ type: DeleteInputRef, required: true, description: 'Which one.' }) },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: { name: 'DeleteLipsyncResult', description: 'That it was erased, or why not.' },
    },
    resolve: async (_, { input }, { caller, services }) => {
      await services.lipsyncs.delete({
        owner: caller.owner,
        id: keyOf('Lipsync', input.id) ?? '',
      });
      return { deletedLipsyncId: input.id };
    },
  }),
);
