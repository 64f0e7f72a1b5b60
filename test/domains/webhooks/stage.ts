import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { connectDatabase, type Database } from '../../../src/database/connect.ts';
import { createJobs } from '../../../src/database/jobs.ts';
import { migrate } from '../../../src/database/migrate.ts';
import {
  createWebhookService,
  type Delivery,
  type ToldLipsync,
  type WebhookOptions,
} from '../../../src/domains/webhooks/service.ts';
import { encodeId } from '../../../src/graphql/ids.ts';
import { createLog } from '../../../src/log.ts';
import { testStorage } from '../../support/database.ts';

export const secrets = ['a secret of thirty-two characters', 'the secret before it, also long'];

export type Stage = Awaited<ReturnType<typeof openStage>>;
export type StageOptions = Partial<Pick<WebhookOptions, 'delaysMs' | 'timeoutMs' | 'resolve'>> & {
  allowedNetworks?: string[];
  secrets?: string[];
};

export type Told = { owner?: string; status?: string; row?: Record<string, unknown> };

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

  function build(db: Database, jobs: WebhookOptions['jobs'], own: StageOptions) {
    return createWebhookService({
      db,
      jobs,
      now,
      log,
      secrets,
      allowedNetworks: ['127.0.0.1'],
      publicId: encodeId,
      delaysMs: [0, 0, 0],
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
    async tell(callbackUrl: string | null, { owner = 'key:ann', status, row = {} }: Told = {}) {
      const told = {
        id: randomUUID(),
        owner,
        callbackUrl,
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

export const isEnded = ({ state }: Delivery) => state !== 'PENDING';
