import { Webhook } from 'standardwebhooks';
import type { WebhookEngine } from './engine.ts';
import type { Letter } from './post.ts';
import type { Delivery, ToldEvent } from './store.ts';

/** What an owner may ask to be told of. */
export type WebhookEvent = 'SUBMITTED' | 'GENERATING' | 'FINISHED';

type Told = { event: WebhookEvent; type: string };

/** The statuses that can be told. Waiting and being sent are known from the answer to `createLipsync`, and go back and forth. */
const toldByStatus: Readonly<Record<string, Told>> = {
  SUBMITTED: { event: 'SUBMITTED', type: 'lipsync.submitted' },
  GENERATING: { event: 'GENERATING', type: 'lipsync.generating' },
  COMPLETED: { event: 'FINISHED', type: 'lipsync.completed' },
  FAILED: { event: 'FINISHED', type: 'lipsync.failed' },
  MODERATED: { event: 'FINISHED', type: 'lipsync.moderated' },
  CANCELLED: { event: 'FINISHED', type: 'lipsync.cancelled' },
  EXPIRED: { event: 'FINISHED', type: 'lipsync.expired' },
};

/** How a change to this status is called in a webhook; null where its owner did not ask to be told of it. */
export function eventTypeOf(status: string, asked: readonly WebhookEvent[]): string | null {
  const told = toldByStatus[status];
  return told !== undefined && asked.includes(told.event) ? told.type : null;
}

/** The request of one attempt. Its `webhook-id` is the same in every attempt, so that a receiver can tell a repetition. */
export function writeLetter(
  { publicId, now }: Pick<WebhookEngine, 'publicId' | 'now'>,
  { delivery, event }: { delivery: Delivery; event: ToldEvent },
  secrets: readonly string[],
): Letter {
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

function resultOf({ status, resultUrl, resultSeconds }: ToldEvent) {
  if (status !== 'COMPLETED') return null;
  return { url: resultUrl, durationSeconds: resultSeconds };
}

function failureOf({ failure }: ToldEvent) {
  if (failure === null) return null;
  const { code, message, retryable } = failure;
  return { code, message, retryable };
}
