import {
  InvalidInputError,
  NotFoundError,
  OutcomeUnknownError,
  restoreFailure,
} from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { defineEntity } from '../../../graphql/entity.ts';
import { LipsyncErrorRef } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { connectionOf, defineConnection, pageOf } from '../../../graphql/paging.ts';
import { pageSize } from '../../../graphql/prices.ts';
import { VideoRef } from '../../videos/schema/video.ts';
import { VoiceRef } from '../../voices/schema.ts';
import type { Lipsync, LipsyncEvent, LipsyncService } from '../service.ts';
import { EventSourceRef, LipsyncStatusRef } from './enums.ts';

declare module '../../../graphql/context.ts' {
  interface Services {
    lipsyncs: LipsyncService;
  }
}

export const LipsyncEventRef = builder.objectRef<LipsyncEvent>('LipsyncEvent').implement({
  description: 'An entry in the log of a lip-sync.',
  fields: (t) => ({
    cursor: t.string({
      description: 'The cursor of this event, for `lipsyncProgress(after:)`.',
      resolve: (event, _, { services }) => services.lipsyncs.cursorOf(event),
    }),
    sequence: t.exposeInt('sequence', { description: 'Counts from 1 without gaps.' }),
    status: t.field({
      type: LipsyncStatusRef,
      description: 'The status after this event.',
      resolve: ({ status }) => status,
    }),
    percent: t.exposeFloat('percent', {
      description: 'The estimated progress at this event, 0 to 100.',
    }),
    queuePosition: t.exposeInt('queuePosition', {
      nullable: true,
      description:
        "The position among the owner's waiting lip-syncs at this event; 1 = next. Null if it was not waiting.",
    }),
    occurredAt: t.field({
      type: 'DateTime',
      description: 'When the event was recorded.',
      resolve: ({ occurredAt }) => occurredAt,
    }),
    source: t.field({
      type: EventSourceRef,
      description: 'What led this server to notice the change.',
      resolve: ({ source }) => source,
    }),
  }),
});

const LipsyncEventConnectionRef = defineConnection(LipsyncEventRef, {
  name: 'LipsyncEvent',
  plural: 'events',
});

const EstimateRef = builder.objectRef<Lipsync>('LipsyncEstimate').implement({
  description:
    'The estimated progress of a lip-sync. The video service reports no progress, so it is estimated from the durations of similar lip-syncs.',
  fields: (t) => ({
    percent: t.float({
      description:
        '0 to 100. It never falls, is at most 95 until the lip-sync ends, and 100 only when COMPLETED.',
      resolve: (lipsync, _, { services }) => services.lipsyncs.estimate(lipsync).percent,
    }),
    estimatedCompletionAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the lip-sync is expected to complete. Null while it waits and after it ended.',
      resolve: (lipsync, _, { services }) =>
        services.lipsyncs.estimate(lipsync).estimatedCompletionAt,
    }),
    queuePosition: t.int({
      nullable: true,
      description:
        "The position among the caller's waiting lip-syncs; 1 = next. Null if it is not waiting, and while a file that it names is arriving: then no other lip-sync waits for it.",
      resolve: (lipsync, _, { services }) => services.lipsyncs.readPosition(lipsync),
    }),
  }),
});

export const LipsyncRef = builder.loadableNode('Lipsync', {
  description:
    'A request to make the person in a video speak, with its status, its log and its result.',
  id: { resolve: ({ id }: Lipsync) => id, description: 'Opaque and stable.' },
  load: (keys: string[], { caller, services }): Promise<(Lipsync | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.lipsyncs.findOwn(caller.owner, keys)
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    status: t.field({
      type: LipsyncStatusRef,
      description: 'The current status.',
      resolve: ({ status }) => status,
    }),
    reference: t.exposeString('reference', {
      nullable: true,
      description: "The caller's own reference, unchanged.",
    }),
    text: t.exposeString('text', {
      nullable: true,
      description: 'The text to speak. Null if audio was given.',
    }),
    voice: t.field({
      type: VoiceRef,
      nullable: true,
      description: 'The voice that speaks the text, as listed when the lip-sync was created.',
      resolve: ({ voice }) => voice,
    }),
    sourceVideo: t.field({
      type: VideoRef,
      nullable: true,
      description: 'The source video. Without URLs once it was deleted. Null for an upload.',
      resolve: ({ sourceVideo }) => sourceVideo,
    }),
    result: t.field({
      type: VideoRef,
      nullable: true,
      description: 'The finished video. Null until COMPLETED.',
      resolve: ({ resultVideo }) => resultVideo,
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why the lip-sync FAILED or was MODERATED. Null for any other status.',
      resolve: ({ failure }) => (failure === null ? null : restoreFailure(failure)),
    }),
    creditsCharged: t.exposeFloat('creditsCharged', {
      nullable: true,
      description: 'The credits that the video service charged. Null if it did not report them.',
    }),
    maxCredits: t.exposeFloat('maxCredits', {
      nullable: true,
      description:
        'The highest estimated cost that the request allowed. Null if there was no limit.',
    }),
    owner: t.string({
      nullable: true,
      description: 'The owner of the lip-sync. Null for callers without the scope admin.',
      resolve: ({ owner }, _, { caller }) => (caller.scopes.has('admin') ? owner : null),
    }),
    progress: t.field({
      type: EstimateRef,
      description: 'The estimated progress and completion.',
      resolve: (lipsync) => lipsync,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the lip-sync was created.',
      resolve: ({ createdAt }) => createdAt,
    }),
    submittedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the video service accepted the lip-sync. Null before.',
      resolve: ({ submittedAt }) => submittedAt,
    }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the lip-sync reached its terminal status. Null before.',
      resolve: ({ finishedAt }) => finishedAt,
    }),
    events: t.field({
      type: LipsyncEventConnectionRef,
      nullable: true,
      directives: { listSize: { ...pageSize, slicingArguments: ['first'] } },
      description:
        'The log of the lip-sync, oldest event first. Null with an entry in `errors` if the arguments are not valid.',
      args: {
        first: t.arg.int({ description: 'How many events: 1 to 100, default 20.' }),
        after: t.arg.string({ description: 'A cursor: only events after this one.' }),
      },
      resolve: async (lipsync, { first, after }, { services }) => {
        const page = pageOf({ first, after });
        const sequence =
          page.after === null ? 0 : services.lipsyncs.sequenceOfCursor(lipsync, page.after);
        if (sequence === null) throw invalidCursor();
        const events = await services.lipsyncs.readEvents(lipsync.id, {
          after: sequence,
          limit: page.limit + 1,
        });
        return connectionOf(events, page, services.lipsyncs.cursorOf);
      },
    }),
  }),
});

defineEntity(LipsyncRef, { scope: 'lipsync:read' });

builder.objectField(OutcomeUnknownError, 'lipsync', (t) =>
  t.field({
    type: LipsyncRef,
    description:
      'The lip-sync whose job may be running. Subscribe to it: its job is being searched for.',
    // Not by the loader, which needs `lipsync:read`: callers with only `lipsync:write` get this field too.
    resolve: async ({ lipsyncId }, _, { caller, services }) => {
      const lipsync = caller.scopes.has('admin')
        ? await services.lipsyncs.findAny(lipsyncId)
        : (await services.lipsyncs.findOwn(caller.owner, [lipsyncId]))[0];
      if (lipsync == null) throw new NotFoundError('The lip-sync');
      return lipsync;
    },
  }),
);

builder.queryField('lipsync', (t) =>
  t.field({
    type: LipsyncRef,
    nullable: true,
    authScopes: { scope: 'lipsync:read' },
    description: "One of the caller's lip-syncs. Null if the caller has none with this id.",
    args: { id: t.arg.id({ required: true, description: 'The id of the lip-sync.' }) },
    resolve: (_, { id }, context) => {
      const key = keyOf('Lipsync', id);
      return key === null ? null : LipsyncRef.getDataloader(context).load(key);
    },
  }),
);

function invalidCursor(): InvalidInputError {
  return new InvalidInputError([
    {
      path: ['after'],
      message: 'The cursor does not belong to this list.',
      code: 'INVALID_CURSOR',
    },
  ]);
}
