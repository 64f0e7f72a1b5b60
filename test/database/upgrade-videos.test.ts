import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openDatabaseBefore } from './open-database-before.ts';

let db: Database;
beforeEach(async () => {
  db = await openDatabaseBefore('0013');
});
afterEach(() => db.close());

const copyOf = (key: string, more: object = {}) => ({
  key,
  status: 'COMPLETED',
  url: `https://media.example/${key}.mp4`,
  createdAt: '2026-11-20T10:00:00.000Z',
  ...more,
});

type Copies = { source?: ReturnType<typeof copyOf>; result?: ReturnType<typeof copyOf> };

/** Writes a lip-sync as the version before does: with copies of its videos. */
async function writeCopies(owner: string, { source, result }: Copies): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into lipsyncs (id, owner, status, fingerprint, created_at,
       source_video_id, source_video, result_video_id, result_video)
     values (gen_random_uuid(), $1, 'COMPLETED', 'f', now(), $2, $3, $4, $5) returning id`,
    [owner, source?.key ?? null, source ?? null, result?.key ?? null, result ?? null],
  );
  return row?.id ?? '';
}

const readVideos = () => db.query('select key, video from videos order by key');
const readLists = () =>
  db.query('select owner, key, status, created_at, number from owner_videos order by owner, key');

const listed = (owner: string, key: string, status: string | null = 'COMPLETED') => ({
  owner,
  key,
  status,
  created_at: new Date('2026-11-20T10:00:00.000Z'),
  number: key.slice(9),
});

describe('the upgrade to one row for each video', () => {
  it('takes each video of existing lip-syncs once, and adds it to the list of each owner that used it', async () => {
    const [shared, made] = [copyOf('aaaaaaaa-1'), copyOf('aaaaaaaa-22')];
    const deleted = copyOf('aaaaaaaa-3', { url: null });
    await writeCopies('ann', { source: shared, result: made });
    await writeCopies('ann', { source: shared });
    await writeCopies('bob', { source: shared, result: deleted });
    await writeCopies('bob', { source: made });
    await writeCopies('cat', {});
    await migrate(db);
    expect(await readVideos()).toEqual(
      [shared, made, deleted].map((video) => ({ key: video.key, video })),
    );
    expect(await readLists()).toEqual([
      listed('ann', 'aaaaaaaa-1'),
      listed('ann', 'aaaaaaaa-22'),
      listed('bob', 'aaaaaaaa-1'),
      listed('bob', 'aaaaaaaa-22'),
      listed('bob', 'aaaaaaaa-3', null),
    ]);
  });

  it('takes the videos that an instance of the version before writes afterwards', async () => {
    await migrate(db);
    const id = await writeCopies('ann', { source: copyOf('aaaaaaaa-1') });
    const result = copyOf('aaaaaaaa-2');
    await db.query('update lipsyncs set result_video_id = $2, result_video = $3 where id = $1', [
      id,
      result.key,
      result,
    ]);
    expect(await readLists()).toEqual([listed('ann', 'aaaaaaaa-1'), listed('ann', 'aaaaaaaa-2')]);
    // As that version does after `deleteVideo`.
    const erased = { ...result, url: null };
    await db.query('update lipsyncs set result_video = $2 where id = $1', [id, erased]);
    expect(await readVideos()).toMatchObject([{}, { key: result.key, video: erased }]);
    expect(await readLists()).toMatchObject([{}, { key: result.key, status: null }]);
  });

  it('shows an instance of the version before the videos of new lip-syncs', async () => {
    await migrate(db);
    const video = copyOf('aaaaaaaa-2');
    await db.query('insert into videos (key, video) values ($1, $2)', [video.key, video]);
    await db.query(
      `insert into lipsyncs (id, owner, status, fingerprint, created_at, result_video_id)
       values (gen_random_uuid(), 'ann', 'COMPLETED', 'f', now(), $1)`,
      [video.key],
    );
    expect(
      await db.query('select * from lipsync_videos where owner = $1 and video is not null', [
        'ann',
      ]),
    ).toEqual([{ owner: 'ann', role: 'RESULT', key: video.key, video }]);
  });
});
