import { builder } from '../../../graphql/builder.ts';
import { connectionOf, defineConnection, pageOf } from '../../../graphql/paging.ts';
import { pageSize } from '../../../graphql/prices.ts';
import { isPlace, type Place } from '../service.ts';
import { LipsyncRef, LipsyncStatusRef, rubbishCursor } from './lipsync.ts';

const LipsyncFilterRef = builder.inputType('LipsyncFilter', {
  description: 'Which lip-syncs to list. What is left out does not matter.',
  fields: (t) => ({
    status: t.field({ type: [LipsyncStatusRef], description: 'Any of these.' }),
    reference: t.string({ description: 'Exactly this reference.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Asked for later than this.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Asked for earlier than this.' }),
  }),
});

const LipsyncConnectionRef = defineConnection(LipsyncRef, { name: 'Lipsync', plural: 'lip-syncs' });

builder.queryField('lipsyncs', (t) =>
  t.field({
    type: LipsyncConnectionRef,
    directives: { listSize: pageSize },
    authScopes: { scope: 'lipsync:read' },
    description: "The caller's lip-syncs, the newest first.",
    args: {
      first: t.arg.int({
        description: 'How many from the start or after `after`: 1 to 100, default 20.',
      }),
      after: t.arg.string({ description: 'A cursor: only older ones than this.' }),
      last: t.arg.int({ description: 'How many from the end or before `before`: 1 to 100.' }),
      before: t.arg.string({ description: 'A cursor: only newer ones than this.' }),
      filter: t.arg({ type: LipsyncFilterRef, description: 'Which ones.' }),
    },
    resolve: async (_, { filter, ...args }, { caller, services }) => {
      const page = pageOf(args);
      const lipsyncs = await services.lipsyncs.listOwn(caller.owner, {
        ...page,
        filter: filter ?? {},
        after: page.after === null ? null : placeOfCursor(page.after),
        before: page.before === null ? null : placeOfCursor(page.before),
      });
      return connectionOf(lipsyncs, page, cursorOfPlace);
    },
  }),
);

function cursorOfPlace({ createdAt, id }: Place): string {
  return Buffer.from(`${createdAt.getTime()}:${id}`).toString('base64url');
}

function placeOfCursor(cursor: string): Place {
  const [ms, id] = Buffer.from(cursor, 'base64url').toString('utf8').split(':');
  const place = { createdAt: new Date(Number(ms)), id: id ?? '' };
  if (!isPlace(place) || cursorOfPlace(place) !== cursor) throw rubbishCursor();
  return place;
}
