import type { ObjectRef } from '@pothos/core';
import { NotFoundError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { call, listOf } from '../../graphql/prices.ts';
import { LipsyncRef } from '../lipsyncs/schema/lipsync.ts';
import type {
  Delivery,
  DeliveryState,
  WebhookEvent,
  WebhookKey,
  WebhookProblem,
  WebhookService,
} from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    webhooks: WebhookService;
  }
}

// By its name: a slice shows its `schema.ts` and `service.ts`, and the viewer is defined in another file.
const viewerRef = 'Viewer' as unknown as ObjectRef<typeof builder.$inferSchemaTypes, Caller>;

export const WebhookEventRef = builder.enumType('WebhookEvent', {
  description: "What of a lip-sync the caller's own server may be told.",
  values: {
    SUBMITTED: {
      description: 'The video service has taken it: `lipsync.submitted`, once.',
    },
    GENERATING: {
      description:
        'The video service is making the video: `lipsync.generating`. A short job may end before that is seen, and then it is not told.',
    },
    FINISHED: {
      description:
        'Its end, whichever it is: `lipsync.completed`, `lipsync.failed`, `lipsync.moderated`, `lipsync.cancelled` or `lipsync.expired`.',
    },
  } satisfies Record<WebhookEvent, object>,
});

const DeliveryStateRef = builder.enumType('WebhookDeliveryState', {
  description: 'Where the delivery of a webhook is in its life.',
  values: {
    PENDING: { description: 'It is being sent, or waits for its next attempt.' },
    DELIVERED: { description: 'The receiver has taken it: it answered with a status of 2xx.' },
    FAILED: { description: 'It was given up. `redeliverWebhook` sends it again.' },
  } satisfies Record<DeliveryState, object>,
});

const ProblemRef = builder.enumType('WebhookProblem', {
  description: 'Why an attempt to deliver a webhook failed.',
  values: {
    ERROR_STATUS: { description: 'The receiver answered with a status that is not 2xx.' },
    REDIRECTED: { description: 'The receiver answered with a redirect. None is followed.' },
    GONE: { description: 'The receiver answered 410, which asks not to be called again.' },
    TIMEOUT: { description: 'The receiver did not answer within 10 seconds.' },
    CONNECTION_FAILED: { description: 'No connection could be made, or it broke.' },
    TLS_FAILED: { description: 'The certificate is not valid, or no secure connection was made.' },
    NO_PUBLIC_ADDRESS: {
      description: 'The host has no address, or only ones that are not on the public internet.',
    },
    SECRET_UNREADABLE: {
      description:
        'This server can not read the secret that signs. `rotateWebhookSecret` makes a new one.',
    },
  } satisfies Record<WebhookProblem, object>,
});

export const WebhookDeliveryRef = builder.loadableNode('WebhookDelivery', {
  description:
    "The telling of one event to the caller's server, by an HTTP POST that is signed as Standard Webhooks says. It is tried ten times within about 24 hours; after a 429 or 503 with `Retry-After` not before that time, at most an hour. Deliveries may overtake each other: `sequence` is their order.",
  id: {
    resolve: ({ id }: Delivery) => id,
    description: 'Opaque and stable: the `webhook-id` header of every attempt.',
  },
  load: (keys: string[], { caller, services }): Promise<(Delivery | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.webhooks.findByKeys(caller.owner, keys)
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    type: t.exposeString('eventType', {
      description: 'What is told, such as `lipsync.completed` or `lipsync.failed`.',
    }),
    sequence: t.exposeInt('eventSequence', {
      description: 'The sequence of the event in the log of its lip-sync.',
    }),
    url: t.exposeString('url', { description: 'Where it is sent: the `callbackUrl`.' }),
    state: t.field({
      type: DeliveryStateRef,
      description: 'Where it is in its life.',
      resolve: ({ state }) => state,
    }),
    attempts: t.exposeInt('attempts', { description: 'How many attempts were begun so far.' }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description: 'The HTTP status of the last answer. Null where nobody answered.',
    }),
    lastProblem: t.field({
      type: ProblemRef,
      nullable: true,
      description: 'Why the last attempt failed. Null where it did not, and before the first.',
      resolve: ({ lastProblem }) => lastProblem,
    }),
    lastAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the last attempt began. Null before the first.',
      resolve: ({ lastAttemptAt }) => lastAttemptAt,
    }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried next. Null while it is being tried and after its end.',
      resolve: ({ nextAttemptAt }) => nextAttemptAt,
    }),
    deliveredAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the receiver took it last. Null where it never did.',
      resolve: ({ deliveredAt }) => deliveredAt,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When there was something to tell.',
      resolve: ({ createdAt }) => createdAt,
    }),
  }),
});

defineEntity(WebhookDeliveryRef, { scope: 'lipsync:read' });

builder.objectField(LipsyncRef, 'webhookDeliveries', (t) =>
  t.loadableList({
    type: WebhookDeliveryRef,
    directives: { listSize: listOf(3) },
    description:
      'What was told of it to its `callbackUrl`, the oldest first. Empty where there is none to call, and before the first of its `callbackEvents`.',
    load: (ids: string[], { caller, services }) => services.webhooks.listOf(caller.owner, ids),
    resolve: ({ id }) => id,
  }),
);

const WebhookKeyRef = builder.objectRef<WebhookKey>('WebhookKey').implement({
  description: "A secret that signs the caller's webhooks. The secret itself is shown only once.",
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque and stable.' }),
    hint: t.exposeString('hint', {
      description: 'The last four characters of the secret, to tell one from another.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was made.',
      resolve: ({ createdAt }) => createdAt,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Until when it signs. Null for the newest, which signs until it is replaced.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
  }),
});

builder.objectField(viewerRef, 'webhookKeys', (t) =>
  t.field({
    type: [WebhookKeyRef],
    directives: { listSize: listOf(2) },
    description:
      "The secrets that sign the caller's webhooks now, the newest first, at most two. Empty before the first webhook or `rotateWebhookSecret`, and without the scope `lipsync:read`.",
    resolve: ({ owner, scopes }, _, { services }) =>
      scopes.has('lipsync:read') ? services.webhooks.listKeys(owner) : [],
  }),
);

const RotateSuccessRef = builder
  .objectRef<{ key: WebhookKey; secret: string }>('RotateWebhookSecretSuccess')
  .implement({
    description: 'There is a new secret.',
    fields: (t) => ({
      key: t.field({
        type: WebhookKeyRef,
        description: 'What is known of it from now on.',
        resolve: ({ key }) => key,
      }),
      secret: t.exposeString('secret', {
        description:
          'The secret itself, `whsec_` and base64, as the libraries of Standard Webhooks take it. It is never shown again.',
      }),
    }),
  });

const RedeliverInputRef = builder.inputType('RedeliverWebhookInput', {
  description: 'Which webhook to send again.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of its delivery.' }) }),
});

const RedeliverSuccessRef = builder
  .objectRef<{ delivery: Delivery }>('RedeliverWebhookSuccess')
  .implement({
    description: 'It is being sent again.',
    fields: (t) => ({
      delivery: t.field({
        type: WebhookDeliveryRef,
        description: 'The delivery, now PENDING.',
        resolve: ({ delivery }) => delivery,
      }),
    }),
  });

builder.mutationFields((t) => ({
  rotateWebhookSecret: t.field({
    type: RotateSuccessRef,
    directives: { cost: call },
    authScopes: { scope: 'lipsync:write' },
    description:
      "Makes a new secret for the caller's webhooks and shows it this once. The one before it signs beside it for 24 hours, any older one no more.",
    errors: {
      types: accessErrors,
      union: {
        name: 'RotateWebhookSecretResult',
        description: 'The secret, or why there is none.',
      },
    },
    resolve: (_root, _args, { caller, services }) => services.webhooks.rotateSecret(caller.owner),
  }),
  redeliverWebhook: t.field({
    directives: { cost: call },
    type: RedeliverSuccessRef,
    authScopes: { scope: 'lipsync:write' },
    description:
      'Sends a webhook again, now and then as often as the first time. It keeps its `webhook-id`. One that is being sent right now is left to it.',
    args: {
      input: t.arg({ type: RedeliverInputRef, required: true, description: 'Which one.' }),
    },
    errors: {
      types: [NotFoundError, ...accessErrors],
      union: { name: 'RedeliverWebhookResult', description: 'The delivery, or why not.' },
    },
    resolve: async (_root, { input }, { caller, services }) => ({
      delivery: await services.webhooks.redeliver(
        caller.owner,
        keyOf('WebhookDelivery', input.id) ?? '',
      ),
    }),
  }),
}));
