import { builder } from '../../../graphql/builder.ts';
import type { Caller } from '../../../graphql/context.ts';

type Allowance = { limit: number; remaining: number };

const AllowanceRef = builder.objectRef<Allowance>('Allowance').implement({
  description: 'A limit and how much of it is left.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The limit.' }),
    remaining: t.exposeInt('remaining', { description: 'How many are left.' }),
  }),
});

export const ViewerRef = builder.objectRef<Caller>('Viewer').implement({
  description: 'The caller, as this server identified it.',
  fields: (t) => ({
    authenticated: t.exposeBoolean('isAuthenticated', {
      description: 'Whether the request had a valid token.',
    }),
    name: t.exposeString('name', { description: 'The display name of the caller.' }),
    scopes: t.stringList({
      description: 'The scopes of the caller, such as `lipsync:read` and `lipsync:write`.',
      resolve: ({ scopes }) => [...scopes].toSorted(),
    }),
    lipsyncsPerDay: t.field({
      type: AllowanceRef,
      nullable: true,
      description: 'Lip-syncs created in the last 24 hours. Null if there is no limit.',
      resolve: async ({ owner }, _, { services: { lipsyncs } }) =>
        allowanceOf(lipsyncs.limits.perDay, async () => (await lipsyncs.readUsage(owner)).today),
    }),
    lipsyncsInFlight: t.field({
      type: AllowanceRef,
      nullable: true,
      description: 'Lip-syncs that have not ended. Null if there is no limit.',
      resolve: async ({ owner }, _, { services: { lipsyncs } }) =>
        allowanceOf(
          lipsyncs.limits.inFlight,
          async () => (await lipsyncs.readUsage(owner)).inFlight,
        ),
    }),
  }),
});

async function allowanceOf(
  limit: number | null,
  readUsed: () => Promise<number>,
): Promise<Allowance | null> {
  return limit === null ? null : { limit, remaining: Math.max(0, limit - (await readUsed())) };
}

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerRef,
    description: 'The caller and its remaining limits. Available to every caller.',
    resolve: (_, __, { caller }) => caller,
  }),
);
