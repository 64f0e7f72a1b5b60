import { Webhook } from 'standardwebhooks';
import type { WebhookDependencies } from './dependencies.ts';
import type { WebhookEventType } from './event-types.ts';
import type { WebhookRequest } from './sender.ts';
import type { Delivery, LipsyncEvent } from './store.ts';

/** The events that a lip-sync can be created with in `callbackEvents`. */
export type WebhookEvent = 'SUBMITTED' | 'GENERATING' | 'FINISHED';

type EventOfStatus = { event: WebhookEvent; type: WebhookEventType };

/**
 * The statuses that send a webhook. QUEUED and SUBMITTING do not: the answer to `createLipsync` contains them already, and
 * a lip-sync can change between the two several times.
 */
const eventByStatus: Readonly<Record<string, EventOfStatus>> = {
  SUBMITTED: { event: 'SUBMITTED', type: 'lipsync.submitted' },
  GENERATING: { event: 'GENERATING', type: 'lipsync.generating' },
  COMPLETED: { event: 'FINISHED', type: 'lipsync.completed' },
  FAILED: { event: 'FINISHED', type: 'lipsync.failed' },
  MODERATED: { event: 'FINISHED', type: 'lipsync.moderated' },
  CANCELLED: { event: 'FINISHED', type: 'lipsync.cancelled' },
  EXPIRED: { event: 'FINISHED', type: 'lipsync.expired' },
};

/** The `type` of the webhook for a change to this status; null if the lip-sync did not subscribe to it. */
export function eventTypeOf(
  status: string,
  subscribed: readonly WebhookEvent[],
): WebhookEventType | null {
  const found = eventByStatus[status];
  return found !== undefined && subscribed.includes(found.event) ? found.type : null;
}

/** The request of one attempt. All attempts of a delivery have the same `webhook-id`, so that a receiver can deduplicate. */
export function buildWebhookRequest(
  { publicId, now }: Pick<WebhookDependencies, 'publicId' | 'now'>,
  { delivery, event }: { delivery: Delivery; event: LipsyncEvent },
  secrets: readonly string[],
): WebhookRequest {
  const id = publicId('WebhookDelivery', delivery.id);
  const sentAt = now();
  const body = JSON.stringify({
    type: delivery.eventType,
    timestamp: event.occurredAt.toISOString(),
    data: {
      id: publicId('Lipsync', delivery.lipsyncId),
      reference: event.reference,
      status: event.status,
      sequence: delivery.eventSequence,
      result: resultOf(event),
      failure: failureOf(event),
    },
  });
  return {
    url: delivery.url,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'lipsync-graphql',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
      'webhook-signature': secrets
        .map((secret) => new Webhook(secret).sign(id, sentAt, body))
        .join(' '),
    },
  };
}

function resultOf({ status, resultUrl, resultSeconds }: LipsyncEvent) {
  if (status !== 'COMPLETED') return null;
  return { url: resultUrl, durationSeconds: resultSeconds };
}

function failureOf({ failure }: LipsyncEvent) {
  if (failure === null) return null;
  const { code, message, retryable } = failure;
  return { code, message, retryable };
}
