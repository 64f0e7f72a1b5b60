import { Failure, InvalidInputError, NotFoundError, restoreFailure } from '../../../errors.ts';
import { accessFailure } from '../../../graphql/access.ts';
import { builder } from '../../../graphql/builder.ts';
import type { Context } from '../../../graphql/context.ts';
import { accessErrors, LipsyncErrorRef } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { Progress } from '../service.ts';
import { EventSourceRef, LipsyncRef, LipsyncStatusRef } from './lipsync.ts';

const LipsyncProgressRef = builder.objectRef<Progress>('LipsyncProgress').implement({
  description: 'Something happened to a lip-sync.',
  fields: (t) => ({
    cursor: t.string({
      description:
        'The place of this event, in `lipsyncsProgress` that of the whole list: give it as `after` to go on from here.',
      resolve: ({ cursor }) => cursor,
    }),
    sequence: t.int({
      description: 'Counts from 1 without gaps.',
      resolve: ({ event }) => event.sequence,
    }),
    status: t.field({
      type: LipsyncStatusRef,
      description: 'The status from then on.',
      resolve: ({ event }) => event.status,
    }),
    percent: t.float({
      description: 'The estimate then, 0 to 100. It never falls.',
      resolve: ({ event }) => event.percent,
    }),
    queuePosition: t.int({
      nullable: true,
      description: "The place among the owner's own waiting lip-syncs then; 1 is next.",
      resolve: ({ event }) => event.queuePosition,
    }),
    occurredAt: t.field({
      type: 'DateTime',
      description: 'When we wrote it down.',
      resolve: ({ event }) => event.occurredAt,
    }),
    source: t.field({
      type: EventSourceRef,
      description: 'What made us look.',
      resolve: ({ event }) => event.source,
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why it ended, in the event of a FAILED or MODERATED end.',
      resolve: ({ event }) => (event.failure === null ? null : restoreFailure(event.failure)),
    }),
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync as it is today, which may be later than this event.',
      resolve: ({ lipsync }) => lipsync,
    }),
  }),
});

const failureKinds = [InvalidInputError, NotFoundError, ...accessErrors] as const;

const progressUnion = (name: string, description: string) =>
  builder.unionType(name, {
    description,
    types: [LipsyncProgressRef, ...failureKinds],
    resolveType: (value: unknown) =>
      failureKinds.find((kind) => value instanceof kind) ?? LipsyncProgressRef,
  });

const LipsyncProgressResultRef = progressUnion(
  'LipsyncProgressResult',
  'An event of a lip-sync, or why it can not be watched.',
);

const LipsyncsProgressResultRef = progressUnion(
  'LipsyncsProgressResult',
  'An event of one of the lip-syncs, or why they can not be watched.',
);

type Subscriber = Pick<Context, 'caller' | 'services' | 'lastEventId' | 'signal'>;
type Events = AsyncIterableIterator<Progress>;

/** @throws what is told as a member of the union */
async function follow(
  { id, after }: { id: string; after?: string | null | undefined },
  { caller, services, lastEventId }: Subscriber,
): Promise<Events> {
  const key = keyOf('Lipsync', id);
  const [lipsync] = key === null ? [] : await services.lipsyncs.findOwn(caller.owner, [key]);
  if (lipsync == null) throw new NotFoundError('The lip-sync');
  return services.lipsyncs.follow(lipsync, lastEventId ?? after ?? null);
}

/** @throws what is told as a member of the union */
function followAll(
  { ids, after }: { ids: readonly string[]; after?: string | null | undefined },
  { caller, services, lastEventId }: Subscriber,
): Promise<Events> {
  return services.lipsyncs.followAll({
    owner: caller.owner,
    keys: ids.map((id) => keyOf('Lipsync', id)),
    cursor: lastEventId ?? after ?? null,
  });
}

/** One stream of the caller's, whatever it watches; a failure is told, and then it is over. */
async function open(
  { caller, services, signal }: Subscriber,
  begin: () => Promise<Events>,
): Promise<AsyncIterable<Progress | Failure>> {
  try {
    if (!caller.scopes.has('lipsync:read')) throw accessFailure(caller, 'lipsync:read');
    return await services.quotas.holdStream(caller.owner, await begin(), signal);
  } catch (thrown) {
    if (thrown instanceof Failure) return tellOnce(thrown);
    throw thrown;
  }
}

async function* tellOnce(failure: Failure): AsyncGenerator<Failure> {
  yield failure;
}

/*
 * Without the errors plugin and its `errors` option, which would wrap the source in a generator: a watcher who leaves
 * would then be kept until the next event, and a job may be quiet for hours.
 */
builder.subscriptionField('lipsyncProgress', (t) =>
  t.field({
    type: LipsyncProgressResultRef,
    directives: { cost: upstreamCallCost },
    description:
      'The log of a lip-sync, live. It begins with the last event, or with what follows `after`, and completes after the terminal event. Over SSE each event carries its cursor as `id:`, and `Last-Event-ID` wins over `after`.',
    args: {
      id: t.arg.id({ required: true, description: 'The lip-sync to watch.' }),
      after: t.arg.string({ description: 'The cursor of the last event that was seen.' }),
    },
    subscribe: (_, args, context) => open(context, () => follow(args, context)),
    resolve: (value: Progress | Failure) => value as never,
  }),
);

builder.subscriptionField('lipsyncsProgress', (t) =>
  t.field({
    type: LipsyncsProgressResultRef,
    directives: { cost: upstreamCallCost },
    description:
      'The logs of up to 100 lip-syncs in one stream with one cursor, each in its order. It begins with the last event of each, or with what follows `after`, and completes when all have ended. Where one of the ids names no lip-sync of the caller, the whole is refused with `NotFoundError`; one that is erased after the first event has ended. It costs as many times as there are ids.',
    args: {
      ids: t.arg.idList({
        required: true,
        description: 'The lip-syncs to watch: 1 to 100, in any order.',
      }),
      after: t.arg.string({
        description:
          'The cursor of the last event that was seen. It holds for these lip-syncs in any order, and for no others.',
      }),
    },
    subscribe: (_, args, context) => open(context, () => followAll(args, context)),
    resolve: (value: Progress | Failure) => value as never,
  }),
);
