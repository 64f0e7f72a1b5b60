import { builder } from '../../../graphql/builder.ts';
import { type Caller, type Scope, scopes } from '../../../graphql/context.ts';

type Allowance = { limit: number; remaining: number };

const AllowanceRef = builder.objectRef<Allowance>('Allowance').implement({
  description: 'A limit and how much of it is left.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The limit.' }),
    remaining: t.exposeInt('remaining', { description: 'How many are left.' }),
  }),
});

const scopeDescriptions: Record<Scope, string> = {
  'lipsync:read': "The caller's lip-syncs, uploads and webhooks, and the voices.",
  'lipsync:write':
    'Creates, cancels and deletes lip-syncs, uploads files, and sends webhooks again.',
  'videos:read': 'The videos of all accounts.',
  'videos:write': 'Deletes any video.',
  admin: 'The accounts at the video service.',
};

const ScopeRef = builder.enumType('Scope', {
  description:
    'What a caller may do. In a token and in an API key a scope is written as `lipsync:read`, for example.',
  values: Object.fromEntries(
    scopes.map((value) => [
      value.toUpperCase().replace(':', '_'),
      { value, description: `${scopeDescriptions[value]} In a token: \`${value}\`.` },
    ]),
  ),
});

const ViewerRef = builder.objectRef<Caller>('Viewer').implement({
  description: 'The caller, as this server identified it.',
  fields: (t) => ({
    authenticated: t.exposeBoolean('isAuthenticated', {
      description: 'Whether the request had a valid token.',
    }),
    name: t.exposeString('name', { description: 'The display name of the caller.' }),
    scopes: t.field({
      type: [ScopeRef],
      description: 'The scopes of the caller: what it may do.',
      resolve: (caller) => scopes.filter((scope) => caller.scopes.has(scope)),
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
