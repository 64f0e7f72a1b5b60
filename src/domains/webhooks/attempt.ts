import { randomUUID } from 'node:crypto';
import type { Sql } from '../../database/connect.ts';
import type { WebhookEngine } from './engine.ts';
import { readSecrets } from './keys.ts';
import { writeLetter } from './letter.ts';
import { type Answer, post } from './post.ts';
import {
  claimDelivery,
  type Delivery,
  isDue,
  readToldEvent,
  releaseDelivery,
  settleDelivery,
  type ToldEvent,
} from './store.ts';

export const deliveryQueue = 'deliver-webhook';

export type DeliveryJob = { id: string; data: { deliveryId: string } };

/** Beyond the attempt's own time: what the database may take around it. */
const leaseMarginMs = 2_000;

/** Of the same day, so that receivers which broke together are not called together. */
const jitter = 0.1;

/** A receiver may ask for a longer pause than planned, not for one that outlasts the day. */
const longestAskedMs = 3_600_000;

/** Puts an attempt on the queue under the id that its row knows it by. */
export async function sendAttempt(
  { jobs }: WebhookEngine,
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
 * Makes the attempt that a job stands for, once: also where the job runs twice.
 *
 * @throws where it has to be tried later, as another process seems to be at it or this one is stopping
 */
export async function attemptDelivery(engine: WebhookEngine, job: DeliveryJob): Promise<void> {
  if (engine.stopping.aborted) throw new Error('This process is stopping.');
  const at = engine.now();
  const until = new Date(at.getTime() + engine.postman.timeoutMs + leaseMarginMs);
  const due = { id: job.data.deliveryId, jobId: job.id };
  const delivery = await claimDelivery(engine.db, due, { at, until });
  if (delivery === null) {
    if (await isDue(engine.db, due.id, due.jobId)) {
      throw new Error('Another process is making this attempt, or died in it.');
    }
    return;
  }
  const event = await readToldEvent(engine.db, delivery);
  // Erased since the claim, and the delivery with it.
  if (event === null) return;
  const answer = await deliver(engine, delivery, event);
  if (answer === null) {
    await releaseDelivery(engine.db, delivery, engine.now());
    throw new Error('The attempt was cut off: this process is stopping.');
  }
  await settle(engine, delivery, answer);
}

/** Null where a stop cut it off. */
async function deliver(
  engine: WebhookEngine,
  delivery: Delivery,
  event: ToldEvent,
): Promise<Answer | null> {
  const secrets = await readSecrets(engine, delivery.owner);
  if (secrets === null) return { status: null, problem: 'SECRET_UNREADABLE' };
  const letter = writeLetter(engine, { delivery, event }, secrets);
  return post(engine.postman, letter, engine.stopping);
}

async function settle(engine: WebhookEngine, delivery: Delivery, answer: Answer): Promise<void> {
  const at = engine.now();
  const result = { ...delivery, lastStatus: answer.status, lastProblem: answer.problem };
  const delayMs = answer.problem === 'GONE' ? undefined : engine.delaysMs[delivery.retries];
  if (answer.problem === null) {
    const delivered = { ...result, state: 'DELIVERED', deliveredAt: at } as const;
    await settleDelivery(engine.db, delivery, delivered);
  } else if (delayMs === undefined) {
    await settleDelivery(engine.db, delivery, { ...result, state: 'FAILED' });
    const { id: deliveryId, lipsyncId } = delivery;
    const { status, problem } = answer;
    engine.log.warn({ deliveryId, lipsyncId, status, problem }, 'a webhook was given up');
  } else {
    const askedMs = Math.min(answer.retryAfterMs ?? 0, longestAskedMs);
    await tryLater(
      engine,
      { delivery, result },
      Math.max(delayMs, askedMs) * (1 + jitter * Math.random()),
    );
  }
}

async function tryLater(
  engine: WebhookEngine,
  { delivery, result }: { delivery: Delivery; result: Delivery },
  delayMs: number,
): Promise<void> {
  const next = {
    ...result,
    retries: delivery.retries + 1,
    jobId: randomUUID(),
    nextAttemptAt: new Date(engine.now().getTime() + delayMs),
  };
  await engine.db.transaction(async (tx) => {
    const isOurs = await settleDelivery(tx, delivery, next);
    if (isOurs) await sendAttempt(engine, tx, { delivery: next, delayMs });
  });
}
