import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import { type DueSearch, findDue } from '../../../src/domains/webhooks/due-store.ts';
import { testDatabase } from '../../support/database.ts';

let db: Database;
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.close());

const search = (): DueSearch => ({
  at: new Date(),
  limit: 256,
  maxFailingReceivers: 2,
  startHash: '8'.repeat(32),
});

/** Due deliveries, of which each has a lip-sync. `owner` and `url` are SQL, in which `n` counts them. */
async function insertDue(count: number, { owner = "'key:ann'", url = "'http://a.test/'" } = {}) {
  await db.query(
    `with added as (
       insert into lipsyncs (id, owner, status, sequence, fingerprint, created_at)
       select gen_random_uuid(), 'key:ann', 'COMPLETED', 1, '', now() from generate_series(1, $1::int)
       returning id
     ), numbered as (
       select id, row_number() over () as n from added
     ), events as (
       insert into lipsync_events (lipsync_id, sequence, status, percent, source, occurred_at)
       select id, 1, 'COMPLETED', 100, 'POLL', now() from numbered returning 1
     )
     insert into webhook_deliveries (id, owner, lipsync_id, event_sequence, event_type, url, state,
       created_at, next_attempt_at)
     select gen_random_uuid(), ${owner}, id, 1, 'lipsync.completed', ${url}, 'PENDING', now(),
       now() - interval '1 hour'
     from numbered`,
    [count],
  );
}

const pause = (host: string) =>
  db.query(
    `insert into webhook_receivers (owner, host, failures, paused_until, updated_at)
     values ('key:ann', $1, 9, now() + interval '1 hour', now())`,
    [host],
  );

type Plan = {
  'Actual Rows': number;
  'Actual Loops': number;
  'Relation Name'?: string;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
};

/** What PostgreSQL reads from tables for a search. */
async function measureSearch() {
  let root: Plan | undefined;
  const explaining = {
    async query<R>(text: string, params?: readonly unknown[]): Promise<R[]> {
      const explain = `explain (analyze, buffers, format json) ${text}`;
      const [row] = await db.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(explain, params);
      root = row?.['QUERY PLAN'][0]?.Plan;
      return [];
    },
  };
  await findDue(explaining, search());
  if (root === undefined) throw new Error('There is no plan.');
  return { rows: readRows(root), buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'] };
}

function readRows(plan: Plan): number {
  const own =
    plan['Actual Rows'] +
    (plan['Rows Removed by Filter'] ?? 0) +
    (plan['Rows Removed by Index Recheck'] ?? 0);
  const isTable = plan['Relation Name'] !== undefined;
  const below = (plan.Plans ?? []).map(readRows).reduce((sum, rows) => sum + rows, 0);
  return (isTable ? own * plan['Actual Loops'] : 0) + below;
}

describe('works', () => {
  // All of them were read and sorted for each search, twice a second.
  it.each([
    ['for one receiver', "'http://a.test/'"],
    ['for a receiver each', "'http://h' || n || '.test/'"],
  ])('reads few rows for 20,000 due deliveries of one owner, %s', async (_, url) => {
    await insertDue(20_000, { url });
    const unknown = await measureSearch();
    await db.query('analyze webhook_deliveries');
    const analyzed = await measureSearch();
    for (const { rows, buffers } of [unknown, analyzed]) {
      expect(rows).toBeLessThan(100);
      expect(buffers).toBeLessThan(1_000);
    }
    expect(await findDue(db, search())).toHaveLength(1);
  });

  it('finds one delivery of each owner', async () => {
    await insertDue(60, { owner: "'key:' || n % 20" });
    const found = await findDue(db, search());
    expect(new Set(found.map(({ owner }) => owner)).size).toBe(20);
    expect(found).toHaveLength(20);
  });

  it('finds a receiver among many that are paused or not due, from wherever the walk begins', async () => {
    await insertDue(100, { url: "'http://h' || n || '.test/'" });
    await db.query("update webhook_deliveries set next_attempt_at = now() + interval '1 hour'");
    await insertDue(50, { url: "'http://paused.test/'" });
    await pause('paused.test');
    expect(await findDue(db, search())).toEqual([]);
    await insertDue(1, { url: "'http://well.test/'" });
    const [due] = await db.query<{ id: string; start: string }>(
      "select id, md5(host) as start from webhook_deliveries where host = 'well.test'",
    );
    expect(await findDue(db, { ...search(), startHash: due?.start ?? '' })).toMatchObject([
      { id: due?.id, rank: 1 },
    ]);
  });

  it('looks at the receivers before the start of the walk too', async () => {
    await insertDue(1, { url: "'http://paused.test/'" });
    await pause('paused.test');
    await insertDue(1);
    for (const startHash of ['0'.repeat(32), 'f'.repeat(32)]) {
      expect(await findDue(db, { ...search(), startHash })).toHaveLength(1);
    }
  });
});
