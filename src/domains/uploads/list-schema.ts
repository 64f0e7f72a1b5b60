import type { ObjectRef } from '@pothos/core';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import {
  connectionOf,
  defineConnection,
  defineListArguments,
  nullOnFailure,
} from '../../graphql/paging.ts';
import { positionPageOf, writePosition } from '../../graphql/position.ts';
import { pageSize } from '../../graphql/prices.ts';
import { UploadRef } from './schema.ts';

// Referenced by name: `Viewer` is defined by another slice, which imports this one.
const viewerRef = 'Viewer' as unknown as ObjectRef<typeof builder.$inferSchemaTypes, Caller>;

const UploadConnectionRef = defineConnection(UploadRef, { name: 'Upload', plural: 'uploads' });

builder.objectField(viewerRef, 'uploads', (t) =>
  t.field({
    type: UploadConnectionRef,
    nullable: true,
    directives: { listSize: pageSize },
    authScopes: { scope: 'lipsync:read' },
    description: `The caller's uploads, newest first. ${nullOnFailure}`,
    args: defineListArguments('uploads'),
    resolve: async ({ owner }, args, { services }) => {
      const { page, positions } = positionPageOf(args);
      return connectionOf(await services.uploads.list(owner, positions), page, writePosition);
    },
  }),
);
