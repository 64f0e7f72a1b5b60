import {
  Failure,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
  restoreFailure,
} from '../../../errors.ts';
import { accessFailure } from '../../../graphql/access.ts';
import { builder } from '../../../graphql/builder.ts';
import type { Context } from '../../../graphql/context.ts';
import { accessErrors, LipsyncErrorRef } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import { type LiveEvents, liveEventsOf } from '../../../live-events.ts';
import { isTerminal, type Progress } from '../service.ts';
import { EventSourceRef, LipsyncStatusRef } from './enums.ts';
import { LipsyncRef } from './lipsync.ts';
import { isFinalDescription } from './outcome.ts';

const LipsyncProgressRef = builder.objectRef<Progress>('LipsyncProgress').implement({
  description: 'An event of a lip-sync.',
  fields: (t) => ({
    cursor: t.string({
      description:
        'The cursor of this event, in `lipsyncsProgress` that of the whole list. Pass it as `after` to continue from here.',
      resolve: ({ cursor }) => cursor,
    }),
    sequence: t.int({
      description: 'Counts from 1 without gaps.',
      resolve: ({ event }) => event.sequence,
    }),
    status: t.field({
      type: LipsyncStatusRef,
      description: 'The status after this event.',
      resolve: ({ event }) => event.status,
    }),
    isFinal: t.boolean({
      description: isFinalDescription,
      resolve: ({ event }) => isTerminal(event.status),
    }),
    percent: t.float({
      description: 'The estimated progress at this event, 0 to 100. It never falls.',
      resolve: ({ event }) => event.percent,
    }),
    queuePosition: t.int({
      nullable: true,
      description:
        "The position among the owner's waiting lip-syncs at this event; 1 = next. Null if it was not waiting.",
      resolve: ({ event }) => event.queuePosition,
    }),
    occurredAt: t.field({
      type: 'DateTime',
      description: 'When the event was recorded.',
      resolve: ({ event }) => event.occurredAt,
    }),
    source: t.field({
      type: EventSourceRef,
      description: 'What led this server to notice the change.',
      resolve: ({ event }) => event.source,
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why the lip-sync FAILED or was MODERATED. Null in other events.',
      resolve: ({ event }) => (event.failure === null ? null : restoreFailure(event.failure)),
    }),
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync as it is now, which may be later than this event.',
      resolve: ({ lipsync }) => lipsync,
    }),
  }),
});

const failureKinds = [
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
  ...accessErrors,
] as const;

const LipsyncProgressResultRef = builder.unionType('LipsyncProgressResult', {
  description: 'An event of a lip-sync, or why the subscription was rejected.',
  types: [LipsyncProgressRef, ...failureKinds],
  resolveType: (value: unknown) =>
    failureKinds.find((kind) => value instanceof kind) ?? LipsyncProgressRef,
});

type Subscriber = Pick<Context, 'caller' | 'services' | 'lastEventId' | 'signal'>;
type Events = LiveEvents<Progress>;

/** @throws failures, each a member of the result union */
async function subscribeToOne(
  { id, after }: { id: string; after?: string | null | undefined },
  { caller, services, lastEventId }: Subscriber,
): Promise<Events> {
  const key = keyOf('Lipsync', id);
  const lipsync = key === null ? null : await services.lipsyncs.findToWatch(caller.owner, key);
  if (lipsync === null) throw new NotFoundError('The lip-sync');
  return services.lipsyncs.subscribe(lipsync, cursorOf(lastEventId, after));
}

/** @throws failures, each a member of the result union */
function subscribeToList(
  { ids, after }: { ids: readonly string[]; after?: string | null | undefined },
  { caller, services, lastEventId }: Subscriber,
): Promise<Events> {
  return services.lipsyncs.subscribeToMany({
    owner: caller.owner,
    keys: ids.map((id) => keyOf('Lipsync', id)),
    cursor: cursorOf(lastEventId, after),
  });
}

/** An empty `Last-Event-ID` means that the client has received no event with an id, so `after` applies. */
function cursorOf(lastEventId: string | null, after: string | null | undefined): string | null {
  return (lastEventId || after) ?? null;
}

/** Opens a stream within the caller's stream limit. A failure is sent as the only event. */
async function openStream(
  { caller, services, signal }: Subscriber,
  subscribe: () => Promise<Events>,
): Promise<LiveEvents<Progress> | LiveEvents<Failure>> {
  try {
    if (!caller.scopes.has('lipsync:read')) throw accessFailure(caller, 'lipsync:read');
    return await services.quotas.holdStream(caller.owner, await subscribe(), signal);
  } catch (thrown) {
    if (thrown instanceof Failure) return liveEventsOf([thrown]);
    throw thrown;
  }
}

/*
 * Without the `errors` option of the errors plugin, which would wrap the source in a generator: the stream of a client that
 * disconnects would then stay open until the next event, and a job can be quiet for hours.
 */
builder.subscriptionField('lipsyncProgress', (t) =>
  t.field({
    type: LipsyncProgressResultRef,
    directives: { cost: upstreamCallCost },
    description:
      'The log of a lip-sync, live. It starts with the newest event, or with the first event after `after`, and completes after the terminal event. Over SSE each event has its cursor as `id:`, and `Last-Event-ID` overrides `after`.',
    args: {
      id: t.arg.id({ required: true, description: 'The id of the lip-sync.' }),
      after: t.arg.string({ description: 'The cursor of the last event received.' }),
    },
    subscribe: (_, args, context) => openStream(context, () => subscribeToOne(args, context)),
    // Pothos cannot type a member of a union with `resolveType` over several classes.
    resolve: (value: Progress | Failure) => value as never,
  }),
);

builder.subscriptionField('lipsyncsProgress', (t) =>
  t.field({
    type: LipsyncProgressResultRef,
    directives: { cost: upstreamCallCost },
    description:
      'The logs of up to 100 lip-syncs in one stream with one cursor. The events of each lip-sync are in order. The stream starts with the newest event of each, or with the first events after `after`, and completes when all lip-syncs have ended. If the caller has no lip-sync with one of the ids, the subscription is rejected with `NotFoundError`; a lip-sync erased later counts as ended. The cost is that of `lipsyncProgress` times the number of ids.',
    args: {
      ids: t.arg.idList({
        required: true,
        description: 'The ids of the lip-syncs: 1 to 100, in any order.',
      }),
      after: t.arg.string({
        description:
          'The cursor of the last event received. It is valid for the same lip-syncs, in any order.',
      }),
    },
    subscribe: (_, args, context) => openStream(context, () => subscribeToList(args, context)),
    // Pothos cannot type a member of a union with `resolveType` over several classes.
    resolve: (value: Progress | Failure) => value as never,
  }),
);
