import type { ObjectRef } from '@pothos/core';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import type { QuotaService } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    quotas: QuotaService;
  }
}

type SchemaTypes = typeof builder.$inferSchemaTypes;
type Allowance = { limit: number; remaining: number };

// By their names: a slice shows its `schema.ts` and `service.ts`, and these are defined in another file.
const viewerRef = 'Viewer' as unknown as ObjectRef<SchemaTypes, Caller>;
const allowanceRef = 'Allowance' as unknown as ObjectRef<SchemaTypes, Allowance>;

builder.objectFields(viewerRef, (t) => ({
  costPerMinute: t.field({
    type: allowanceRef,
    nullable: true,
    description:
      'The cost of operations in a minute, as `@cost` and `@listSize` tell it. What is spent comes back evenly. Null where there is no limit.',
    resolve: async ({ owner }, _, { services: { quotas } }) =>
      allowanceOf(quotas.limits.costPerMinute, await quotas.readSpent(owner)),
  }),
  openStreams: t.field({
    type: allowanceRef,
    nullable: true,
    description:
      'Subscriptions that are open, over all transports together. Null where there is no limit.',
    resolve: async ({ owner }, _, { services: { quotas } }) =>
      allowanceOf(quotas.limits.streams, await quotas.countStreams(owner)),
  }),
}));

function allowanceOf(limit: number | null, used: number): Allowance | null {
  return limit === null ? null : { limit, remaining: Math.max(0, Math.floor(limit - used)) };
}
