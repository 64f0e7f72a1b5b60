import type { ObjectRef } from '@pothos/core';
import { isAdmitted } from '../../graphql/access.ts';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import { nullOnFailure } from '../../graphql/paging.ts';
import { pageSize, upstreamCallCost } from '../../graphql/prices.ts';
import { VideoConnectionRef, videoListArguments, viewerOf } from './schema.ts';

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
      services.videos.list(viewerOf(caller), args, signal),
  }),
);
