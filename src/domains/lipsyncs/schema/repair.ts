import { AccountPendingError, InvalidInputError, NotFoundError } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { accessErrors, answerWithin, upstreamErrors } from '../../../graphql/errors.ts';
import { keyOf } from '../../../graphql/ids.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { Ending, Lipsync } from '../service.ts';
import { LipsyncRef } from './lipsync.ts';

/** Lets a gateway hide the fields for our own operators. */
const forAdmins = { tag: 'admin' };

const idField = { required: true, description: 'The id of the lip-sync, of any owner.' } as const;

const RequeueInputRef = builder.inputType('RequeueLipsyncInput', {
  ...forAdmins,
  description: 'Which lip-sync to put back into the queue.',
  fields: (t) => ({ id: t.id(idField) }),
});

const RequeueSuccessRef = builder
  .objectRef<{ lipsync: Lipsync }>('RequeueLipsyncSuccess')
  .implement({
    ...forAdmins,
    description: 'The lip-sync waits in the queue.',
    fields: (t) => ({
      lipsync: t.field({
        type: LipsyncRef,
        description: 'The lip-sync, now QUEUED; CANCELLED if that was requested meanwhile.',
        resolve: ({ lipsync }) => lipsync,
      }),
    }),
  });

builder.mutationField('requeueLipsync', (t) =>
  t.field({
    type: RequeueSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'admin' },
    description:
      'Puts a lip-sync that was claimed and certainly not sent back into the queue, without waiting for its claim to end. One that may have been sent is rejected. Needs the scope admin.',
    args: {
      input: t.arg({ type: RequeueInputRef, required: true, description: 'Which lip-sync.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: {
        ...forAdmins,
        name: 'RequeueLipsyncResult',
        description: 'The waiting lip-sync, or why it was not put back.',
      },
    },
    resolve: async (_, { input }, { services }) => ({
      lipsync: await services.lipsyncs.requeue(keyOf('Lipsync', input.id) ?? ''),
    }),
  }),
);

const EndInputRef = builder.inputType('EndLipsyncInput', {
  ...forAdmins,
  description: 'Which lip-sync to end, and why.',
  fields: (t) => ({
    id: t.id(idField),
    reason: t.string({
      required: true,
      description: 'Shown to the owner as the message of `failure`: 1 to 500 characters.',
    }),
  }),
});

const EndSuccessRef = builder.objectRef<Ending>('EndLipsyncSuccess').implement({
  ...forAdmins,
  description: 'The lip-sync has ended.',
  fields: (t) => ({
    lipsync: t.field({
      type: LipsyncRef,
      description: 'The lip-sync, now FAILED.',
      resolve: ({ lipsync }) => lipsync,
    }),
    mayContinue: t.exposeBoolean('mayContinue', {
      description:
        'Whether a job may run at the video service, which cannot stop it and charges for it.',
    }),
  }),
});

builder.mutationField('endLipsync', (t) =>
  t.field({
    type: EndSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'admin' },
    description:
      'Ends an unfinished lip-sync as FAILED with a reason. A running job continues at the video service and is charged. If its outcome is unknown, a job that is found later still adds its terminal event. Needs the scope admin.',
    args: {
      input: t.arg({ type: EndInputRef, required: true, description: 'Which lip-sync, and why.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: {
        ...forAdmins,
        name: 'EndLipsyncResult',
        description: 'The ended lip-sync, or why it was not ended.',
      },
    },
    resolve: (_, { input }, { services }) =>
      services.lipsyncs.end({ id: keyOf('Lipsync', input.id) ?? '', reason: input.reason }),
  }),
);

const AttachInputRef = builder.inputType('AttachLipsyncJobInput', {
  ...forAdmins,
  description: 'Which lip-sync, and its job at the video service.',
  fields: (t) => ({
    id: t.id(idField),
    upstreamVideoId: t.string({
      required: true,
      description:
        "The job's id at the video service, in full (`user:…-pixverse:…-video:…`) or only its number.",
    }),
  }),
});

const AttachSuccessRef = builder
  .objectRef<{ lipsync: Lipsync }>('AttachLipsyncJobSuccess')
  .implement({
    ...forAdmins,
    description: 'The lip-sync has its job.',
    fields: (t) => ({
      lipsync: t.field({
        type: LipsyncRef,
        description: "The lip-sync with its job's present state.",
        resolve: ({ lipsync }) => lipsync,
      }),
    }),
  });

const attachFailures = [
  InvalidInputError,
  NotFoundError,
  AccountPendingError,
  ...upstreamErrors,
  ...accessErrors,
];

builder.mutationField('attachLipsyncJob', (t) =>
  t.field({
    type: AttachSuccessRef,
    ...forAdmins,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'admin' },
    description:
      'Names the job of a lip-sync whose outcome is unknown, also after it failed with OUTCOME_UNKNOWN. The job must be in the account to which the lip-sync was sent, and belong to no other lip-sync. Needs the scope admin.',
    args: {
      input: t.arg({ type: AttachInputRef, required: true, description: 'Which, and its job.' }),
    },
    errors: {
      types: attachFailures,
      union: {
        ...forAdmins,
        name: 'AttachLipsyncJobResult',
        description: 'The lip-sync with its job, or why it has none.',
      },
    },
    resolve: async (_, { input }, { services }) => {
      const attachment = services.lipsyncs.attachJob({
        id: keyOf('Lipsync', input.id) ?? '',
        upstreamVideoId: input.upstreamVideoId,
      });
      return { lipsync: await answerWithin(attachFailures, attachment) };
    },
  }),
);
