import { builder } from '../../../graphql/builder.ts';
import { listOf } from '../../../graphql/prices.ts';
import { UploadRef } from '../../uploads/schema.ts';
import type { UploadKey } from '../../uploads/service.ts';
import { WebhookEventRef } from '../../webhooks/schema.ts';
import type { Lipsync } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

/*
 * The options of the request that created the lip-sync.
 */
builder.objectFields(LipsyncRef, (t) => {
  // Not by the loader of the node, which needs `lipsync:read` and searches only the caller's uploads: the uploads belong to the
  // owner of the lip-sync, which an admin may not be.
  const upload = (column: 'sourceUploadId' | 'speechUploadId', description: string) =>
    t.loadable({
      type: UploadRef,
      nullable: true,
      description,
      load: (keys: UploadKey[], { services }) => services.uploads.findByKeys(keys),
      loaderOptions: { cacheKeyFn: ({ owner, key }: UploadKey) => `${key} ${owner}` },
      resolve: ({ owner, [column]: key }: Lipsync) => (key === null ? null : { owner, key }),
    });
  return {
    keepOriginalSound: t.exposeBoolean('keepOriginalSound', {
      nullable: true,
      description:
        "Whether the video's own sound was to be kept in the background. Null if it was not given: the video service decides.",
    }),
    offPeak: t.exposeBoolean('offPeak', {
      description: 'Whether off-peak was requested: slower and cheaper.',
    }),
    maxJobs: t.exposeInt('maxJobs', {
      nullable: true,
      description:
        'How many jobs the account may run at a time, this one included. Null if it was not given.',
    }),
    callbackUrl: t.field({
      type: 'URL',
      nullable: true,
      description: 'The URL to which webhooks are sent. Null if it was not given.',
      resolve: ({ callbackUrl }) => callbackUrl,
    }),
    callbackEvents: t.field({
      type: [WebhookEventRef],
      directives: { listSize: listOf(3) },
      description: 'Which events are sent to `callbackUrl`.',
      resolve: ({ callbackEvents }) => callbackEvents,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'The lip-sync ends as EXPIRED if it was not submitted by this time. Null if it was not given.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
    sourceUpload: upload(
      'sourceUploadId',
      'The upload that is the source video. Null for a video of the video service, and after the upload was deleted.',
    ),
    speechUpload: upload(
      'speechUploadId',
      'The upload that is the speech. Null for a text, and after the upload was deleted.',
    ),
  };
});
