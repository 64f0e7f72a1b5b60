import { builder } from '../../../graphql/builder.ts';
import type { Caller } from '../../../graphql/context.ts';

type Allowance = { limit: number; remaining: number };

const AllowanceRef = builder.objectRef<Allowance>('Allowance').implement({
  description: 'A limit, and what is left of it.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'How many in all.' }),
    remaining: t.exposeInt('remaining', { description: 'How many are left now.' }),
  }),
});

const ViewerRef = builder.objectRef<Caller>('Viewer').implement({
  description: 'Who asks, as this server sees it.',
  fields: (t) => ({
    authenticated: t.exposeBoolean('isAuthenticated', {
      description: 'Whether the request carried a valid token.',
    }),
    name: t.exposeString('name', { description: 'The name of the caller, for people.' }),
    scopes: t.stringList({
      description: 'What the caller may do: such as `lipsync:read` and `lipsync:write`.',
      resolve: ({ scopes }) => [...scopes].toSorted(),
    }),
    lipsyncsPerDay: t.field({
      type: AllowanceRef,
      nullable: true,
      description: 'Lip-syncs in the last 24 hours. Null where there is no limit.',
      resolve: async ({ owner }, _, { services: { lipsyncs } }) =>
        allowanceOf(lipsyncs.limits.perDay, async () => (await lipsyncs.readUse(owner)).today),
    }),
    lipsyncsInFlight: t.field({
      type: AllowanceRef,
      nullable: true,
      description: 'Lip-syncs that have not ended. Null where there is no limit.',
      resolve: async ({ owner }, _, { services: { lipsyncs } }) =>
        allowanceOf(lipsyncs.limits.inFlight, async () => (await lipsyncs.readUse(owner)).inFlight),
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
    description: 'Who asks, and what is left of its limits. It answers everyone.',
    resolve: (_, __, { caller }) => caller,
  }),
);
