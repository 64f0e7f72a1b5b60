import { builder } from '../../../graphql/builder.ts';
import { pageOf } from '../../../graphql/paging.ts';
import type { ListSize } from '../../../graphql/prices.ts';
import type { OwnerUsage, QueueOwner, UnfinishedWork } from '../service.ts';
import { UsageDayRef } from './usage.ts';

/** Lets a gateway hide the fields for our own operators. */
const forAdmins = { tag: 'admin' };

const ownersPerPage: ListSize = {
  assumedSize: 20,
  slicingArguments: ['first'],
  requireOneSlicingArgument: false,
};

const oldestWaitingAt = {
  type: 'DateTime',
  nullable: true,
  description: 'When the lip-sync that has waited longest was created. Null if none waits.',
  resolve: (waiting: { oldestWaitingAt: Date | null }) => waiting.oldestWaitingAt,
} as const;

const QueueOwnerRef = builder.objectRef<QueueOwner>('QueueOwner').implement({
  ...forAdmins,
  description: 'An owner with unfinished lip-syncs.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'The owner, as `Lipsync.owner` has it.' }),
    waitingCount: t.exposeInt('waiting', { description: 'How many of its lip-syncs are QUEUED.' }),
    runningCount: t.exposeInt('running', {
      description: 'How many of its lip-syncs are SUBMITTING, SUBMITTED or GENERATING.',
    }),
    oldestWaitingAt: t.field(oldestWaitingAt),
  }),
});

const QueueRef = builder.objectRef<UnfinishedWork>('LipsyncQueue').implement({
  ...forAdmins,
  description: 'The unfinished lip-syncs of all owners.',
  fields: (t) => ({
    waitingCount: t.exposeInt('waiting', { description: 'How many lip-syncs are QUEUED.' }),
    oldestWaitingAt: t.field(oldestWaitingAt),
    unknownCount: t.exposeInt('outcomeUnknown', {
      description: 'How many lip-syncs are SUBMITTING with an unknown outcome of their request.',
    }),
    owners: t.field({
      type: [QueueOwnerRef],
      directives: { listSize: ownersPerPage },
      description: 'Owners with unfinished lip-syncs, those with the most waiting ones first.',
      args: { first: t.arg.int({ description: 'How many: 1 to 100, default 20.' }) },
      resolve: (_, { first }, { services }) =>
        services.lipsyncs.readQueueOwners(pageOf({ first }).limit),
    }),
  }),
});

builder.queryField('queue', (t) =>
  t.field({
    type: QueueRef,
    nullable: true,
    ...forAdmins,
    authScopes: { scope: 'admin' },
    description: 'The unfinished lip-syncs of all owners. Needs the scope admin.',
    resolve: (_, _args, { services }) => services.lipsyncs.readUnfinished(),
  }),
);

const OwnerUsageRef = builder.objectRef<OwnerUsage>('OwnerUsage').implement({
  ...forAdmins,
  description: 'What an owner used on one day.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'The owner, as `Lipsync.owner` has it.' }),
    usage: t.field({
      type: UsageDayRef,
      description: 'What it used.',
      resolve: (usage) => usage,
    }),
  }),
});

builder.queryField('usageByOwner', (t) =>
  t.field({
    type: [OwnerUsageRef],
    nullable: true,
    ...forAdmins,
    directives: { listSize: ownersPerPage },
    authScopes: { scope: 'admin' },
    description:
      'What each owner used on one day, in UTC, in the order of their names, without owners that used nothing. Needs the scope admin.',
    args: {
      day: t.arg({ type: 'DateTime', description: 'A time in the day. Default: now.' }),
      first: t.arg.int({ description: 'How many: 1 to 100, default 20.' }),
      after: t.arg.string({ description: 'Only owners whose names come after this one.' }),
    },
    resolve: (_, { day = null, first, after = null }, { services }) =>
      services.lipsyncs.readUsageOfDay({ day, after, limit: pageOf({ first }).limit }),
  }),
);
