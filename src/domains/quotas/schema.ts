import type { ObjectRef } from '@pothos/core';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import type { Allowance, QuotaService } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    quotas: QuotaService;
  }
}

type SchemaTypes = typeof builder.$inferSchemaTypes;

// Referenced by name: other slices can import only `schema.ts` and `service.ts`, and these are defined in another file.
const viewerRef = 'Viewer' as unknown as ObjectRef<SchemaTypes, Caller>;
const allowanceRef = 'Allowance' as unknown as ObjectRef<SchemaTypes, Allowance>;

builder.objectFields(viewerRef, (t) => ({
  costPerMinute: t.field({
    type: allowanceRef,
    nullable: true,
    description:
      'The cost of operations that can be spent per minute, computed from `@cost` and `@listSize`. The budget refills evenly: the full limit within a minute. Null if there is no limit.',
    resolve: ({ owner }, _, { services }) => services.quotas.readCostAllowance(owner),
  }),
  openStreams: t.field({
    type: allowanceRef,
    nullable: true,
    description:
      'The number of subscriptions that can be open at the same time, over all transports and connections. Null if there is no limit.',
    resolve: ({ owner }, _, { services }) => services.quotas.readStreamAllowance(owner),
  }),
}));
