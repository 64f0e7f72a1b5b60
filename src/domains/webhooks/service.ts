import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Database, Sql } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import { isUuid } from '../../database/uuid.ts';
import { NotFoundError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { createAddressRules } from './address.ts';
import { attemptDelivery, type DeliveryJob, deliveryQueue, sendAttempt } from './attempt.ts';
import type { Resolve } from './dial.ts';
import type { WebhookEngine } from './engine.ts';
import { listKeys, resealKeys, rotateSecret, type WebhookKey } from './keys.ts';
import { eventTypeOf, type WebhookEvent } from './letter.ts';
import { type Answer, type Letter, post } from './post.ts';
import {
  type Delivery,
  findDeliveries,
  insertDelivery,
  listDeliveries,
  restartDelivery,
  voidClaims,
} from './store.ts';
import { createVault } from './vault.ts';

export type { WebhookKey } from './keys.ts';
export type { WebhookEvent } from './letter.ts';
export type { WebhookProblem } from './post.ts';
export type { Delivery, DeliveryState } from './store.ts';

export type WebhookOptions = {
  db: Database;
  jobs: Jobs;
  now: () => Date;
  log: Log;
  /** Those of CALLBACK_SECRET: the first seals what is kept, all open it. */
  secrets: readonly string[];
  /** Networks (`10.0.0.0/8`), addresses and host names that may be called although they are not public. */
  allowedNetworks: readonly string[];
  /** An id as callers know it, of a type and our own key. */
  publicId: (typename: string, key: string) => string;
  /** Milliseconds before the second attempt, the third and so on. Default: ten attempts in about 24 hours. */
  delaysMs?: readonly number[];
  /** Milliseconds that an attempt may take in all. Default: 10000. */
  timeoutMs?: number;
  /** Asks the name servers. Default: as the system does. */
  resolve?: Resolve;
};

/** What of a lip-sync has to be known to tell its last event. */
export type ToldLipsync = {
  id: string;
  owner: string;
  callbackUrl: string | null;
  callbackEvents: readonly WebhookEvent[];
  /** Of the event that has just been written. */
  sequence: number;
  status: string;
};

export type WebhookService = {
  /** Null where the address may be tried, else why not. What a name leads to is looked at when it is called. */
  checkUrl(url: string): string | null;
  /** One POST that is no delivery: unsigned, not repeated, and not kept. Null where `signal` cut it off. */
  call(letter: Letter, signal: AbortSignal): Promise<Answer | null>;
  /**
   * Tells the owner's server of the event that this transaction has just written, where it asked for such events.
   * `start` must have been called.
   */
  enqueue(tx: Sql, lipsync: ToldLipsync): Promise<void>;
  /** Those that sign now, the newest first. None until the first webhook or rotation. */
  listKeys(owner: string): Promise<WebhookKey[]>;
  /** The only time that a secret is told. The one before it signs for another 24 hours. */
  rotateSecret(owner: string): Promise<{ key: WebhookKey; secret: string }>;
  /** In the order of the keys, null for what is not this owner's. */
  findByKeys(owner: string, keys: readonly string[]): Promise<(Delivery | null)[]>;
  /** In the order of the lip-syncs. One query. */
  listOf(owner: string, lipsyncIds: readonly string[]): Promise<Delivery[][]>;
  /** Sends it again now, and as often as the first time; one that is under way is left to it. @throws NotFoundError */
  redeliver(owner: string, key: string): Promise<Delivery>;
  /** Begins to deliver. */
  start(): Promise<void>;
  /** Gives attempts under way a moment to end and cuts the others off: they are made again after the next start. */
  stop(): Promise<void>;
};

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

const defaultDelaysMs = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
];

/**
 * Attempts of one process at a time. One of an owner: receivers that hang hold up nobody else's webhooks. pg-boss counts
 * that exactly only within a process, and takes no higher number from workers that are started one by one.
 */
const concurrency = { all: 4, perOwner: 1 };

/** Only where the database was away or a process died: what receivers answer is no failure of a job. */
const queueOptions = {
  retryLimit: 1_000,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 30,
  expireInSeconds: 120,
};
const keptDoneJobsSeconds = 3_600;

/** Most receivers answer within this. */
const graceMs = 1_000;

export function createWebhookService(options: WebhookOptions): WebhookService {
  const { delaysMs = defaultDelaysMs, timeoutMs = 10_000, secrets, resolve } = options;
  const rules = createAddressRules(options.allowedNetworks);
  const stopping = new AbortController();
  const engine: WebhookEngine = {
    ...options,
    delaysMs,
    vault: createVault(secrets),
    postman: { rules, timeoutMs, resolve },
    stopping: stopping.signal,
  };
  const running = new Set<Promise<void>>();

  async function work(job: DeliveryJob): Promise<void> {
    const attempt = attemptDelivery(engine, job);
    running.add(attempt);
    await attempt.finally(() => running.delete(attempt));
  }

  return {
    checkUrl: rules.checkUrl,
    call: (letter, signal) => post(engine.postman, letter, signal),
    enqueue: (tx, lipsync) => enqueue(engine, tx, lipsync),
    listKeys: (owner) => listKeys(engine, owner),
    rotateSecret: (owner) => rotateSecret(engine, owner),
    findByKeys: (owner, keys) => findByKeys(engine, owner, keys),
    async listOf(owner, lipsyncIds) {
      const found = await listDeliveries(engine.db, owner, lipsyncIds);
      return lipsyncIds.map((id) => found.filter(({ lipsyncId }) => lipsyncId === id));
    },
    redeliver: (owner, key) => redeliver(engine, owner, key),
    start: () => start(engine, work),
    async stop() {
      const ended = Promise.allSettled(running);
      await Promise.race([ended, wait(graceMs, undefined, { ref: false })]);
      stopping.abort();
      await Promise.allSettled(running);
    },
  };
}

async function start(
  engine: WebhookEngine,
  work: (job: DeliveryJob) => Promise<void>,
): Promise<void> {
  const { db, jobs } = engine;
  if (db.kind === 'embedded') await voidClaims(db);
  await resealKeys(engine);
  await jobs.define(deliveryQueue, { ...queueOptions, deleteAfterSeconds: keptDoneJobsSeconds });
  await jobs.work<DeliveryJob['data']>(deliveryQueue, work, {
    localConcurrency: concurrency.all,
    localGroupConcurrency: concurrency.perOwner,
  });
}

async function enqueue(engine: WebhookEngine, tx: Sql, lipsync: ToldLipsync): Promise<void> {
  const { id: lipsyncId, owner, callbackUrl: url, sequence: eventSequence, status } = lipsync;
  const eventType = eventTypeOf(status, lipsync.callbackEvents);
  if (url === null || eventType === null) return;
  const ids = { id: randomUUID(), jobId: randomUUID() };
  const delivery = { ...ids, owner, lipsyncId, eventSequence, eventType, url };
  const isNew = await insertDelivery(tx, { ...delivery, createdAt: engine.now() });
  if (isNew) await sendAttempt(engine, tx, { delivery, delayMs: 0 });
}

async function findByKeys(
  { db }: WebhookEngine,
  owner: string,
  keys: readonly string[],
): Promise<(Delivery | null)[]> {
  const ids = keys.filter(isUuid);
  const found = ids.length === 0 ? [] : await findDeliveries(db, owner, ids);
  const byId = new Map(found.map((delivery) => [delivery.id, delivery]));
  return keys.map((key) => byId.get(key) ?? null);
}

async function redeliver(engine: WebhookEngine, owner: string, key: string): Promise<Delivery> {
  if (!isUuid(key)) throw new NotFoundError('The delivery');
  const jobId = randomUUID();
  return engine.db.transaction(async (tx) => {
    const at = engine.now();
    const restarted = await restartDelivery(tx, { id: key, owner }, { jobId, at });
    if (restarted !== null) {
      await sendAttempt(engine, tx, { delivery: restarted, delayMs: 0 });
      return restarted;
    }
    const [underWay] = await findDeliveries(tx, owner, [key]);
    if (underWay === undefined) throw new NotFoundError('The delivery');
    return underWay;
  });
}
