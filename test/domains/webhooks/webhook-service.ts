import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { connectDatabase, type Database } from '../../../src/database/connect.ts';
import { migrate } from '../../../src/database/migrate.ts';
import {
  createWebhookService,
  type Delivery,
  type LipsyncChange,
  type WebhookEvent,
  type WebhookOptions,
} from '../../../src/domains/webhooks/service.ts';
import { encodeId } from '../../../src/graphql/ids.ts';
import { createLog } from '../../../src/log.ts';
import { createOutbound, type OutboundOptions } from '../../../src/outbound/outbound.ts';
import { testStorage } from '../../support/database.ts';

export const secrets = ['a secret of thirty-two characters', 'the secret before it, also long'];

export type TestWebhooks = Awaited<ReturnType<typeof startWebhooks>>;
export type TestWebhookOptions = Partial<
  Pick<WebhookOptions, 'timeoutMs'> & Pick<OutboundOptions, 'resolve'>
> & {
  /** `default` is the schedule of the product. Without it: four attempts without a delay. */
  delaysMs?: readonly number[] | 'default';
  allowedNetworks?: string[];
  secrets?: string[];
};

type ChangeOptions = {
  owner?: string;
  status?: string;
  events?: WebhookEvent[];
  row?: Record<string, unknown>;
};

/** Makes the waiting attempt of a delivery due now. */
export async function makeDue(db: Pick<Database, 'query'>, id: string): Promise<void> {
  await db.query('update webhook_deliveries set next_attempt_at = now() where id = $1', [id]);
}

/** Inserts a lip-sync and its last event, with the columns that webhooks read. */
async function insertLipsync(db: Database, change: LipsyncChange, row: Record<string, unknown>) {
  const all = {
    id: change.id,
    owner: change.owner,
    status: change.status,
    sequence: change.sequence,
    fingerprint: 'none',
    created_at: new Date(),
    callback_url: change.callbackUrl,
    ...row,
  };
  const names = Object.keys(all);
  await db.query(
    `insert into lipsyncs (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`)})`,
    Object.values(all),
  );
  await db.query(
    `insert into lipsync_events (lipsync_id, sequence, status, percent, source, failure, occurred_at)
     select id, sequence, status, 100, 'GATEWAY', failure, $2 from lipsyncs where id = $1`,
    [change.id, new Date('2026-11-23T12:00:00Z')],
  );
}

/** The webhook service on a database of its own. `restart` starts another process on the same rows. */
export async function startWebhooks(options: TestWebhookOptions = {}) {
  const storage = await testStorage();
  const lines: string[] = [];
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const clock = { offsetMs: 0 };
  const now = () => new Date(Date.now() + clock.offsetMs);
  let process = await startProcess(options);

  async function startProcess(
    own: TestWebhookOptions,
    damage?: (db: Database) => Promise<unknown>,
  ) {
    const db = await connectDatabase({ ...storage, log });
    await migrate(db);
    await damage?.(db);
    const webhooks = build(db, { ...options, ...own });
    await webhooks.start();
    return { db, webhooks };
  }

  function build(db: Database, given: TestWebhookOptions) {
    const { delaysMs = [0, 0, 0], allowedNetworks = ['127.0.0.1'], resolve, ...own } = given;
    return createWebhookService({
      db,
      now,
      log,
      secrets,
      outbound: createOutbound({ allowedNetworks, resolve }),
      publicId: encodeId,
      ...(delaysMs === 'default' ? {} : { delaysMs }),
      ...own,
    });
  }

  async function stop() {
    await process.webhooks.stop();
    await process.db.close();
  }

  const findDelivery = async (owner: string, lipsyncId: string) =>
    (await process.webhooks.listByLipsyncs([{ id: lipsyncId, owner }]))[0]?.[0];

  return {
    lines,
    clock,
    get db() {
      return process.db;
    },
    get webhooks() {
      return process.webhooks;
    },
    /** Starts a second instance; on PostgreSQL with its own connections. @returns stops it */
    async startSecondInstance() {
      const db =
        storage.url === undefined ? process.db : await connectDatabase({ ...storage, log });
      const webhooks = build(db, options);
      await webhooks.start();
      return async () => {
        await webhooks.stop();
        if (db !== process.db) await db.close();
      };
    },
    stop,
    /** @param damage puts the database into the state that a crash leaves behind */
    async restart(other: TestWebhookOptions = {}, damage?: (db: Database) => Promise<unknown>) {
      process = await startProcess(other, damage);
    },
    /** Creates a lip-sync with its last event and queues the webhook for it, as the lip-sync slice does. */
    async changeLipsync(
      callbackUrl: string | null,
      { owner = 'key:ann', status, events, row = {} }: ChangeOptions = {},
    ) {
      const change: LipsyncChange = {
        id: randomUUID(),
        owner,
        callbackUrl,
        callbackEvents: events ?? ['FINISHED'],
        sequence: 4,
        status: status ?? 'COMPLETED',
      };
      await insertLipsync(process.db, change, row);
      await process.db.transaction((tx) => process.webhooks.enqueue(tx, change));
      return change;
    },
    findDelivery,
    /** Waits until the delivery for the change meets the condition. */
    waitForDelivery: (change: LipsyncChange, condition: (delivery: Delivery) => boolean) =>
      vi.waitFor(
        async () => {
          const delivery = await findDelivery(change.owner, change.id);
          if (delivery === undefined || !condition(delivery)) {
            throw new Error(`The delivery is still ${JSON.stringify(delivery)}`);
          }
          return delivery;
        },
        { timeout: 60_000, interval: 20 },
      ),
    async close() {
      await stop();
      await storage.remove();
    },
  };
}

/** The delivery's n-th attempt has failed and the next one is planned. */
export const isWaitingAfter =
  (attempts: number) =>
  (delivery: Delivery): boolean =>
    delivery.attempts === attempts && delivery.nextAttemptAt !== null;

export const isFinished = ({ state }: Delivery) => state !== 'PENDING';
