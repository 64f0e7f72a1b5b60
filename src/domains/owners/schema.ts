import { InvalidInputError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { encodeId, keyOf } from '../../graphql/ids.ts';
import { upstreamCallCost } from '../../graphql/prices.ts';
import type { ErasedKind, OwnerErasure, OwnerService } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    owners: OwnerService;
  }
}

/** Lets a gateway hide the fields for our own operators. */
const forAdmins = { tag: 'admin' };

const descriptions: Record<ErasedKind, string> = {
  lipsyncs: 'Lip-syncs, with their texts, references and idempotency keys.',
  events: 'Entries in the logs of these lip-syncs.',
  webhooks: 'Webhooks that were sent or waited, with their addresses.',
  webhookSecrets: 'Secrets that signed webhooks, and what was known of their receivers.',
  uploads: 'Uploads. Their files at the video service cannot be erased from here.',
  rejections: 'Reasons of rejected requests, with their idempotency keys.',
  usageRecords: 'Records of what counted towards limits per minute and per day.',
};

const ErasedRef = builder.objectRef<OwnerErasure['erased']>('ErasedCounts').implement({
  ...forAdmins,
  description: 'How much was erased, by kind.',
  fields: (t) =>
    Object.fromEntries(
      (Object.keys(descriptions) as ErasedKind[]).map((kind) => [
        kind,
        t.int({ description: descriptions[kind], resolve: (erased) => erased[kind] ?? 0 }),
      ]),
    ),
});

const ErasureRef = builder.objectRef<OwnerErasure>('OwnerErasure').implement({
  ...forAdmins,
  description: 'The erasure of all data of an owner, and its report.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and stable, for `ownerErasure`.',
      resolve: ({ id }) => encodeId('OwnerErasure', id),
    }),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The owner while it is being erased; null afterwards.',
    }),
    requestedAt: t.field({
      type: 'DateTime',
      description: 'When it was requested.',
      resolve: ({ requestedAt }) => requestedAt,
    }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When everything was erased. Null until then.',
      resolve: ({ finishedAt }) => finishedAt,
    }),
    erased: t.field({
      type: ErasedRef,
      description: 'What has been erased until now.',
      resolve: ({ erased }) => erased,
    }),
  }),
});

const EraseInputRef = builder.inputType('EraseOwnerInput', {
  ...forAdmins,
  description: 'Whose data to erase.',
  fields: (t) => ({
    owner: t.string({
      required: true,
      description:
        '`key:<name>`, `jwt:<iss>:<sub>` or `anonymous`, as `Lipsync.owner` shows it: in `<sub>`, `:` and `%` are written `%3A` and `%25`.',
    }),
  }),
});

const EraseSuccessRef = builder
  .objectRef<{ erasure: OwnerErasure }>('EraseOwnerSuccess')
  .implement({
    ...forAdmins,
    description: 'The erasure continues in the background.',
    fields: (t) => ({
      erasure: t.field({
        type: ErasureRef,
        description: 'The new erasure, or an earlier one that has not finished.',
        resolve: ({ erasure }) => erasure,
      }),
    }),
  });

builder.mutationField('eraseOwner', (t) =>
  t.field({
    type: EraseSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'admin' },
    description:
      'Erases all data of an owner: lip-syncs, which are cancelled first, their events, uploads, webhooks, usage and idempotency keys. Running jobs continue at the video service, and videos stay there: see `deleteVideo`. Needs the scope admin.',
    args: { input: t.arg({ type: EraseInputRef, required: true, description: 'Whose data.' }) },
    errors: {
      types: [InvalidInputError, ...accessErrors],
      union: {
        ...forAdmins,
        name: 'EraseOwnerResult',
        description: 'The erasure, or why it was not begun.',
      },
    },
    resolve: async (_, { input }, { services }) => ({
      erasure: await services.owners.erase(input.owner),
    }),
  }),
);

builder.queryField('ownerErasure', (t) =>
  t.field({
    type: ErasureRef,
    ...forAdmins,
    nullable: true,
    authScopes: { scope: 'admin' },
    description: 'An erasure with its report. Null for an unknown id. Needs the scope admin.',
    args: { id: t.arg.id({ required: true, description: 'The id from `eraseOwner`.' }) },
    resolve: (_, { id }, { services }) => services.owners.find(keyOf('OwnerErasure', id) ?? ''),
  }),
);
