import { builder } from '../../graphql/builder.ts';
import { defineEntity } from '../../graphql/entity.ts';
import {
  accessErrors,
  ErrorCodeRef,
  LipsyncErrorRef,
  upstreamErrors,
} from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { listOf, upstreamCallCost } from '../../graphql/prices.ts';
import type { AccountOverview, AccountService } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    accounts: AccountService;
  }
}

/** By it a graph can leave out what is for our own operators. Pothos prints it on unions too, though not by its types. */
const forAdmins = { tag: 'admin' };

export const AccountRef = builder.loadableNode('Account', {
  ...forAdmins,
  description: 'An account at the video service, in which videos are made. Only for admins.',
  id: { resolve: ({ id }: AccountOverview) => id, description: 'Opaque and stable.' },
  load: (ids: string[], { caller, services }): Promise<(AccountOverview | null)[]> =>
    caller.scopes.has('admin')
      ? services.accounts.loadWithCredits(ids)
      : Promise.resolve(ids.map(() => null)),
  fields: (t) => ({
    email: t.exposeString('email', {
      description: 'The e-mail that the account is registered with at the video service.',
    }),
    maxJobs: t.exposeInt('maxJobs', {
      nullable: true,
      description: 'How many jobs it may run at once. Null where the video service does not tell.',
    }),
    inFlight: t.exposeInt('inFlight', {
      description: 'How many lip-syncs of this server hold one of its places now.',
    }),
    others: t.exposeInt('others', {
      description:
        'How many of its places jobs of others take, as the video service told when something last waited.',
    }),
    waiting: t.exposeInt('waiting', {
      description:
        'How many lip-syncs wait for this very account, because their source video is in it.',
    }),
    credits: t.exposeFloat('credits', {
      nullable: true,
      description: 'The credits that can be spent. Null where the video service did not tell.',
    }),
    planName: t.exposeString('planName', {
      nullable: true,
      description: 'The name of its plan. Null where the video service did not tell.',
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why credits and plan are not known. Null where they were read.',
      resolve: ({ failure }) => failure,
    }),
    isPresent: t.exposeBoolean('isPresent', {
      description: 'Whether the video service still lists it. One that it does not is kept here.',
    }),
    isPaused: t.boolean({
      description: 'Whether nothing is sent to it, until a read shows that it is in order again.',
      resolve: ({ pausedBy }) => pausedBy !== null,
    }),
    pausedBy: t.field({
      type: ErrorCodeRef,
      nullable: true,
      description: 'The failure that paused it. Null where it is not paused.',
      resolve: ({ pausedBy }) => pausedBy,
    }),
    hasPendingError: t.exposeBoolean('hasPendingError', {
      description: 'Whether the video service holds it until it is reconnected.',
    }),
    cooldownUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'Nothing is sent to it before this, because it was busy. Null where it took one since.',
      resolve: ({ cooldownUntil }) => cooldownUntil,
    }),
  }),
});

defineEntity(AccountRef, { scope: 'admin' });

const AccountListRef = builder.objectRef<{ nodes: AccountOverview[] }>('AccountList').implement({
  ...forAdmins,
  description: 'The accounts at the video service.',
  fields: (t) => ({
    nodes: t.field({
      type: [AccountRef],
      directives: { listSize: listOf(10) },
      description: 'Those that the video service lists now.',
      resolve: ({ nodes }) => nodes,
    }),
  }),
});

builder.queryField('accounts', (t) =>
  t.field({
    type: AccountListRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    description:
      'The accounts at the video service, with their load and credits. Needs the scope admin.',
    authScopes: { scope: 'admin' },
    errors: {
      types: [...upstreamErrors, ...accessErrors],
      union: {
        ...forAdmins,
        name: 'AccountsResult',
        description: 'The accounts, or why they could not be read.',
      },
    },
    resolve: async (_root, _args, { services }) => ({
      nodes: await services.accounts.listWithCredits(),
    }),
  }),
);

const ReconnectInputRef = builder.inputType('ReconnectAccountInput', {
  ...forAdmins,
  description: 'Which account to sign in again, and how.',
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account.' }),
    password: t.string({
      required: true,
      description: 'Its password at the provider. It is passed on, and neither kept nor logged.',
    }),
    maxJobs: t.int({
      description: 'How many jobs it may run at once, 1 to 8. Default: as many as before.',
    }),
  }),
});

const ReconnectSuccessRef = builder
  .objectRef<{ account: AccountOverview }>('ReconnectAccountSuccess')
  .implement({
    ...forAdmins,
    description: 'The account is signed in again, and its pause has ended.',
    fields: (t) => ({
      account: t.field({
        type: AccountRef,
        description: 'The account as it is now.',
        resolve: ({ account }) => account,
      }),
    }),
  });

builder.mutationField('reconnectAccount', (t) =>
  t.field({
    type: ReconnectSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    description:
      'Signs an account in again at the video service, which ends a pending error and its pause here. Needs the scope admin.',
    authScopes: { scope: 'admin' },
    args: {
      input: t.arg({
        type: ReconnectInputRef,
        required: true,
        description: 'The account and its password.',
      }),
    },
    errors: {
      types: [...upstreamErrors, ...accessErrors],
      union: {
        ...forAdmins,
        name: 'ReconnectAccountResult',
        description: 'The account, or why it could not be signed in.',
      },
    },
    resolve: async (_root, { input }, { services }) => ({
      account: await services.accounts.reconnectAccount({
        accountId: keyOf('Account', input.accountId),
        password: input.password,
        maxJobs: input.maxJobs ?? null,
      }),
    }),
  }),
);
