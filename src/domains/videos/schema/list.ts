import type { ObjectRef } from '@pothos/core';
import { isAdmitted } from '../../../graphql/access.ts';
import { builder } from '../../../graphql/builder.ts';
import { setShared } from '../../../graphql/cache-hints.ts';
import type { Caller } from '../../../graphql/context.ts';
import { answerWithin } from '../../../graphql/errors.ts';
import { nullOnFailure } from '../../../graphql/paging.ts';
import { listOf, pageSize, upstreamCallCost } from '../../../graphql/prices.ts';
import type { VideoPage } from '../service.ts';
import { listFailures, VideoRef, VideoStatusRef, viewerOf } from './video.ts';

const VideoEdgeRef = builder.objectRef<VideoPage['edges'][number]>('VideoEdge').implement({
  description: 'A video in a page, with its cursor.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The position of this video, for `after` and `before`.',
    }),
    node: t.field({
      type: VideoRef,
      description: 'The video.',
      extensions: { isLoaded: true },
      resolve: ({ node }) => node,
    }),
  }),
});

const VideoConnectionRef = builder.objectRef<VideoPage>('VideoConnection').implement({
  description: 'A page of videos, newest first.',
  fields: (t) => ({
    edges: t.expose('edges', {
      type: [VideoEdgeRef],
      directives: { listSize: listOf(100) },
      description: 'The videos of this page, each with its cursor.',
    }),
    nodes: t.field({
      type: [VideoRef],
      directives: { listSize: listOf(100) },
      description: 'The videos of this page, without their cursors.',
      extensions: { isLoaded: true },
      resolve: ({ edges }) => edges.map(({ node }) => node),
    }),
    pageInfo: t.expose('pageInfo', {
      type: builder.pageInfoRef(),
      description: 'The position of this page in the list.',
    }),
  }),
});

const VideoFilterRef = builder.inputType('VideoFilter', {
  description: 'Which videos are listed: those that match every given condition.',
  fields: (t) => ({
    statuses: t.field({
      type: [VideoStatusRef],
      description: 'Only videos with one of these statuses.',
    }),
    createdAfter: t.field({
      type: 'DateTime',
      description: 'Only videos from after this time.',
    }),
    createdBefore: t.field({
      type: 'DateTime',
      description: 'Only videos from before this time.',
    }),
  }),
});

const videoListArguments = builder.args((t) => ({
  first: t.int({
    description:
      'How many videos from the start of the list, or after `after`. 1 to 100, default 20.',
  }),
  after: t.string({ description: 'A cursor: only videos older than it.' }),
  last: t.int({
    description: 'How many videos before `before`, which is then required. 1 to 100.',
  }),
  before: t.string({ description: 'A cursor: only videos newer than it.' }),
  filter: t.field({ type: VideoFilterRef, description: 'Which videos are listed.' }),
}));

builder.queryField('videos', (t) =>
  t.field({
    type: VideoConnectionRef,
    description:
      "The videos of all accounts, newest first. Without the scope videos:read only the videos that the caller's lip-syncs used or made. With a filter that matches few videos, a page can be incomplete and still have hasNextPage: continue from its endCursor.",
    authScopes: (_root, _args, { caller }) => isAdmitted(caller),
    directives: { cost: upstreamCallCost },
    // Composition accepts sizedFields on object types only, and this is a union: the supergraph assumes full pages.
    extensions: { listSize: pageSize },
    args: videoListArguments,
    errors: {
      types: listFailures,
      union: {
        name: 'VideosResult',
        description: 'A page of videos, or why it could not be read.',
      },
    },
    resolve: async (...[, args, context, info]) => {
      const { caller, services, signal } = context;
      const viewer = viewerOf(caller);
      const page = await answerWithin(listFailures, services.videos.list(viewer, args, signal));
      if (viewer.canSeeAll) setShared(context, info);
      return page;
    },
  }),
);

// Referenced by name: `Viewer` is defined by another slice, which imports this one.
const viewerRef = 'Viewer' as unknown as ObjectRef<typeof builder.$inferSchemaTypes, Caller>;

builder.objectField(viewerRef, 'videos', (t) =>
  t.field({
    type: VideoConnectionRef,
    nullable: true,
    directives: { cost: upstreamCallCost, listSize: pageSize },
    authScopes: isAdmitted,
    description: `The videos of all accounts, newest first, as in the query \`videos\`. Without the scope videos:read only the videos that the caller's lip-syncs used or made. ${nullOnFailure}`,
    args: videoListArguments,
    resolve: (caller, args, { services, signal }) =>
      answerWithin(listFailures, services.videos.list(viewerOf(caller), args, signal)),
  }),
);
