import { randomUUID } from 'node:crypto';
import type { Sql } from '../../database/connect.ts';
import type { WebhookDependencies } from './dependencies.ts';
import { readSecrets } from './keys.ts';
import { buildWebhookRequest } from './request.ts';
import type { AttemptOutcome } from './sender.ts';
import {
  claimDelivery,
  type Delivery,
  isDue,
  type LipsyncEvent,
  readLipsyncEvent,
  releaseDelivery,
  settleDelivery,
} from './store.ts';

export const deliveryQueue = 'deliver-webhook';

export type DeliveryJob = { id: string; data: { deliveryId: string } };

/** Added to the time limit of the attempt, for the database writes before and after it. */
const leaseMarginMs = 2_000;

/** Share of the delay that is added at random, so that receivers that failed together are not retried together. */
const jitter = 0.1;

/** The longest `Retry-After` that is followed. A longer one would push the last attempts past the 24 hours. */
const maxRetryAfterMs = 3_600_000;

/** Queues an attempt. The job gets the id that its delivery's row stores: a job with another id is obsolete. */
export async function queueAttempt(
  { jobs }: WebhookDependencies,
  tx: Sql,
  attempt: { delivery: Pick<Delivery, 'id' | 'owner' | 'jobId'>; delayMs: number },
): Promise<void> {
  const { delivery, delayMs } = attempt;
  await jobs.send(
    deliveryQueue,
    { deliveryId: delivery.id },
    {
      tx,
      id: delivery.jobId,
      group: { id: delivery.owner },
      ...(delayMs > 0 ? { startAfter: new Date(Date.now() + delayMs) } : {}),
    },
  );
}

/**
 * Makes the attempt of a job. A job that runs twice still makes one attempt: the claim on the row decides.
 *
 * @throws if the job must run again later, because another process holds the claim or this process is stopping
 */
export async function attemptDelivery(deps: WebhookDependencies, job: DeliveryJob): Promise<void> {
  if (deps.stopping.aborted) throw new Error('This process is stopping.');
  const at = deps.now();
  const until = new Date(at.getTime() + deps.sender.timeoutMs + leaseMarginMs);
  const due = { id: job.data.deliveryId, jobId: job.id };
  const delivery = await claimDelivery(deps.db, due, { at, until });
  if (delivery === null) {
    if (await isDue(deps.db, due.id, due.jobId)) {
      throw new Error('Another process is making this attempt, or died in it.');
    }
    return;
  }
  const event = await readLipsyncEvent(deps.db, delivery);
  // Retention deleted the lip-sync, and the delivery with it, after the claim.
  if (event === null) return;
  const outcome = await deliver(deps, delivery, event);
  if (outcome === null) {
    await releaseDelivery(deps.db, delivery, deps.now());
    throw new Error('The attempt was aborted: this process is stopping.');
  }
  await settle(deps, delivery, outcome);
}

/** Null if the process stopped during the attempt. */
async function deliver(
  deps: WebhookDependencies,
  delivery: Delivery,
  event: LipsyncEvent,
): Promise<AttemptOutcome | null> {
  const secrets = await readSecrets(deps, delivery.owner);
  if (secrets === null) return { status: null, problem: 'SECRET_UNREADABLE' };
  return deps.sender.send(buildWebhookRequest(deps, { delivery, event }, secrets), deps.stopping);
}

async function settle(
  deps: WebhookDependencies,
  delivery: Delivery,
  outcome: AttemptOutcome,
): Promise<void> {
  const { status, problem, retryAfterSeconds = 0 } = outcome;
  const result = { ...delivery, lastStatus: status, lastProblem: problem };
  const delayMs = problem === 'GONE' ? undefined : deps.delaysMs[delivery.retries];
  if (problem === null) {
    const delivered = { ...result, state: 'DELIVERED', deliveredAt: deps.now() } as const;
    await settleDelivery(deps.db, delivery, delivered);
  } else if (delayMs === undefined) {
    await settleDelivery(deps.db, delivery, { ...result, state: 'FAILED' });
    const { id: deliveryId, lipsyncId } = delivery;
    deps.log.warn(
      { deliveryId, lipsyncId, status, problem },
      'a webhook delivery failed and is not retried',
    );
  } else {
    const retryAfterMs = Math.min(retryAfterSeconds * 1_000, maxRetryAfterMs);
    await retryLater(
      deps,
      { delivery, result },
      Math.max(delayMs, retryAfterMs) * (1 + jitter * Math.random()),
    );
  }
}

async function retryLater(
  deps: WebhookDependencies,
  { delivery, result }: { delivery: Delivery; result: Delivery },
  delayMs: number,
): Promise<void> {
  const next = {
    ...result,
    retries: delivery.retries + 1,
    jobId: randomUUID(),
    nextAttemptAt: new Date(deps.now().getTime() + delayMs),
  };
  await deps.db.transaction(async (tx) => {
    const isClaimHeld = await settleDelivery(tx, delivery, next);
    if (isClaimHeld) await queueAttempt(deps, tx, { delivery: next, delayMs });
  });
}
