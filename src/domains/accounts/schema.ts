import { AccountPendingError, InvalidInputError, NotFoundError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { defineEntity } from '../../graphql/entity.ts';
import {
  accessErrors,
  answerWithin,
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

/** Lets a gateway hide the fields for our own operators. Pothos also prints the tag on unions, although not in its types. */
const forAdmins = { tag: 'admin' };

export const AccountRef = builder.loadableNode('Account', {
  ...forAdmins,
  description: 'An account at the video service, in which videos are made. Visible to admins only.',
  id: { resolve: ({ id }: AccountOverview) => id, description: 'Opaque and stable.' },
  load: (ids: string[], { caller, services }): Promise<(AccountOverview | null)[]> =>
    caller.scopes.has('admin')
      ? services.accounts.loadWithCredits(ids)
      : Promise.resolve(ids.map(() => null)),
  fields: (t) => ({
    email: t.exposeString('email', {
      description: 'The e-mail under which the account is registered at the video service.',
    }),
    maxJobs: t.exposeInt('maxJobs', {
      nullable: true,
      description:
        'How many jobs it can run at once. Null if the video service does not report it.',
    }),
    inFlight: t.exposeInt('inFlight', {
      description: 'How many lip-syncs of this server hold one of its slots now.',
    }),
    externalJobCount: t.exposeInt('externalLoad', {
      description:
        'How many of its slots are taken by jobs that were not started by this server. Read from the video service while lip-syncs wait.',
    }),
    waitingCount: t.exposeInt('waiting', {
      description:
        'How many lip-syncs wait for this account in particular, because their source video is in it.',
    }),
    credits: t.exposeFloat('credits', {
      nullable: true,
      description: 'The credits that can be spent. Null if the video service did not report them.',
    }),
    planName: t.exposeString('planName', {
      nullable: true,
      description: 'The name of its plan. Null if the video service did not report it.',
    }),
    failure: t.field({
      type: LipsyncErrorRef,
      nullable: true,
      description: 'Why credits and plan could not be read. Null if they were read.',
      resolve: ({ failure }) => failure,
    }),
    isPresent: t.exposeBoolean('isPresent', {
      description:
        'Whether the video service still lists the account. Unlisted accounts are kept here.',
    }),
    isPaused: t.boolean({
      description:
        'Whether the account is paused: no job is sent to it until a read shows that it has recovered.',
      resolve: ({ pausedBy }) => pausedBy !== null,
    }),
    pausedBy: t.field({
      type: ErrorCodeRef,
      nullable: true,
      description: 'The failure that paused it. Null if it is not paused.',
      resolve: ({ pausedBy }) => pausedBy,
    }),
    hasPendingError: t.exposeBoolean('hasPendingError', {
      description: 'Whether the video service blocks the account until it is reconnected.',
    }),
    cooldownUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'No job is sent to it before this time, because it was busy. Null if it has accepted a job since.',
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
      description: 'The accounts that the video service lists now.',
      resolve: ({ nodes }) => nodes,
    }),
  }),
});

const listFailures = [...upstreamErrors, ...accessErrors];

builder.queryField('accounts', (t) =>
  t.field({
    type: AccountListRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    description:
      'The accounts at the video service, with their load and credits. Needs the scope admin.',
    authScopes: { scope: 'admin' },
    errors: {
      types: listFailures,
      union: {
        ...forAdmins,
        name: 'AccountsResult',
        description: 'The accounts, or why they could not be read.',
      },
    },
    resolve: async (_root, _args, { services }) => ({
      nodes: await answerWithin(listFailures, services.accounts.listWithCredits()),
    }),
  }),
);

builder.queryField('account', (t) =>
  t.field({
    type: AccountRef,
    ...forAdmins,
    nullable: true,
    directives: { cost: upstreamCallCost },
    description:
      'One account at the video service, with its load and credits. Null if there is none with this id. Needs the scope admin.',
    authScopes: { scope: 'admin' },
    args: { id: t.arg.id({ required: true, description: 'The id of the account.' }) },
    resolve: (_root, { id }, context) => {
      const key = keyOf('Account', id);
      return key === null ? null : AccountRef.getDataloader(context).load(key);
    },
  }),
);

const ReconnectInputRef = builder.inputType('ReconnectAccountInput', {
  ...forAdmins,
  description: 'The account to sign in again, and its credentials.',
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account.' }),
    password: t.string({
      required: true,
      description: 'Its password at the provider. It is passed on, and neither stored nor logged.',
    }),
    maxJobs: t.int({
      description: 'How many jobs it can run at once, 1 to 8. Default: unchanged.',
    }),
  }),
});

const ReconnectSuccessRef = builder
  .objectRef<{ account: AccountOverview }>('ReconnectAccountSuccess')
  .implement({
    ...forAdmins,
    description: 'The account is signed in again and no longer paused.',
    fields: (t) => ({
      account: t.field({
        type: AccountRef,
        description: 'The account after signing in.',
        resolve: ({ account }) => account,
      }),
    }),
  });

const reconnectFailures = [InvalidInputError, NotFoundError, AccountPendingError, ...listFailures];

builder.mutationField('reconnectAccount', (t) =>
  t.field({
    type: ReconnectSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    description:
      'Signs an account in again at the video service, which ends its pending error there and its pause here. Needs the scope admin.',
    authScopes: { scope: 'admin' },
    args: {
      input: t.arg({
        type: ReconnectInputRef,
        required: true,
        description: 'The account and its password.',
      }),
    },
    errors: {
      types: reconnectFailures,
      union: {
        ...forAdmins,
        name: 'ReconnectAccountResult',
        description: 'The account, or why it could not be signed in.',
      },
    },
    resolve: async (_root, { input }, { services }) => {
      const reconnection = services.accounts.reconnectAccount({
        accountId: keyOf('Account', input.accountId),
        password: input.password,
        maxJobs: input.maxJobs ?? null,
      });
      return { account: await answerWithin(reconnectFailures, reconnection, { isRead: false }) };
    },
  }),
);
