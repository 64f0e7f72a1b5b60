import { builder } from '../../../graphql/builder.ts';
import { type Caller, type Scope, scopes } from '../../../graphql/context.ts';
import type { Allowance } from '../../quotas/service.ts';

const AllowanceRef = builder.objectRef<Allowance>('Allowance').implement({
  description: 'A limit of the caller, and how much of it is used.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The limit.' }),
    used: t.exposeInt('used', { description: 'How many are used now.' }),
    remaining: t.exposeInt('remaining', { description: 'How many are left, at least 0.' }),
    resetAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the next used unit is available again; for `costPerMinute`, when the whole limit is. Null if nothing is used, and for limits that are freed only when lip-syncs or subscriptions end.',
      resolve: ({ resetAt }) => resetAt,
    }),
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

export const ViewerRef = builder.objectRef<Caller>('Viewer').implement({
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
      resolve: ({ owner }, _, { services }) => services.lipsyncs.readAllowance(owner, 'perDay'),
    }),
    lipsyncsInFlight: t.field({
      type: AllowanceRef,
      nullable: true,
      description: 'Lip-syncs that have not ended. Null if there is no limit.',
      resolve: ({ owner }, _, { services }) => services.lipsyncs.readAllowance(owner, 'inFlight'),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerRef,
    description: 'The caller, its limits and its lists. Available to every caller.',
    resolve: (_, __, { caller }) => caller,
  }),
);
