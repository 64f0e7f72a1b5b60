import {
  type Failure,
  InvalidInputError,
  NotAuthenticatedError,
  NotAuthorizedError,
} from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { type ListSize, listOf, upstreamCallCost } from '../../../graphql/prices.ts';
import type { Creation } from '../service.ts';
import { CreateInputRef, CreateResultRef, creatorOf, toCreateInput } from './create.ts';

/** The directives can't express that a list is as long as an argument, so the cost rule reads this. */
const asItems: ListSize = {
  slicingArguments: ['input.items'],
  sizedFields: ['results'],
  requireOneSlicingArgument: false,
};

const CreateAllInputRef = builder.inputType('CreateLipsyncsInput', {
  description: 'The lip-syncs to create in one request.',
  fields: (t) => ({
    items: t.field({
      type: [CreateInputRef],
      required: true,
      description:
        'The lip-syncs to create: 1 to 100. Each `idempotencyKey` must be unique among them.',
    }),
  }),
});

const SuccessRef = builder
  .objectRef<{ results: (Creation | Failure)[] }>('CreateLipsyncsSuccess')
  .implement({
    description: 'All items were processed. Each result says whether its lip-sync was created.',
    fields: (t) => ({
      results: t.field({
        type: [CreateResultRef],
        directives: { listSize: listOf(20) },
        description: 'One per item, in their order: what `createLipsync` would have answered.',
        // Pothos cannot type a member of a union with `resolveType` over several classes.
        resolve: ({ results }) => results as never,
      }),
    }),
  });

builder.mutationField('createLipsyncs', (t) =>
  t.field({
    type: SuccessRef,
    directives: { cost: upstreamCallCost },
    extensions: { listSize: asItems },
    authScopes: { scope: 'lipsync:write' },
    description:
      'Several `createLipsync` in one request, queued in their order. Lip-syncs for which a slot is free are sent at once, and the answer waits for them; the others are QUEUED. With an `idempotencyKey` in each item, the whole request can be repeated safely. The cost is that of `createLipsync` times the number of items.',
    args: {
      input: t.arg({
        type: CreateAllInputRef,
        required: true,
        description: 'The lip-syncs to create.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotAuthenticatedError, NotAuthorizedError],
      union: {
        name: 'CreateLipsyncsResult',
        description: 'The result of each item, or why no item was processed.',
      },
    },
    resolve: async (_, { input }, context) => ({
      results: await context.services.lipsyncs.createAll({
        ...creatorOf(context),
        inputs: input.items.map(toCreateInput),
      }),
    }),
  }),
);
