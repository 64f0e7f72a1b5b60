import { Failure } from '../../errors.ts';
import { isAdmitted } from '../../graphql/access.ts';
import { builder } from '../../graphql/builder.ts';
import type { Caller, Context } from '../../graphql/context.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { accessErrors, upstreamErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { listOf, pageSize, upstreamCallCost } from '../../graphql/prices.ts';
import type { StoredVideo, VideoPage, VideoService, VideoStatus, Viewer } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    videos: VideoService;
  }
}

const VideoStatusRef = builder.enumType('VideoStatus', {
  description: 'What the video service says of a video.',
  values: {
    QUEUED: { description: 'It waits to be made.' },
    GENERATING: { description: 'It is being made.' },
    COMPLETED: { description: 'It is ready.' },
    FAILED: { description: 'It could not be made.' },
    MODERATED: { description: "The video service's moderation refused it." },
    UNKNOWN: { description: 'The video service says something that this server does not know.' },
  } satisfies Record<VideoStatus, object>,
});

export const VideoRef = builder.loadableNode('Video', {
  description:
    'A video at the video service. A caller without the scope videos:read sees only those that its own lip-syncs used or made.',
  id: { resolve: ({ key }: StoredVideo) => key, description: 'Opaque and stable.' },
  load: async (keys: string[], { caller, services }: Context) => {
    const loaded = await services.videos.load(viewerOf(caller), keys);
    return loaded.map((video) => (video instanceof Failure ? asError(video) : video));
  },
  fields: (t) => ({
    status: t.field({
      type: VideoStatusRef,
      description: 'Whether it is ready.',
      resolve: ({ status }) => status,
    }),
    url: t.string({
      nullable: true,
      description: 'Where the MP4 is. Null unless the video is COMPLETED, and after its deletion.',
      resolve: ({ status, url }) => (status === 'COMPLETED' ? url : null),
    }),
    posterUrl: t.exposeString('posterUrl', {
      nullable: true,
      description: 'A picture of its first frame. Null where there is none.',
    }),
    lastFrameUrl: t.exposeString('lastFrameUrl', {
      nullable: true,
      description: 'A picture of its last frame. Null where there is none.',
    }),
    prompt: t.exposeString('prompt', {
      nullable: true,
      description: 'The text that it was made from. Null where the video service does not tell.',
    }),
    negativePrompt: t.exposeString('negativePrompt', {
      nullable: true,
      description: 'What it was told not to show. Null where the video service does not tell.',
    }),
    width: t.exposeInt('width', {
      nullable: true,
      description: 'Its width in pixels. Null while it is being made.',
    }),
    height: t.exposeInt('height', {
      nullable: true,
      description: 'Its height in pixels. Null while it is being made.',
    }),
    durationSeconds: t.exposeFloat('durationSeconds', {
      nullable: true,
      description: 'Its length in seconds. Null where the video service does not tell.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it was asked for. Null where the video service does not tell.',
      resolve: ({ createdAt }) => (createdAt === null ? null : new Date(createdAt)),
    }),
    model: t.exposeString('model', {
      nullable: true,
      description: 'The model that made it, such as `v5`. Null where it is not told.',
    }),
    quality: t.exposeString('quality', {
      nullable: true,
      description: 'Its quality, such as `540p`. Null where it is not told.',
    }),
    aspectRatio: t.exposeString('aspectRatio', {
      nullable: true,
      description: 'Width to height, such as `3:4`. Null where it is not told.',
    }),
    seed: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'The number that its randomness began with. Null where it is not told.',
      resolve: ({ seed }) => seed,
    }),
    isOffPeak: t.exposeBoolean('isOffPeak', {
      description: 'Whether it is made in hours of low demand, for fewer credits.',
    }),
  }),
});

// Everybody may ask for what its own lip-syncs used or made.
defineEntity(VideoRef, { scope: 'videos:read', isAllowed: isAdmitted });

const VideoEdgeRef = builder.objectRef<VideoPage['edges'][number]>('VideoEdge').implement({
  description: 'A video in a page, with its cursor.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The place of this video, for `after` and `before`.',
    }),
    node: t.field({ type: VideoRef, description: 'The video.', resolve: ({ node }) => node }),
  }),
});

const VideoConnectionRef = builder.objectRef<VideoPage>('VideoConnection').implement({
  description: 'A page of videos, the newest first.',
  fields: (t) => ({
    edges: t.field({
      type: [VideoEdgeRef],
      directives: { listSize: listOf(100) },
      description: 'The videos of this page, each with its cursor.',
      resolve: ({ edges }) => edges,
    }),
    nodes: t.field({
      type: [VideoRef],
      directives: { listSize: listOf(100) },
      description: 'The videos of this page, without their cursors.',
      resolve: ({ edges }) => edges.map(({ node }) => node),
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where this page stands in the list.',
      resolve: ({ pageInfo }) => pageInfo,
    }),
  }),
});

const VideoFilterRef = builder.inputType('VideoFilter', {
  description: 'Which videos are listed. All that is given must hold.',
  fields: (t) => ({
    status: t.field({ type: [VideoStatusRef], description: 'Only those with one of these.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only those created later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only those created earlier.' }),
  }),
});

builder.queryFields((t) => ({
  videos: t.field({
    type: VideoConnectionRef,
    description:
      "Videos of all accounts, the newest first; without the scope videos:read only those that the caller's lip-syncs used or made. A page may hold fewer than asked for and still say hasNextPage, where a filter matches little: go on from its endCursor.",
    authScopes: (_root, _args, { caller }) => isAdmitted(caller),
    directives: { cost: upstreamCallCost },
    // Composition takes sizedFields of objects only, and this is a union: the supergraph assumes whole pages.
    extensions: { listSize: pageSize },
    args: {
      first: t.arg.int({
        description: 'How many from the start or after `after`. 1 to 100, default 20.',
      }),
      after: t.arg.string({ description: 'A cursor: only older videos than this one.' }),
      last: t.arg.int({ description: 'How many before `before`, which it needs. 1 to 100.' }),
      before: t.arg.string({ description: 'A cursor: only newer videos than this one.' }),
      filter: t.arg({ type: VideoFilterRef, description: 'Which videos are listed.' }),
    },
    errors: {
      types: [...upstreamErrors, ...accessErrors],
      union: { name: 'VideosResult', description: 'A page of videos, or why there is none.' },
    },
    resolve: (_root, args, { caller, services, signal }) =>
      services.videos.list(viewerOf(caller), args, signal),
  }),
  video: t.field({
    type: VideoRef,
    nullable: true,
    description:
      'One video by its id, or null where there is none for the caller. A failure of the video service is null with an entry in errors.',
    authScopes: (_root, _args, { caller }) => isAdmitted(caller),
    directives: { cost: upstreamCallCost },
    args: { id: t.arg.id({ required: true, description: 'The id of the video.' }) },
    resolve: (_root, { id }) => keyOf('Video', id),
  }),
}));

const DeleteInputRef = builder.inputType('DeleteVideoInput', {
  description: 'Which video to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the video.' }) }),
});

const DeleteSuccessRef = builder
  .objectRef<{ deletedVideoId: string }>('DeleteVideoSuccess')
  .implement({
    description: 'The video is deleted at the video service.',
    fields: (t) => ({
      deletedVideoId: t.exposeID('deletedVideoId', { description: 'The id that it had.' }),
    }),
  });

builder.mutationField('deleteVideo', (t) =>
  t.field({
    type: DeleteSuccessRef,
    directives: { cost: upstreamCallCost },
    description:
      "Deletes a video at the video service for good. Needs the scope lipsync:write for what the caller's lip-syncs made, and videos:write for any other. Lip-syncs that used or made it stay, without its addresses.",
    // Named in the refusal: the lesser one.
    authScopes: (_root, _args, { caller }) => ({
      scope: caller.scopes.has('videos:write') ? 'videos:write' : 'lipsync:write',
    }),
    args: {
      input: t.arg({ type: DeleteInputRef, required: true, description: 'Which video to delete.' }),
    },
    errors: {
      types: [...upstreamErrors, ...accessErrors],
      union: { name: 'DeleteVideoResult', description: 'That it is deleted, or why it is not.' },
    },
    resolve: async (_root, { input }, { caller, services }) => {
      const remover = { ...viewerOf(caller), canDeleteAll: caller.scopes.has('videos:write') };
      await services.videos.remove(remover, keyOf('Video', input.id));
      return { deletedVideoId: input.id };
    },
  }),
);

function viewerOf({ owner, scopes }: Caller): Viewer {
  return { owner, canSeeAll: scopes.has('videos:read') };
}

/** DataLoader fails a single key only for an Error; `failureOf` unwraps it. */
function asError(failure: Failure): Error {
  return Object.assign(new Error(failure.message), { thrownValue: failure });
}
