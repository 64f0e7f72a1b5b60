import { Failure, InvalidInputError, NotFoundError, restoreFailure } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import type { Context } from '../../graphql/context.ts';
import { accessErrors, LipsyncErrorRef } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { call } from '../../graphql/prices.ts';
import { refusalOf } from '../../graphql/refusal.ts';
import { EventSourceRef, LipsyncRef, LipsyncStatusRef } from './schema.ts';
import type { Progress } from './service.ts';

const LipsyncProgressRef = builder.objectRef<Progress>('LipsyncProgress').implement({
  description: 'Something happened to a lip-sync.',
  fields: (t) => ({
    cursor: t.string({
      description: 'The place of this event: give it as `after` to go on from here.',
      resolve: ({ event }, _, { services }) => services.lipsyncs.cursorOf(event),
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

const LipsyncProgressResultRef = builder.unionType('LipsyncProgressResult', {
  description: 'An event of a lip-sync, or why it can not be watched.',
  types: [LipsyncProgressRef, ...failureKinds],
  resolveType: (value: unknown) =>
    failureKinds.find((kind) => value instanceof kind) ?? LipsyncProgressRef,
});

type Subscriber = Pick<Context, 'caller' | 'services' | 'lastEventId' | 'signal'>;

/** @throws what is told as a member of the union */
async function follow(
  { id, after }: { id: string; after?: string | null | undefined },
  { caller, services, lastEventId, signal }: Subscriber,
): Promise<AsyncIterable<Progress>> {
  if (!caller.scopes.has('lipsync:read')) throw refusalOf(caller, 'lipsync:read');
  const key = keyOf('Lipsync', id);
  const [lipsync] = key === null ? [] : await services.lipsyncs.findOwn(caller.owner, [key]);
  if (lipsync == null) throw new NotFoundError('The lip-sync');
  const events = await services.lipsyncs.follow(lipsync, lastEventId ?? after ?? null);
  return services.quotas.holdStream(caller.owner, events, signal);
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
    directives: { cost: call },
    description:
      'The log of a lip-sync, live. It begins with the last event, or with what follows `after`, and completes after the terminal event. Over SSE each event carries its cursor as `id:`, and `Last-Event-ID` wins over `after`.',
    args: {
      id: t.arg.id({ required: true, description: 'The lip-sync to watch.' }),
      after: t.arg.string({ description: 'The cursor of the last event that was seen.' }),
    },
    subscribe: async (_, args, context): Promise<AsyncIterable<Progress | Failure>> => {
      try {
        return await follow(args, context);
      } catch (thrown) {
        if (thrown instanceof Failure) return tellOnce(thrown);
        throw thrown;
      }
    },
    resolve: (value: Progress | Failure) => value as never,
  }),
);
