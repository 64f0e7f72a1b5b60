import { randomUUID } from 'node:crypto';
import type { Database, Sql } from '../../database/connect.ts';
import { isUuid } from '../../database/uuid.ts';
import { NotFoundError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type Meter, noMeter } from '../../metrics/meter.ts';
import type { UrlProblem } from '../../outbound/address-rules.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import { noTracer, type Tracer } from '../../tracing/tracer.ts';
import type { WebhookDependencies } from './dependencies.ts';
import { createDispatcher } from './dispatch.ts';
import { deleteKeysOf } from './key-store.ts';
import { listKeys, reencryptSecrets, rotateSecret, type WebhookKey } from './keys.ts';
import { deleteReceiversOf, endPause } from './receiver-store.ts';
import { eventTypeOf, type WebhookEvent } from './request.ts';
import { createSecretEncryption } from './secret-encryption.ts';
import { type AttemptOutcome, createWebhookSender, type WebhookRequest } from './sender.ts';
import {
  type Delivery,
  deleteDeliveriesOf,
  findDeliveries,
  insertDelivery,
  type LipsyncKey,
  listDeliveries,
  notifyDue,
  releaseAllClaims,
  restartDelivery,
} from './store.ts';

export type { WebhookKey } from './keys.ts';
export type { WebhookEvent } from './request.ts';
export type { WebhookProblem } from './sender.ts';
export type { Delivery, DeliveryState } from './store.ts';

export type WebhookOptions = {
  db: Database;
  now: () => Date;
  log: Log;
  /** Default: nothing is measured. */
  meter?: Meter;
  /** Default: nothing is traced. */
  tracer?: Tracer;
  /** The list in CALLBACK_SECRET: the first encrypts the webhook secrets, all decrypt them. */
  secrets: readonly string[];
  /** Decides which addresses receive webhooks. */
  outbound: Outbound;
  /** The public id of an object: its GraphQL type and our key. */
  publicId: (typename: string, key: string) => string;
  /** Delays before the second attempt, the third and so on. Default: ten attempts in about 24 hours. */
  delaysMs?: readonly number[];
  /** The time limit of one attempt. Default: 10000. */
  timeoutMs?: number;
};

/** A lip-sync whose status has just changed. */
export type LipsyncChange = {
  id: string;
  owner: string;
  callbackUrl: string | null;
  callbackEvents: readonly WebhookEvent[];
  /** The sequence of the event that was written for the change. */
  sequence: number;
  status: string;
};

export type WebhookService = {
  /** Null if the URL is accepted, otherwise what is wrong with it. The address that its host resolves to is checked on each attempt. */
  checkUrl(url: string): UrlProblem | null;
  /** Sends one POST that is not a delivery: unsigned, not retried and not stored. Null if `signal` aborted it. */
  sendOnce(request: WebhookRequest, signal: AbortSignal): Promise<AttemptOutcome | null>;
  /**
   * Queues the webhook for the event that this transaction has just written, if the lip-sync subscribed to such events.
   */
  enqueue(tx: Sql, lipsync: LipsyncChange): Promise<void>;
  /** The keys that sign now, the newest first. Empty until the first webhook or rotation. */
  listKeys(owner: string): Promise<WebhookKey[]>;
  /** Creates a new secret; no other call returns it. The previous secret signs for 24 more hours. */
  rotateSecret(owner: string): Promise<{ key: WebhookKey; secret: string }>;
  /** In the order of the keys; null for a delivery that does not exist or belongs to another owner. */
  findByKeys(owner: string, keys: readonly string[]): Promise<(Delivery | null)[]>;
  /** The deliveries of each lip-sync, in the order of the lip-syncs; those of other owners are left out. One query. */
  listByLipsyncs(lipsyncs: readonly LipsyncKey[]): Promise<Delivery[][]>;
  /** Sends it again now, with all retries. An attempt in progress is not repeated. @throws NotFoundError */
  redeliver(owner: string, key: string): Promise<Delivery>;
  /** Erases at most `limit` deliveries of the owner. @returns how many */
  eraseDeliveriesOf(tx: Sql, owner: string, limit: number): Promise<number>;
  /** Erases the owner's secrets, and how its receivers have answered. @returns how many */
  eraseSecretsOf(tx: Sql, owner: string): Promise<number>;
  /** Begins to deliver. */
  start(): Promise<void>;
  /** Waits up to a second for attempts in progress, then aborts them: they are repeated after the next start. */
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

export function createWebhookService(options: WebhookOptions): WebhookService {
  const { delaysMs = defaultDelaysMs, timeoutMs = 10_000, secrets, outbound } = options;
  const stopping = new AbortController();
  const deps: WebhookDependencies = {
    ...options,
    meter: options.meter ?? noMeter,
    tracer: options.tracer ?? noTracer,
    delaysMs,
    encryption: createSecretEncryption(secrets),
    sender: createWebhookSender({ outbound, timeoutMs }),
    stopping: stopping.signal,
  };
  const dispatcher = createDispatcher(deps, () => stopping.abort());

  return {
    checkUrl: (url) => outbound.checkUrl(url, 'callbackUrl'),
    sendOnce: deps.sender.send,
    enqueue: (tx, lipsync) => enqueue(deps, tx, lipsync),
    listKeys: (owner) => listKeys(deps, owner),
    rotateSecret: (owner) => rotateSecret(deps, owner),
    findByKeys: (owner, keys) => findByKeys(deps, owner, keys),
    async listByLipsyncs(lipsyncs) {
      const found = await listDeliveries(deps.db, lipsyncs);
      return lipsyncs.map(({ id }) => found.filter(({ lipsyncId }) => lipsyncId === id));
    },
    redeliver: (owner, key) => redeliver(deps, owner, key),
    eraseDeliveriesOf: deleteDeliveriesOf,
    async eraseSecretsOf(tx, owner) {
      const receivers = await deleteReceiversOf(tx, owner);
      return receivers + (await deleteKeysOf(tx, owner));
    },
    async start() {
      if (deps.db.kind === 'embedded') await releaseAllClaims(deps.db, deps.now());
      await reencryptSecrets(deps);
      await dispatcher.start();
    },
    stop: dispatcher.stop,
  };
}

async function enqueue(deps: WebhookDependencies, tx: Sql, lipsync: LipsyncChange): Promise<void> {
  const { id: lipsyncId, owner, callbackUrl: url, sequence: eventSequence, status } = lipsync;
  const eventType = eventTypeOf(status, lipsync.callbackEvents);
  if (url === null || eventType === null) return;
  const delivery = { id: randomUUID(), owner, lipsyncId, eventSequence, eventType, url };
  const isNew = await insertDelivery(tx, { ...delivery, createdAt: deps.now() });
  if (isNew) await notifyDue(tx);
}

async function findByKeys(
  { db }: WebhookDependencies,
  owner: string,
  keys: readonly string[],
): Promise<(Delivery | null)[]> {
  const ids = keys.filter(isUuid);
  const found = ids.length === 0 ? [] : await findDeliveries(db, owner, ids);
  const byId = new Map(found.map((delivery) => [delivery.id, delivery]));
  return keys.map((key) => byId.get(key) ?? null);
}

async function redeliver(deps: WebhookDependencies, owner: string, key: string): Promise<Delivery> {
  if (!isUuid(key)) throw new NotFoundError('The delivery');
  return deps.db.transaction(async (tx) => {
    const restarted = await restartDelivery(tx, { id: key, owner }, deps.now());
    if (restarted !== null) {
      await endPause(tx, restarted);
      await notifyDue(tx);
      return restarted;
    }
    const [inProgress] = await findDeliveries(tx, owner, [key]);
    if (inProgress === undefined) throw new NotFoundError('The delivery');
    return inProgress;
  });
}
