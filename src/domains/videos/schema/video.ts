import { AccountPendingError, Failure, InvalidInputError, NotFoundError } from '../../../errors.ts';
import { isAdmitted } from '../../../graphql/access.ts';
import { builder } from '../../../graphql/builder.ts';
import type { Caller, Context } from '../../../graphql/context.ts';
import { defineEntity } from '../../../graphql/entity.ts';
import { accessErrors, answerWithin, upstreamErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { StoredVideo, VideoService, VideoStatus, Viewer } from '../service.ts';

declare module '../../../graphql/context.ts' {
  interface Services {
    videos: VideoService;
  }
}

export const VideoStatusRef = builder.enumType('VideoStatus', {
  description: 'The status of a video at the video service.',
  values: {
    QUEUED: { description: 'The video waits to be generated.' },
    GENERATING: { description: 'The video is being generated.' },
    COMPLETED: { description: 'The video is ready.' },
    FAILED: { description: 'The video could not be generated.' },
    MODERATED: { description: "The video service's moderation rejected the video." },
    UNKNOWN: { description: 'The video service reports a status that this server does not know.' },
  } satisfies Record<VideoStatus, object>,
});

export const VideoRef = builder.loadableNode('Video', {
  description:
    'A video at the video service. A caller without the scope videos:read sees only the videos that its own lip-syncs used or made.',
  id: { resolve: ({ key }: StoredVideo) => key, description: 'Opaque and stable.' },
  load: async (keys: string[], { caller, services }: Context) => {
    const loaded = await services.videos.load(viewerOf(caller), keys);
    return loaded.map((video) => (video instanceof Failure ? asError(video) : video));
  },
  fields: (t) => ({
    status: t.expose('status', { type: VideoStatusRef, description: 'The status of the video.' }),
    url: t.field({
      type: 'URL',
      nullable: true,
      description:
        'The URL of the MP4 at the video service, which may stop working: `permanentUrl` lasts. Null unless the video is COMPLETED, and after its deletion.',
      resolve: ({ status, url }) => (status === 'COMPLETED' ? url : null),
    }),
    permanentUrl: t.field({
      type: 'URL',
      nullable: true,
      description:
        'A URL of this server that redirects to where the MP4 is now, for links that must last. Anyone with the URL can fetch the video, without signing in. Null unless the video is COMPLETED, after its deletion, and where the operator has switched it off.',
      resolve: ({ key, status, url }, _, { services }) =>
        status === 'COMPLETED' && url !== null ? services.videos.permanentUrlOf(key) : null,
    }),
    posterUrl: t.expose('posterUrl', {
      type: 'URL',
      nullable: true,
      description: 'The URL of an image of the first frame. Null if there is none.',
    }),
    lastFrameUrl: t.expose('lastFrameUrl', {
      type: 'URL',
      nullable: true,
      description: 'The URL of an image of the last frame. Null if there is none.',
    }),
    prompt: t.exposeString('prompt', {
      nullable: true,
      description:
        'The text from which the video was generated. Null if the video service does not report it.',
    }),
    negativePrompt: t.exposeString('negativePrompt', {
      nullable: true,
      description:
        'The text that describes what the video must not show. Null if the video service does not report it.',
    }),
    width: t.exposeInt('width', {
      nullable: true,
      description: 'The width in pixels. Null while the video is being generated.',
    }),
    height: t.exposeInt('height', {
      nullable: true,
      description: 'The height in pixels. Null while the video is being generated.',
    }),
    durationSeconds: t.exposeFloat('durationSeconds', {
      nullable: true,
      description: 'The length in seconds. Null if the video service does not report it.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the video was requested. Null if the video service does not report it.',
    }),
    model: t.exposeString('model', {
      nullable: true,
      description:
        'The model that generated the video, such as `v5`. Null if the video service does not report it.',
    }),
    quality: t.exposeString('quality', {
      nullable: true,
      description: 'The quality, such as `540p`. Null if the video service does not report it.',
    }),
    aspectRatio: t.exposeString('aspectRatio', {
      nullable: true,
      description: 'Width to height, such as `3:4`. Null if the video service does not report it.',
    }),
    seed: t.expose('seed', {
      type: 'SafeInt',
      nullable: true,
      description:
        'The seed of the random generator. Null if the video service does not report it.',
    }),
    isOffPeak: t.exposeBoolean('isOffPeak', {
      description: 'Whether the video is generated off-peak: slower, for fewer credits.',
    }),
  }),
});

// Any authenticated caller may read the videos that its own lip-syncs used or made.
defineEntity(VideoRef, { scope: 'videos:read', isAllowed: isAdmitted });

export const listFailures = [
  InvalidInputError,
  ...upstreamErrors,
  AccountPendingError,
  ...accessErrors,
];

builder.queryField('video', (t) =>
  t.field({
    type: VideoRef,
    nullable: true,
    description:
      'One video by its id, or null if it does not exist for the caller. If the video service fails, the field is null with an entry in errors.',
    authScopes: (_root, _args, { caller }) => isAdmitted(caller),
    directives: { cost: upstreamCallCost },
    args: { id: t.arg.id({ required: true, description: 'The id of the video.' }) },
    resolve: (_root, { id }) => keyOf('Video', id),
  }),
);

const DeleteInputRef = builder.inputType('DeleteVideoInput', {
  description: 'The video to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the video.' }) }),
});

const DeleteSuccessRef = builder
  .objectRef<{ deletedVideoId: string }>('DeleteVideoSuccess')
  .implement({
    description: 'The video is deleted at the video service.',
    fields: (t) => ({
      deletedVideoId: t.exposeID('deletedVideoId', { description: 'The id of the deleted video.' }),
    }),
  });

const deleteFailures = [NotFoundError, ...listFailures];

builder.mutationField('deleteVideo', (t) =>
  t.field({
    type: DeleteSuccessRef,
    directives: { cost: upstreamCallCost },
    description:
      "Deletes a video permanently at the video service. Needs the scope lipsync:write for videos that the caller's lip-syncs made, and videos:write for all others. Lip-syncs that used or made the video stay, without its URLs.",
    // For a caller with neither scope, NotAuthorizedError names the scope with fewer rights.
    authScopes: (_root, _args, { caller }) => ({
      scope: caller.scopes.has('videos:write') ? 'videos:write' : 'lipsync:write',
    }),
    args: {
      input: t.arg({ type: DeleteInputRef, required: true, description: 'The video to delete.' }),
    },
    errors: {
      types: deleteFailures,
      union: {
        name: 'DeleteVideoResult',
        description: 'The deleted video, or why it was not deleted.',
      },
    },
    resolve: async (_root, { input }, { caller, services }) => {
      const removal = services.videos.remove(viewerOf(caller), {
        key: keyOf('Video', input.id),
        canDeleteAll: caller.scopes.has('videos:write'),
      });
      await answerWithin(deleteFailures, removal, { isRead: false });
      return { deletedVideoId: input.id };
    },
  }),
);

export function viewerOf({ owner, scopes }: Caller): Viewer {
  return { owner, canSeeAll: scopes.has('videos:read') };
}

/** DataLoader fails a single key only for an Error; `failureOf` unwraps it. */
function asError(failure: Failure): Error {
  return Object.assign(new Error(failure.message), { thrownValue: failure });
}
