import { builder } from '../../../graphql/builder.ts';
import { connectionOf, defineConnection, pageOf } from '../../../graphql/paging.ts';
import { pageSize } from '../../../graphql/prices.ts';
import { isListPosition, type ListPosition } from '../service.ts';
import { invalidCursor, LipsyncRef, LipsyncStatusRef } from './lipsync.ts';

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

export const LipsyncConnectionRef = defineConnection(LipsyncRef, {
  name: 'Lipsync',
  plural: 'lip-syncs',
});

builder.queryField('lipsyncs', (t) =>
  t.field({
    type: LipsyncConnectionRef,
    directives: { listSize: pageSize },
    authScopes: { scope: 'lipsync:read' },
    description: "The caller's lip-syncs, newest first.",
    args: {
      first: t.arg.int({
        description: 'How many from the start of the list or after `after`: 1 to 100, default 20.',
      }),
      after: t.arg.string({ description: 'A cursor: only lip-syncs older than this one.' }),
      last: t.arg.int({
        description: 'How many from the end of the list or before `before`: 1 to 100.',
      }),
      before: t.arg.string({ description: 'A cursor: only lip-syncs newer than this one.' }),
      filter: t.arg({ type: LipsyncFilterRef, description: 'Which lip-syncs to list.' }),
    },
    resolve: async (_, { filter, ...args }, { caller, services }) => {
      const page = pageOf(args);
      const lipsyncs = await services.lipsyncs.listOwn(caller.owner, {
        ...page,
        filter: filter ?? {},
        after: page.after === null ? null : decodePosition(page.after),
        before: page.before === null ? null : decodePosition(page.before),
      });
      return connectionOf(lipsyncs, page, encodePosition);
    },
  }),
);

export function encodePosition({ createdAt, id }: ListPosition): string {
  return Buffer.from(`${createdAt.getTime()}:${id}`).toString('base64url');
}

export function decodePosition(cursor: string): ListPosition {
  const [ms, id] = Buffer.from(cursor, 'base64url').toString('utf8').split(':');
  const position = { createdAt: new Date(Number(ms)), id: id ?? '' };
  if (!isListPosition(position) || encodePosition(position) !== cursor) throw invalidCursor();
  return position;
}
