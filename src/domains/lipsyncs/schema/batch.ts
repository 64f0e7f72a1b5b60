import {
  type Failure,
  InvalidInputError,
  NotAuthenticatedError,
  NotAuthorizedError,
} from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { type ListSize, listOf, upstreamCallCost } from '../../../graphql/prices.ts';
import type { Creation } from '../service.ts';
import { CreateInputRef, CreateResultRef, toCreateInput } from './create.ts';

/** What the directives can't say: that a list is as long as an argument. */
const asInputs: ListSize = {
  slicingArguments: ['inputs'],
  sizedFields: ['results'],
  requireOneSlicingArgument: false,
};

const SuccessRef = builder
  .objectRef<{ results: (Creation | Failure)[] }>('CreateLipsyncsSuccess')
  .implement({
    description: 'Each of the inputs has been asked for. What each came to, only its result says.',
    fields: (t) => ({
      results: t.field({
        type: [CreateResultRef],
        directives: { listSize: listOf(20) },
        description:
          'One for each input, in their order: what `createLipsync` would have answered to it.',
        resolve: ({ results }) => results as never,
      }),
    }),
  });

builder.mutationField('createLipsyncs', (t) =>
  t.field({
    type: SuccessRef,
    directives: { cost: upstreamCallCost },
    extensions: { listSize: asInputs },
    authScopes: { scope: 'lipsync:write' },
    description:
      'As many `createLipsync` in one request, placed in the queue in their order. Those for which there is room are sent at once and waited for; the others are QUEUED. Give each an `idempotencyKey`: then the whole request can be repeated, and what was made is answered again. It costs as many times as there are inputs.',
    args: {
      inputs: t.arg({
        type: [CreateInputRef],
        required: true,
        description: 'What to make: 1 to 100. An `idempotencyKey` is only once among them.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotAuthenticatedError, NotAuthorizedError],
      union: {
        name: 'CreateLipsyncsResult',
        description: 'What each input came to, or why nothing was asked for at all.',
      },
    },
    resolve: async (_, { inputs }, { caller, services }) => ({
      results: await services.lipsyncs.createAll({
        owner: caller.owner,
        canSeeAll: caller.scopes.has('videos:read'),
        inputs: inputs.map(toCreateInput),
      }),
    }),
  }),
);
