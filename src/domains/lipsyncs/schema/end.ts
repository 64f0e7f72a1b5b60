import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { accessErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { Cancellation } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

const CancelInputRef = builder.inputType('CancelLipsyncInput', {
  description: 'Which lip-sync to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the lip-sync.' }) }),
});

const DeleteInputRef = builder.inputType('DeleteLipsyncInput', {
  description: 'Which lip-sync to erase.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the lip-sync.' }) }),
});

const cancellationTypes = {
  cancelled: 'LipsyncCancelled',
  'tracking-stopped': 'LipsyncTrackingStopped',
  'already-finished': 'LipsyncAlreadyFinished',
} as const;

const CancelOutcomeRef = builder.interfaceRef<Cancellation>('CancelOutcome').implement({
  description: 'The outcome of `cancelLipsync`, if the caller has the lip-sync.',
  resolveType: ({ kind }) => cancellationTypes[kind],
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync in its terminal status, which is CANCELLED if it was cancelled.',
      resolve: ({ lipsync }) => lipsync,
    }),
  }),
});

const CancelledRef = builder.objectRef<Cancellation>('LipsyncCancelled').implement({
  description: 'The lip-sync was waiting and will not be sent. Nothing was charged.',
  interfaces: [CancelOutcomeRef],
});

const TrackingStoppedRef = builder.objectRef<Cancellation>('LipsyncTrackingStopped').implement({
  description:
    'The job was already running. This server no longer tracks it, but the video service cannot be stopped: it continues and charges.',
  interfaces: [CancelOutcomeRef],
  fields: (t) => ({
    message: t.string({
      description: 'An explanation for people.',
      resolve: () =>
        'The video service cannot stop a job: it continues, and its credits are charged.',
    }),
  }),
});

const AlreadyFinishedRef = builder.objectRef<Cancellation>('LipsyncAlreadyFinished').implement({
  description: 'The lip-sync had already ended, so there was nothing to cancel.',
  interfaces: [CancelOutcomeRef],
});

builder.mutationField('cancelLipsync', (t) =>
  t.errorUnionField({
    directives: { cost: upstreamCallCost },
    types: [CancelledRef, TrackingStoppedRef, AlreadyFinishedRef, NotFoundError, ...accessErrors],
    union: {
      name: 'CancelLipsyncResult',
      description:
        'The outcome of the cancellation. Repeating the request gives the first answer again.',
      resolveType: (value: unknown) => cancellationTypeOf(value),
    },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Cancels a lip-sync. A waiting one ends free of charge. A running job continues and is charged, and the answer says so. While the lip-sync is being sent, the answer waits for the outcome.',
    args: {
      input: t.arg({ type: CancelInputRef, required: true, description: 'Which lip-sync.' }),
    },
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
    description: 'The lip-sync was erased, with its text, reference and events.',
    fields: (t) => ({
      deletedLipsyncId: t.exposeID('deletedLipsyncId', {
        description: 'The id of the erased lip-sync.',
      }),
    }),
  });

builder.mutationField('deleteLipsync', (t) =>
  t.field({
    type: DeleteSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description: 'Erases a finished lip-sync. The generated video stays: see `deleteVideo`.',
    args: {
      input: t.arg({ type: DeleteInputRef, required: true, description: 'Which lip-sync.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: {
        name: 'DeleteLipsyncResult',
        description: 'The erased lip-sync, or why it was not erased.',
      },
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
