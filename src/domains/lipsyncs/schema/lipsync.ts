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
import { VideoRef } from '../../videos/schema.ts';
import { VoiceRef } from '../../voices/schema.ts';
import type { Lipsync, LipsyncEvent, LipsyncService } from '../service.ts';

declare module '../../../graphql/context.ts' {
  interface Services {
    lipsyncs: LipsyncService;
  }
}

export const LipsyncStatusRef = builder.enumType('LipsyncStatus', {
  description: 'Where a lip-sync is in its life. The last five are ends: nothing follows them.',
  values: {
    QUEUED: { description: 'It waits in our queue. Nothing has been sent or charged.' },
    SUBMITTING: { description: 'It is being sent to the video service.' },
    SUBMITTED: { description: 'The video service has taken it, and may charge for it.' },
    GENERATING: { description: 'The video service is making the video.' },
    COMPLETED: { description: 'The video is ready: see `result`.' },
    FAILED: { description: 'It could not be made: see `failure`.' },
    MODERATED: { description: "The video service's moderation refused it: see `failure`." },
    CANCELLED: {
      description: 'It was cancelled. Where it ran already, the service still charges.',
    },
    EXPIRED: { description: 'It was not submitted by its `expiresAt`. Nothing was charged.' },
  },
});

export const EventSourceRef = builder.enumType('LipsyncEventSource', {
  description: 'What made us look when we learnt of a change.',
  values: {
    CALLBACK: { description: 'The video service called us back.' },
    POLL: { description: 'We looked by ourselves.' },
    GATEWAY: { description: 'It was our own doing, such as sending or cancelling.' },
  },
});

const LipsyncEventRef = builder.objectRef<LipsyncEvent>('LipsyncEvent').implement({
  description: 'One entry in the log of a lip-sync.',
  fields: (t) => ({
    cursor: t.string({
      description: 'The place of this event, for `lipsyncProgress(after:)`.',
      resolve: (event, _, { services }) => services.lipsyncs.cursorOf(event),
    }),
    sequence: t.exposeInt('sequence', { description: 'Counts from 1 without gaps.' }),
    status: t.field({
      type: LipsyncStatusRef,
      description: 'The status from then on.',
      resolve: ({ status }) => status,
    }),
    percent: t.exposeFloat('percent', { description: 'The estimate then, 0 to 100.' }),
    queuePosition: t.exposeInt('queuePosition', {
      nullable: true,
      description: "The place among the owner's own waiting lip-syncs then; 1 is next.",
    }),
    occurredAt: t.field({
      type: 'DateTime',
      description: 'When we wrote it down.',
      resolve: ({ occurredAt }) => occurredAt,
    }),
    source: t.field({
      type: EventSourceRef,
      description: 'What made us look.',
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
    'How far a lip-sync is, estimated from how long others of its kind took: the video service tells no progress.',
  fields: (t) => ({
    percent: t.float({
      description:
        '0 to 100. It never falls, is at most 95 until the end, and 100 only when COMPLETED.',
      resolve: (lipsync, _, { services }) => services.lipsyncs.estimate(lipsync).percent,
    }),
    estimatedCompletionAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it should be done. Null while it waits and after its end.',
      resolve: (lipsync, _, { services }) =>
        services.lipsyncs.estimate(lipsync).estimatedCompletionAt,
    }),
    queuePosition: t.loadable({
      type: 'Int',
      nullable: true,
      description:
        "The place among the caller's own waiting lip-syncs, 1 is next. Null where it does not wait.",
      load: async (ids: string[], { services }) => {
        const positions = await services.lipsyncs.readPositions(ids);
        return ids.map((id) => positions.get(id) ?? null);
      },
      resolve: ({ id, status }) => (status === 'QUEUED' ? id : null),
    }),
  }),
});

export const LipsyncRef = builder.loadableNode('Lipsync', {
  description: 'A request to make the person in a video speak, and all that became of it.',
  id: { resolve: ({ id }: Lipsync) => id, description: 'Opaque and stable.' },
  load: (keys: string[], { caller, services }): Promise<(Lipsync | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.lipsyncs.findOwn(caller.owner, keys)
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    status: t.field({
      type: LipsyncStatusRef,
      description: 'Where it is in its life.',
      resolve: ({ status }) => status,
    }),
    reference: t.exposeString('reference', {
      nullable: true,
      description: "The caller's own reference, as it was given.",
    }),
    text: t.exposeString('text', {
      nullable: true,
      description: 'The text to speak. Null where audio was given.',
    }),
    voice: t.field({
      type: VoiceRef,
      nullable: true,
      description: 'The voice that speaks the text, as it was listed then.',
      resolve: ({ voice }) => voice,
    }),
    sourceVideo: t.field({
      type: VideoRef,
      nullable: true,
      description: 'The video it was made from, as it was then. Null for an uploaded one.',
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
      description: 'Why it FAILED or was MODERATED. Null for any other status.',
      resolve: ({ failure }) => (failure === null ? null : restoreFailure(failure)),
    }),
    creditsCharged: t.exposeInt('creditsCharged', {
      nullable: true,
      description: 'What the video service said it cost. Null where it did not say.',
    }),
    progress: t.field({
      type: EstimateRef,
      description: 'How far it is, and when it should be done.',
      resolve: (lipsync) => lipsync,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was asked for.',
      resolve: ({ createdAt }) => createdAt,
    }),
    submittedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the video service took it.',
      resolve: ({ submittedAt }) => submittedAt,
    }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it ended, however it did.',
      resolve: ({ finishedAt }) => finishedAt,
    }),
    events: t.field({
      type: LipsyncEventConnectionRef,
      directives: { listSize: { ...pageSize, slicingArguments: ['first'] } },
      description: 'Its log, the oldest first.',
      args: {
        first: t.arg.int({ description: 'How many, 1 to 100. Default 20.' }),
        after: t.arg.string({ description: 'The cursor of the event before the first one.' }),
      },
      resolve: async (lipsync, { first, after }, { services }) => {
        const page = pageOf({ first, after });
        const place = page.after === null ? 0 : services.lipsyncs.placeOf(lipsync, page.after);
        if (place === null) throw rubbishCursor();
        const events = await services.lipsyncs.readEvents(lipsync.id, {
          after: place,
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
    description: 'The lip-sync that may be running. Watch it: its job is looked for.',
    // Not by the loader: who may only write must learn of it too.
    resolve: async ({ lipsyncId }, _, { caller, services }) => {
      const [lipsync] = await services.lipsyncs.findOwn(caller.owner, [lipsyncId]);
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
    description: "One of the caller's lip-syncs. Null where there is none under this id.",
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_, { id }, context) => {
      const key = keyOf('Lipsync', id);
      return key === null ? null : LipsyncRef.getDataloader(context).load(key);
    },
  }),
);

export function rubbishCursor(): InvalidInputError {
  return new InvalidInputError([{ path: ['after'], message: 'The cursor is none of this list.' }]);
}
