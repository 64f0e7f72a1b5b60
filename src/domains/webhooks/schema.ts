import { NotFoundError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { listOf, upstreamCallCost } from '../../graphql/prices.ts';
import { LipsyncRef } from '../lipsyncs/schema/lipsync.ts';
import type { Lipsync } from '../lipsyncs/service.ts';
import { type WebhookEventType, webhookEventTypes } from './event-types.ts';
import type {
  Delivery,
  DeliveryState,
  WebhookEvent,
  WebhookProblem,
  WebhookService,
} from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    webhooks: WebhookService;
  }
}

const eventTypeDescriptions: Record<WebhookEventType, string> = {
  'lipsync.submitted': 'The video service accepted the job.',
  'lipsync.generating': 'The video service is generating the video.',
  'lipsync.completed': 'The video is ready.',
  'lipsync.failed': 'The video could not be generated.',
  'lipsync.moderated': "The video service's moderation rejected the content.",
  'lipsync.cancelled': 'The lip-sync was cancelled.',
  'lipsync.expired': 'The lip-sync was not submitted by its `expiresAt`.',
};

export const WebhookEventRef = builder.enumType('WebhookEvent', {
  description: 'An event of a lip-sync that can be sent as a webhook to its `callbackUrl`.',
  values: {
    SUBMITTED: {
      description: 'The video service accepted the job. Sent once, as `lipsync.submitted`.',
    },
    GENERATING: {
      description:
        'The video service is generating the video. Sent as `lipsync.generating`; not sent for a short job that ends before this status is observed.',
    },
    FINISHED: {
      description:
        'The lip-sync reached a final status. Sent as `lipsync.completed`, `lipsync.failed`, `lipsync.moderated`, `lipsync.cancelled` or `lipsync.expired`.',
    },
  } satisfies Record<WebhookEvent, object>,
});

const WebhookEventTypeRef = builder.enumType('WebhookEventType', {
  description:
    'The type of a webhook. In the body of the webhook it is written `lipsync.completed`, for example.',
  values: Object.fromEntries(
    webhookEventTypes.map((value) => [
      value.toUpperCase().replace('.', '_'),
      { value, description: `${eventTypeDescriptions[value]} Sent as \`${value}\`.` },
    ]),
  ),
});

const DeliveryStatusRef = builder.enumType('WebhookDeliveryStatus', {
  description: 'The status of a webhook delivery.',
  values: {
    PENDING: { description: 'It is being sent, or it waits for its next attempt.' },
    DELIVERED: { description: 'The receiver accepted it with a 2xx status.' },
    FAILED: {
      description: 'The last attempt failed and no more follow. `redeliverWebhook` sends it again.',
    },
  } satisfies Record<DeliveryState, object>,
});

const ProblemRef = builder.enumType('WebhookProblem', {
  description: 'Why an attempt to deliver a webhook failed.',
  values: {
    ERROR_STATUS: { description: 'The receiver answered with a status that is not 2xx.' },
    REDIRECTED: {
      description: 'The receiver answered with a redirect. Redirects are not followed.',
    },
    GONE: { description: 'The receiver answered 410 (Gone), which stops all further attempts.' },
    TIMEOUT: { description: 'The receiver did not answer within 10 seconds.' },
    CONNECTION_FAILED: { description: 'No connection could be made, or it was lost.' },
    TLS_FAILED: { description: 'The certificate is not valid, or the TLS handshake failed.' },
    NO_PUBLIC_ADDRESS: {
      description: 'The host has no address, or none on the public internet.',
    },
    SECRET_UNREADABLE: {
      description:
        'The server cannot decrypt the signing secret. `rotateWebhookSecret` creates a new one.',
    },
  } satisfies Record<WebhookProblem, object>,
});

export const WebhookDeliveryRef = builder.loadableNode('WebhookDelivery', {
  description:
    "The delivery of one event to the caller's server: an HTTP POST, signed according to Standard Webhooks. Up to ten attempts are made within about 24 hours. A `Retry-After` of up to one hour is respected after status 429 or 503. Deliveries can arrive out of order: order them by `sequence`.",
  id: {
    resolve: ({ id }: Delivery) => id,
    description: 'Opaque and stable. It is the `webhook-id` header of every attempt.',
  },
  load: (keys: string[], { caller, services }): Promise<(Delivery | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? services.webhooks.findByKeys(caller.owner, keys)
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    type: t.expose('eventType', {
      type: WebhookEventTypeRef,
      description: 'The type of the event: the `type` in the body of the webhook.',
    }),
    sequence: t.exposeInt('eventSequence', {
      description: 'The sequence of the event in the event log of its lip-sync.',
    }),
    url: t.expose('url', {
      type: 'URL',
      description: 'The URL it is sent to: the `callbackUrl` of the lip-sync.',
    }),
    status: t.field({
      type: DeliveryStatusRef,
      description: 'The status of the delivery.',
      resolve: ({ state }) => state,
    }),
    attempts: t.exposeInt('attempts', {
      description: 'The number of attempts that were started, including those of redeliveries.',
    }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description:
        'The HTTP status of the last attempt. Null before the first attempt and if the receiver did not answer.',
    }),
    lastProblem: t.field({
      type: ProblemRef,
      nullable: true,
      description:
        'Why the last attempt failed. Null if it succeeded, and before the first attempt.',
      resolve: ({ lastProblem }) => lastProblem,
    }),
    lastAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the last attempt started. Null before the first attempt.',
      resolve: ({ lastAttemptAt }) => lastAttemptAt,
    }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the next attempt is planned. Null during an attempt, and once the status is DELIVERED or FAILED.',
      resolve: ({ nextAttemptAt }) => nextAttemptAt,
    }),
    deliveredAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the receiver last accepted it. Null if it never did.',
      resolve: ({ deliveredAt }) => deliveredAt,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the event occurred and the delivery was created.',
      resolve: ({ createdAt }) => createdAt,
    }),
  }),
});

defineEntity(WebhookDeliveryRef, { scope: 'lipsync:read' });

builder.objectField(LipsyncRef, 'webhookDeliveries', (t) =>
  t.loadableList({
    type: WebhookDeliveryRef,
    nullable: true,
    directives: { listSize: listOf(3) },
    description:
      'The webhooks for this lip-sync, the oldest event first. Empty without a `callbackUrl`, and before the first of its `callbackEvents`. Null with an entry in `errors` if they could not be read.',
    // Those of the lip-sync's owner, which an admin may not be.
    load: (lipsyncs: Lipsync[], { services }) => services.webhooks.listByLipsyncs(lipsyncs),
    loaderOptions: { cacheKeyFn: ({ id }: Lipsync) => id },
    resolve: (lipsync) => lipsync,
  }),
);

builder.queryField('webhookDelivery', (t) =>
  t.field({
    type: WebhookDeliveryRef,
    nullable: true,
    authScopes: { scope: 'lipsync:read' },
    description:
      "One webhook of the caller's lip-syncs. Null if the caller has no webhook with this id.",
    args: { id: t.arg.id({ required: true, description: 'The id of the delivery.' }) },
    resolve: (_, { id }, context) => {
      const key = keyOf('WebhookDelivery', id);
      return key === null ? null : WebhookDeliveryRef.getDataloader(context).load(key);
    },
  }),
);

const RedeliverInputRef = builder.inputType('RedeliverWebhookInput', {
  description: 'The webhook to send again.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the delivery.' }) }),
});

const RedeliverSuccessRef = builder
  .objectRef<{ delivery: Delivery }>('RedeliverWebhookSuccess')
  .implement({
    description: 'The webhook is queued again.',
    fields: (t) => ({
      delivery: t.field({
        type: WebhookDeliveryRef,
        description: 'The delivery, whose status is now PENDING.',
        resolve: ({ delivery }) => delivery,
      }),
    }),
  });

builder.mutationFields((t) => ({
  redeliverWebhook: t.field({
    directives: { cost: upstreamCallCost },
    type: RedeliverSuccessRef,
    authScopes: { scope: 'lipsync:write' },
    description:
      'Sends a webhook again now, with the same `webhook-id` and up to ten new attempts. Has no effect while an attempt is in progress. Needs the scope `lipsync:write`.',
    args: {
      input: t.arg({
        type: RedeliverInputRef,
        required: true,
        description: 'The webhook to send again.',
      }),
    },
    errors: {
      types: [NotFoundError, ...accessErrors],
      union: {
        name: 'RedeliverWebhookResult',
        description: 'The delivery, or the reason why it was not sent again.',
      },
    },
    resolve: async (_root, { input }, { caller, services }) => ({
      delivery: await services.webhooks.redeliver(
        caller.owner,
        keyOf('WebhookDelivery', input.id) ?? '',
      ),
    }),
  }),
}));
