import { lineShare } from '../../log.ts';
import { originFields } from '../../tracing/tracer.ts';
import type { WebhookDependencies } from './dependencies.ts';
import { type ClaimedDelivery, releaseDelivery, settleDelivery } from './due-store.ts';
import { readSecrets } from './keys.ts';
import { recordFailure, recordSuccess } from './receiver-store.ts';
import { buildWebhookRequest } from './request.ts';
import type { AttemptOutcome, WebhookProblem } from './sender.ts';
import { type Delivery, type LipsyncEvent, readLipsyncEvent } from './store.ts';

/** Share of the delay that is added at random, so that receivers that failed together are not retried together. */
const jitter = 0.1;

/** The longest `Retry-After` that is followed. A longer one would push the last attempts past the 24 hours. */
const maxRetryAfterMs = 3_600_000;

/**
 * A receiver is paused from this many failed deliveries in a row. The pause is at most as long as a hanging attempt: a
 * receiver that is back is noticed soon, and thousands of deliveries still get their attempts within days.
 */
const pauseRule = { failuresBeforePause: 5, maxPauseSeconds: 10 };

/** Makes a claimed attempt and stores its outcome. */
export async function attemptDelivery(
  deps: WebhookDependencies,
  delivery: ClaimedDelivery,
): Promise<void> {
  const event = await readLipsyncEvent(deps.db, delivery);
  // Retention deleted the lip-sync, and the delivery with it, after the claim.
  if (event === null) return;
  const outcome = await traceAttempt(deps, { delivery, event }, (traceparent) =>
    deliver(deps, { delivery, event, traceparent }),
  );
  if (outcome === null) await releaseDelivery(deps.db, delivery, deps.now());
  else await settle(deps, { delivery, event, outcome });
}

type Attempted = { delivery: Delivery; event: LipsyncEvent };

/** The receiver gets the `traceparent` of the attempt; without tracing, the one that the caller of the mutation sent. */
function traceAttempt(
  { tracer }: WebhookDependencies,
  { delivery, event }: Attempted,
  send: (traceparent: string | null) => Promise<AttemptOutcome | null>,
): Promise<AttemptOutcome | null> {
  const { id, lipsyncId, eventSequence, eventType, attempts } = delivery;
  const attributes = {
    'lipsync.id': lipsyncId,
    'lipsync.sequence': eventSequence,
    'webhook.delivery.id': id,
    'webhook.event': eventType,
    'webhook.attempt': attempts,
  };
  const options = { kind: 'client', of: event.traceparent, attributes } as const;
  return tracer.run('webhook attempt', options, async (span) => {
    const outcome = await send(span.traceparent ?? event.traceparent);
    if (outcome?.status != null) span.set({ 'http.response.status_code': outcome.status });
    if (outcome?.problem != null) span.fail(outcome.problem);
    return outcome;
  });
}

/** Null if the process stopped during the attempt. */
async function deliver(
  deps: WebhookDependencies,
  { delivery, event, traceparent }: Attempted & { traceparent: string | null },
): Promise<AttemptOutcome | null> {
  const secrets = await readSecrets(deps, delivery.owner);
  if (secrets === null) return { status: null, problem: 'SECRET_UNREADABLE' };
  const request = buildWebhookRequest(deps, { delivery, event }, secrets);
  const traced: Record<string, string> = traceparent === null ? {} : { traceparent };
  return deps.sender.send(
    { ...request, headers: { ...request.headers, ...traced } },
    deps.stopping,
  );
}

async function settle(
  deps: WebhookDependencies,
  {
    delivery,
    event,
    outcome,
  }: { delivery: ClaimedDelivery; event: LipsyncEvent; outcome: AttemptOutcome },
): Promise<void> {
  const result = resultOf(deps, delivery, outcome);
  const isStored = await deps.db.transaction(async (tx) => {
    if (!(await settleDelivery(tx, delivery, result))) return false;
    const at = deps.now();
    if (outcome.problem === null) await recordSuccess(tx, delivery, at);
    else if (isReceiversFault(outcome.problem)) {
      await recordFailure(tx, delivery, { at, ...pauseRule });
    }
    return true;
  });
  if (isStored) deps.meter.count('webhook_deliveries_total', { result: countedAs[result.state] });
  if (result.state !== 'FAILED') return;
  const { id: deliveryId, lipsyncId } = delivery;
  const { status, problem } = outcome;
  deps.log.warn(
    { deliveryId, lipsyncId, ...originFields(event), status, problem, [lineShare]: delivery.owner },
    'a webhook delivery failed and is not retried',
  );
}

/** `retried`: the attempt failed, and another one is due later. */
const countedAs = { DELIVERED: 'delivered', FAILED: 'failed', PENDING: 'retried' } as const;

function resultOf(
  { delaysMs, now }: WebhookDependencies,
  delivery: Delivery,
  { status, problem, retryAfterSeconds = 0 }: AttemptOutcome,
): Delivery {
  const result = { ...delivery, lastStatus: status, lastProblem: problem, nextAttemptAt: null };
  if (problem === null) return { ...result, state: 'DELIVERED', deliveredAt: now() };
  const delayMs = problem === 'GONE' ? undefined : delaysMs[delivery.retries];
  if (delayMs === undefined) return { ...result, state: 'FAILED' };
  const retryAfterMs = Math.min(retryAfterSeconds * 1_000, maxRetryAfterMs);
  const waitMs = Math.max(delayMs, retryAfterMs) * (1 + jitter * Math.random());
  const nextAttemptAt = new Date(now().getTime() + waitMs);
  return { ...result, retries: delivery.retries + 1, nextAttemptAt };
}

/** A 410 ends only its own delivery. If the secret could not be read, the receiver was not called. */
function isReceiversFault(problem: WebhookProblem): boolean {
  return problem !== 'GONE' && problem !== 'SECRET_UNREADABLE';
}
