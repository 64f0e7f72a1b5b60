import { Webhook } from 'standardwebhooks';
import type { WebhookEngine } from './engine.ts';
import type { Letter } from './post.ts';
import type { Delivery, ToldEvent } from './store.ts';

/** The ends of a lip-sync, and what an owner's server is told of each. No other event is told. */
const typesByStatus: Readonly<Record<string, string>> = {
  COMPLETED: 'lipsync.completed',
  FAILED: 'lipsync.failed',
  MODERATED: 'lipsync.moderated',
  CANCELLED: 'lipsync.cancelled',
  EXPIRED: 'lipsync.expired',
};

export function eventTypeOf(status: string): string | null {
  return typesByStatus[status] ?? null;
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
