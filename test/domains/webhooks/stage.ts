import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { connectDatabase, type Database } from '../../../src/database/connect.ts';
import { createJobs } from '../../../src/database/jobs.ts';
import { migrate } from '../../../src/database/migrate.ts';
import {
  createWebhookService,
  type Delivery,
  type ToldLipsync,
  type WebhookEvent,
  type WebhookOptions,
} from '../../../src/domains/webhooks/service.ts';
import { encodeId } from '../../../src/graphql/ids.ts';
import { createLog } from '../../../src/log.ts';
import { testStorage } from '../../support/database.ts';

export const secrets = ['a secret of thirty-two characters', 'the secret before it, also long'];

export type Stage = Awaited<ReturnType<typeof openStage>>;
export type StageOptions = Partial<Pick<WebhookOptions, 'timeoutMs' | 'resolve'>> & {
  /** `usual` is what the program itself waits between attempts. Default: not at all, four attempts. */
  delaysMs?: readonly number[] | 'usual';
  allowedNetworks?: string[];
  secrets?: string[];
};

export type Told = {
  owner?: string;
  status?: string;
  events?: WebhookEvent[];
  row?: Record<string, unknown>;
};

/** Makes the attempt that a delivery waits for due now. */
export async function makeDue(db: Pick<Database, 'query'>, jobId: string): Promise<void> {
  await db.query('update pgboss.job set start_after = now() where id = $1', [jobId]);
}

/** Only some of a row's columns matter here. */
async function insertLipsync(db: Database, told: ToldLipsync, row: Record<string, unknown>) {
  const all = {
    id: told.id,
    owner: told.owner,
    status: told.status,
    sequence: told.sequence,
    fingerprint: 'none',
    created_at: new Date(),
    callback_url: told.callbackUrl,
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
    [told.id, new Date('2026-11-23T12:00:00Z')],
  );
}

/** The slice over a database of its own, which outlives it: `restart` is another process on the same rows. */
export async function openStage(options: StageOptions = {}) {
  const storage = await testStorage();
  const lines: string[] = [];
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const clock = { offsetMs: 0 };
  const now = () => new Date(Date.now() + clock.offsetMs);
  let process = await begin(options);

  async function begin(own: StageOptions, damage?: (db: Database) => Promise<unknown>) {
    const db = await connectDatabase({ ...storage, log });
    await migrate(db);
    await damage?.(db);
    const jobs = createJobs(db, log);
    await jobs.start();
    const webhooks = build(db, jobs, { ...options, ...own });
    await webhooks.start();
    return { db, jobs, webhooks };
  }

  function build(db: Database, jobs: WebhookOptions['jobs'], given: StageOptions) {
    const { delaysMs = [0, 0, 0], ...own } = given;
    return createWebhookService({
      db,
      jobs,
      now,
      log,
      secrets,
      allowedNetworks: ['127.0.0.1'],
      publicId: encodeId,
      ...(delaysMs === 'usual' ? {} : { delaysMs }),
      ...own,
    });
  }

  async function end() {
    await process.webhooks.stop();
    await process.jobs.stop();
    await process.db.close();
  }

  const find = async (owner: string, lipsyncId: string) =>
    (await process.webhooks.listOf(owner, [lipsyncId]))[0]?.[0];

  return {
    lines,
    clock,
    get db() {
      return process.db;
    },
    get jobs() {
      return process.jobs;
    },
    get webhooks() {
      return process.webhooks;
    },
    /** Another instance beside the first; on PostgreSQL with connections of its own. */
    async join() {
      const db =
        storage.url === undefined ? process.db : await connectDatabase({ ...storage, log });
      const jobs = createJobs(db, log);
      await jobs.start();
      const webhooks = build(db, jobs, options);
      await webhooks.start();
      return async () => {
        await webhooks.stop();
        await jobs.stop();
        if (db !== process.db) await db.close();
      };
    },
    end,
    /** @param damage what the end of the last process left behind in the database */
    async restart(other: StageOptions = {}, damage?: (db: Database) => Promise<unknown>) {
      process = await begin(other, damage);
    },
    /** A lip-sync with its last event, told to a receiver as its own slice does it. */
    async tell(
      callbackUrl: string | null,
      { owner = 'key:ann', status, events, row = {} }: Told = {},
    ) {
      const told: ToldLipsync = {
        id: randomUUID(),
        owner,
        callbackUrl,
        callbackEvents: events ?? ['FINISHED'],
        sequence: 4,
        status: status ?? 'COMPLETED',
      };
      await insertLipsync(process.db, told, row);
      await process.db.transaction((tx) => process.webhooks.enqueue(tx, told));
      return told;
    },
    find,
    /** The delivery of a lip-sync's event, once it is so. */
    settled: (told: ToldLipsync, isSo: (delivery: Delivery) => boolean) =>
      vi.waitFor(
        async () => {
          const delivery = await find(told.owner, told.id);
          if (delivery === undefined || !isSo(delivery)) {
            throw new Error(`It is not so: ${JSON.stringify(delivery)}`);
          }
          return delivery;
        },
        { timeout: 15_000, interval: 20 },
      ),
    async close() {
      await end();
      await storage.remove();
    },
  };
}

/** Its n-th attempt has failed, and another one is planned. */
export const isWaiting =
  (attempts: number) =>
  (delivery: Delivery): boolean =>
    delivery.attempts === attempts && delivery.nextAttemptAt !== null;

export const isEnded = ({ state }: Delivery) => state !== 'PENDING';
