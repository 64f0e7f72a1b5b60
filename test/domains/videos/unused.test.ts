import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Sql } from '../../../src/database/connect.ts';
import { toStored, type UpstreamVideo } from '../../../src/domains/videos/service.ts';
import { deleteUnused, insertOwnVideos } from '../../../src/domains/videos/store.ts';
import { testDatabase } from '../../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.close());

const key = 'aaaaaaaa-7';
const video = toStored(key, {
  status: 'COMPLETED',
  url: 'https://v.example/7.mp4',
} as UpstreamVideo);

async function insert(owner: string): Promise<string> {
  const id = randomUUID();
  await db.transaction(async (tx) => {
    await insertOwnVideos(tx, [{ owner, video }]);
    await tx.query(
      `insert into lipsyncs (id, owner, status, fingerprint, created_at, source_video_id)
       values ($1, $2, 'COMPLETED', 'f', now(), $3)`,
      [id, owner, key],
    );
  });
  return id;
}

async function erase(owner: string, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query('delete from lipsyncs where id = $1', [id]);
    await deleteUnused(tx, [{ owner, key }]);
  });
}

const keysIn = async (sql: Sql, table: string) =>
  (await sql.query<{ key: string }>(`select key from ${table}`)).map((row) => row.key);

describe('a stored video', () => {
  it('stays while an owner has a lip-sync from it, and is deleted with the last one', async () => {
    const [ann, bob, other] = [await insert('ann'), await insert('bob'), await insert('bob')];
    await erase('ann', ann);
    await erase('bob', bob);
    expect(await db.query('select owner from owner_videos')).toEqual([{ owner: 'bob' }]);
    expect(await keysIn(db, 'videos')).toEqual([key]);
    await erase('bob', other);
    expect([await keysIn(db, 'owner_videos'), await keysIn(db, 'videos')]).toEqual([[], []]);
  });

  it('is never missing for a lip-sync that is created while the last other one is erased', async () => {
    for (let round = 0; round < 20; round += 1) {
      const id = await insert('ann');
      const [fresh] = await Promise.all([insert('ann'), erase('ann', id), insert('bob')]);
      expect([await keysIn(db, 'videos'), (await keysIn(db, 'owner_videos')).length]).toEqual([
        [key],
        2,
      ]);
      await erase('ann', fresh);
    }
  });
});
