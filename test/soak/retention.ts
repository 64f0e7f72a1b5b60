import { setTimeout as wait } from 'node:timers/promises';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createJobs } from '../../src/database/jobs.ts';
import { createLog } from '../../src/log.ts';
import type { GraphQLClient } from '../support/graphql-client.ts';

/** More than `RETENTION_DAYS` by default. */
const agedBy = "interval '40 days'";

const log = createLog('silent');

/**
 * Makes everything that has ended older than the retention period, and queues the hourly job: the next start of the
 * program runs it.
 *
 * @returns a time after everything that was aged, and before what follows
 */
export async function ageRows(dataDir: string): Promise<Date> {
  return withDatabase(dataDir, async (db) => {
    await db.query(
      `update lipsyncs set finished_at = finished_at - ${agedBy} where finished_at is not null`,
    );
    await db.query(`update uploads set created_at = created_at - ${agedBy}`);
    const jobs = createJobs(db, log);
    await jobs.start();
    await jobs.send('retention', {});
    await jobs.stop();
    return new Date();
  });
}

const pauseMs = 200;

/** Resolves when the caller has nothing from before `agedAt`. */
export async function waitForRetention(client: GraphQLClient, agedAt: Date): Promise<void> {
  type Page = { nodes: { createdAt: string }[] };
  const query =
    '{ lipsyncs(last: 1) { nodes { createdAt } } viewer { uploads(last: 1) { nodes { createdAt } } } }';
  for (;;) {
    const { data, errors } = await client.ask<{ lipsyncs: Page; viewer: { uploads: Page } }>(query);
    if (data == null) throw new Error(JSON.stringify(errors));
    const oldest = [...data.lipsyncs.nodes, ...data.viewer.uploads.nodes];
    if (oldest.every(({ createdAt }) => new Date(createdAt) >= agedAt)) return;
    await wait(pauseMs);
  }
}

/** Tables whose rows are about unfinished work: after the traffic they are empty. */
const currentTables = {
  'unfinished lip-syncs': 'lipsyncs where finished_at is null',
  'held slots': 'lipsyncs where holds_slot',
  'counted as waiting': 'waiting_counts where waiting <> 0',
  'credits of waiting ones': 'waiting_credits where waiting <> 0',
  'arriving uploads': "uploads where state = 'RECEIVING'",
  'open streams': 'open_streams',
  'pending webhooks': "webhook_deliveries where state = 'PENDING'",
  // The schedules of pg-boss and of the retention, and one poll of each account.
  'background jobs': "pgboss.job where state in ('created', 'retry', 'active')",
};

/** What the retention must have erased. */
const erasedTables = {
  'old lip-syncs': 'lipsyncs where created_at < $1',
  'old events': 'lipsync_events where occurred_at < $1',
  'old uploads': 'uploads where created_at < $1',
  'webhooks without a lip-sync':
    'webhook_deliveries where lipsync_id not in (select id from lipsyncs)',
  'videos without a lip-sync':
    'videos where not exists (select from lipsyncs where videos.key in (source_video_id, result_video_id))',
};

export async function countRows(dataDir: string, agedAt: Date): Promise<Record<string, number>> {
  return withDatabase(dataDir, async (db) => {
    const rows: Record<string, number> = {};
    const count = async (name: string, from: string, values: unknown[]) => {
      const sql = `select count(*)::int as count from ${from}`;
      const [row] = await db.query<{ count: number }>(sql, values);
      rows[name] = row?.count ?? Number.NaN;
    };
    for (const [name, from] of Object.entries(currentTables)) await count(name, from, []);
    for (const [name, from] of Object.entries(erasedTables)) {
      await count(name, from, from.includes('$1') ? [agedAt] : []);
    }
    return rows;
  });
}

async function withDatabase<Result>(
  dataDir: string,
  use: (db: Database) => Promise<Result>,
): Promise<Result> {
  const db = await connectDatabase({ dataDir, log });
  try {
    return await use(db);
  } finally {
    await db.close();
  }
}
