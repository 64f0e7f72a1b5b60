import { builder } from '../../../graphql/builder.ts';
import type { Context } from '../../../graphql/context.ts';
import {
  type Connection,
  connectionOf,
  defineConnection,
  defineListArguments,
  nullOnFailure,
  type PageArgs,
} from '../../../graphql/paging.ts';
import { positionPageOf, writePosition } from '../../../graphql/position.ts';
import { pageSize } from '../../../graphql/prices.ts';
import type { Lipsync } from '../service.ts';
import { LipsyncStatusRef } from './enums.ts';
import { LipsyncRef } from './lipsync.ts';
import { ViewerRef } from './viewer.ts';

const LipsyncFilterRef = builder.inputType('LipsyncFilter', {
  description: 'Selects lip-syncs. A field that is left out does not restrict the list.',
  fields: (t) => ({
    statuses: t.field({
      type: [LipsyncStatusRef],
      description: 'Only lip-syncs with one of these statuses.',
    }),
    reference: t.string({ description: 'Only lip-syncs with exactly this reference.' }),
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

const listArguments = {
  ...defineListArguments('lip-syncs'),
  ...builder.args((t) => ({
    filter: t.field({ type: LipsyncFilterRef, description: 'Which lip-syncs to list.' }),
  })),
};

export const LipsyncConnectionRef = defineConnection(LipsyncRef, {
  name: 'Lipsync',
  plural: 'lip-syncs',
});

builder.queryField('lipsyncs', (t) =>
  t.field({
    type: LipsyncConnectionRef,
    nullable: true,
    directives: { listSize: pageSize },
    authScopes: { scope: 'lipsync:read' },
    description: `The caller's lip-syncs, newest first. ${nullOnFailure}`,
    args: listArguments,
    resolve: (_, args, context) => readPage(args, context),
  }),
);

builder.objectField(ViewerRef, 'lipsyncs', (t) =>
  t.field({
    type: LipsyncConnectionRef,
    nullable: true,
    directives: { listSize: pageSize },
    authScopes: { scope: 'lipsync:read' },
    description: `The caller's lip-syncs, newest first, as in the query \`lipsyncs\`. ${nullOnFailure}`,
    args: listArguments,
    resolve: (_, args, context) => readPage(args, context),
  }),
);

type ListArguments = PageArgs & { filter?: typeof LipsyncFilterRef.$inferInput | null | undefined };

async function readPage(
  { filter, ...args }: ListArguments,
  { caller, services }: Context,
): Promise<Connection<Lipsync>> {
  const { page, positions } = positionPageOf(args);
  const request = { ...positions, filter: filter ?? {} };
  const lipsyncs = await services.lipsyncs.listOwn(caller.owner, request);
  return connectionOf(lipsyncs, page, writePosition);
}
