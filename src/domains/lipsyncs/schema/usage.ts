import { isAdmitted } from '../../../graphql/access.ts';
import { builder } from '../../../graphql/builder.ts';
import { listOf } from '../../../graphql/prices.ts';
import type { UsageDay } from '../service.ts';
import { ViewerRef } from './viewer.ts';

export const UsageDayRef = builder.objectRef<UsageDay>('UsageDay').implement({
  description:
    'What an owner used on one day, in UTC. A lip-sync counts once when it is created, and once when it ends; if a later report corrects its end, the counts are corrected too. Deleted lip-syncs stay counted.',
  fields: (t) => ({
    day: t.field({
      type: 'DateTime',
      description: 'The start of the day.',
      resolve: ({ day }) => `${day}T00:00:00.000Z`,
    }),
    created: t.exposeInt('created', { description: 'Lip-syncs that were created.' }),
    completed: t.exposeInt('completed', { description: 'Lip-syncs that ended as COMPLETED.' }),
    failed: t.exposeInt('failed', { description: 'Lip-syncs that ended as FAILED.' }),
    moderated: t.exposeInt('moderated', { description: 'Lip-syncs that ended as MODERATED.' }),
    cancelled: t.exposeInt('cancelled', { description: 'Lip-syncs that ended as CANCELLED.' }),
    expired: t.exposeInt('expired', { description: 'Lip-syncs that ended as EXPIRED.' }),
    credits: t.exposeFloat('credits', {
      description:
        'The credits charged for lip-syncs that the video service accepted on this day, as far as it reported them.',
    }),
  }),
});

/** At most a year and a day. */
const days = listOf(366);

const description = (whose: string) =>
  `What ${whose} used, oldest day first, without days on which nothing was used. At most 366 days.`;

builder.objectField(ViewerRef, 'usage', (t) =>
  t.field({
    type: [UsageDayRef],
    directives: { listSize: days },
    description: description('the caller'),
    args: {
      from: t.arg({
        type: 'DateTime',
        description: 'A time in the first day. Default: 29 days before `to`.',
      }),
      to: t.arg({ type: 'DateTime', description: 'A time in the last day. Default: now.' }),
    },
    resolve: (caller, { from, to }, { services }) =>
      isAdmitted(caller)
        ? services.lipsyncs.readUsageDays(caller.owner, { from: from ?? null, to: to ?? null })
        : [],
  }),
);

builder.queryField('usage', (t) =>
  t.field({
    type: [UsageDayRef],
    nullable: true,
    tag: 'admin',
    directives: { listSize: days },
    authScopes: { scope: 'admin' },
    description: `${description('any owner')} Needs the scope admin.`,
    args: {
      owner: t.arg.string({ required: true, description: 'The owner, as `Lipsync.owner` has it.' }),
      from: t.arg({
        type: 'DateTime',
        description: 'A time in the first day. Default: 29 days before `to`.',
      }),
      to: t.arg({ type: 'DateTime', description: 'A time in the last day. Default: now.' }),
    },
    resolve: (_, { owner, from, to }, { services }) =>
      services.lipsyncs.readUsageDays(owner, { from: from ?? null, to: to ?? null }),
  }),
);
