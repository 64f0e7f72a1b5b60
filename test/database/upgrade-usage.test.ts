import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openDatabaseBefore } from './open-database-before.ts';

let db: Database;
beforeEach(async () => {
  db = await openDatabaseBefore('0018');
});
afterEach(() => db.close());

type Row = { owner: string; status: string; created: string; ended?: string; credits?: number };

async function write({ owner, status, created, ended, credits }: Row): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into lipsyncs (id, owner, status, fingerprint, created_at, submitted_at, finished_at, credits_charged)
     values (gen_random_uuid(), $1, $2, 'f', $3, $3, $4, $5) returning id`,
    [owner, status, created, ended ?? null, credits ?? null],
  );
  return row?.id ?? '';
}

const none = {
  created: 0,
  completed: 0,
  failed: 0,
  moderated: 0,
  cancelled: 0,
  expired: 0,
  credits: 0,
};

const readDays = () =>
  db.query(
    `select owner, day, created, completed, failed, moderated, cancelled, expired, credits::float8 as credits
     from usage_days order by owner, day`,
  );

describe('the upgrade to counts of usage', () => {
  it('counts existing lip-syncs by the days of UTC, and what moderation refunded as nothing', async () => {
    await db.query("set timezone to 'Asia/Tokyo'");
    await write({
      owner: 'ann',
      status: 'COMPLETED',
      created: '2026-11-20T23:59:00Z',
      ended: '2026-11-21T00:01:00Z',
      credits: 20.5,
    });
    await write({
      owner: 'ann',
      status: 'MODERATED',
      created: '2026-11-21T10:00:00Z',
      ended: '2026-11-21T10:01:00Z',
      credits: 20,
    });
    await write({ owner: 'ann', status: 'QUEUED', created: '2026-11-21T10:00:00Z' });
    await write({
      owner: 'bob',
      status: 'CANCELLED',
      created: '2026-11-21T10:00:00Z',
      ended: '2026-11-21T10:01:00Z',
    });
    await migrate(db);
    expect(await readDays()).toEqual([
      { ...none, owner: 'ann', day: '2026-11-20', created: 1, credits: 20.5 },
      { ...none, owner: 'ann', day: '2026-11-21', created: 2, completed: 1, moderated: 1 },
      { ...none, owner: 'bob', day: '2026-11-21', created: 1, cancelled: 1 },
    ]);
    const charged = await db.query(
      "select credits_charged::float8 as credits from lipsyncs where status = 'MODERATED'",
    );
    expect(charged).toEqual([{ credits: 0 }]);
  });

  it('continues with what an instance of the version before writes', async () => {
    await migrate(db);
    const waiting = await write({
      owner: 'ann',
      status: 'QUEUED',
      created: '2026-11-21T10:00:00Z',
    });
    const rejected = await write({
      owner: 'ann',
      status: 'SUBMITTING',
      created: '2026-11-21T10:00:00Z',
    });
    await db.query(
      "update lipsyncs set status = 'EXPIRED', finished_at = '2026-11-22T10:00:00Z' where id = $1",
      [waiting],
    );
    await db.query('delete from lipsyncs where id = any($1::uuid[])', [[rejected, waiting]]);
    expect(await readDays()).toEqual([
      { ...none, owner: 'ann', day: '2026-11-21', created: 1 },
      { ...none, owner: 'ann', day: '2026-11-22', expired: 1 },
    ]);
  });

  it('counts an end that is corrected at the same moment once', async () => {
    await migrate(db);
    const id = await write({ owner: 'ann', status: 'SUBMITTING', created: '2026-11-21T10:00:00Z' });
    for (const status of ['FAILED', 'COMPLETED']) {
      await db.query(
        "update lipsyncs set status = $2, finished_at = '2026-11-21T10:05:00Z' where id = $1",
        [id, status],
      );
    }
    expect(await readDays()).toEqual([
      { ...none, owner: 'ann', day: '2026-11-21', created: 1, completed: 1 },
    ]);
  });
});
