/**
 * What `NOTIFY` costs: transactions that add an event and notify, beside the same transactions without the notification, 16
 * at once on one PostgreSQL. PostgreSQL takes one lock for all commits with a notification and holds it until the commit is
 * on the disk, so their rate has a limit that more connections and instances do not raise.
 *
 *     npm run bench -- notify
 */
import { Client } from 'pg';
import { startPostgres } from '../test/support/postgres.ts';
import type { Comparison, Measurement } from './report.ts';

const connections = 16;

/** As many as instances of the product. */
const listeners = 4;

const insert = `insert into events (lipsync_id, status) values ('0190c6c4-6f1c-7000-8000-000000000000', 'GENERATING')`;
const notify = `select pg_notify('lipsync_changed', '0190c6c4-6f1c-7000-8000-000000000000')`;

export const run: Measurement = async ({ isShort }) => {
  const size = isShort ? { rounds: 3, transactions: 2_000 } : { rounds: 7, transactions: 8_000 };
  return [await compare({ ...size, fsync: false }), await compare({ ...size, fsync: true })];
};

async function compare(options: {
  rounds: number;
  transactions: number;
  fsync: boolean;
}): Promise<Comparison> {
  const { rounds, transactions, fsync } = options;
  const postgres = await startPostgres({ fsync });
  const connectionString = await postgres.createDatabase();
  const open = async () => {
    const client = new Client({ connectionString });
    await client.connect();
    return client;
  };
  const clients = await Promise.all(Array.from({ length: connections + listeners }, open));
  try {
    await clients[0]?.query('create table events (lipsync_id uuid, status text)');
    const listening = clients.slice(connections);
    for (const client of listening) await client.query('listen lipsync_changed');
    const writing = clients.slice(0, connections);
    const ours: number[] = [];
    const theirs: number[] = [];
    // The first round warms up.
    for (let round = -1; round < rounds; round += 1) {
      const withNotify = await measure(writing, [insert, notify], transactions);
      const without = await measure(writing, [insert], transactions);
      if (round < 0) continue;
      ours.push(withNotify);
      theirs.push(without);
    }
    const disk = fsync ? 'commits wait for the disk' : 'without fsync';
    return {
      name: `commits with NOTIFY, ${disk}, ${connections} at once, ${listeners} instances listening`,
      unit: 'transactions/s',
      ours,
      peer: { name: 'without NOTIFY', values: theirs },
    };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await postgres.remove();
  }
}

async function measure(
  clients: readonly Client[],
  statements: readonly string[],
  transactions: number,
): Promise<number> {
  let started = 0;
  const startedAt = performance.now();
  const work = async (client: Client) => {
    while (started < transactions) {
      started += 1;
      await client.query(`begin; ${statements.join('; ')}; commit`);
    }
  };
  await Promise.all(clients.map(work));
  return (transactions * 1000) / (performance.now() - startedAt);
}
