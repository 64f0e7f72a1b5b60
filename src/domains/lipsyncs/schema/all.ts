import { builder } from '../../../graphql/builder.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { connectionOf, defineListArguments } from '../../../graphql/paging.ts';
import { positionPageOf, writePosition } from '../../../graphql/position.ts';
import { pageSize } from '../../../graphql/prices.ts';
import { LipsyncStatusRef } from './enums.ts';
import { LipsyncConnectionRef } from './list.ts';

/** Lets a gateway hide the fields for our own operators. */
const forAdmins = { tag: 'admin' };

const FilterRef = builder.inputType('AdminLipsyncFilter', {
  ...forAdmins,
  description:
    'Selects lip-syncs of all owners. A field that is left out does not restrict the list.',
  fields: (t) => ({
    owner: t.string({ description: 'Only lip-syncs of this owner, as `Lipsync.owner` has it.' }),
    accountId: t.id({
      description: 'Only lip-syncs that were sent to this account, or must be.',
    }),
    statuses: t.field({
      type: [LipsyncStatusRef],
      description: 'Only lip-syncs with one of these statuses.',
    }),
    createdAfter: t.field({
      type: 'DateTime',
      description: 'Only lip-syncs created after this time.',
    }),
    createdBefore: t.field({
      type: 'DateTime',
      description: 'Only lip-syncs created before this time.',
    }),
  }),
});

builder.queryField('allLipsyncs', (t) =>
  t.field({
    type: LipsyncConnectionRef,
    nullable: true,
    ...forAdmins,
    directives: { listSize: pageSize },
    authScopes: { scope: 'admin' },
    description: 'The lip-syncs of all owners, newest first. Needs the scope admin.',
    args: {
      ...defineListArguments('lip-syncs'),
      filter: t.arg({ type: FilterRef, description: 'Which lip-syncs to list.' }),
    },
    resolve: async (_, { filter, ...args }, { services }) => {
      const { page, positions } = positionPageOf(args);
      const accountId = filter?.accountId == null ? null : keyOf('Account', filter.accountId);
      const isUnknownAccount = filter?.accountId != null && accountId === null;
      const { owner = null, statuses, createdAfter, createdBefore } = filter ?? {};
      const lipsyncs = isUnknownAccount
        ? []
        : await services.lipsyncs.listAll({
            ...positions,
            ...{ owner, accountId },
            filter: { statuses, createdAfter, createdBefore },
          });
      return connectionOf(lipsyncs, page, writePosition);
    },
  }),
);
