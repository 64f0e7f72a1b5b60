import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openDatabaseBefore } from './open-database-before.ts';

let db: Database;
beforeEach(async () => {
  db = await openDatabaseBefore('0016');
});
afterEach(() => db.close());

async function writeUpload(owner: string, path: string): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into uploads (id, owner, kind, state, content_type, path, expires_at)
     values (gen_random_uuid(), $1, 'AUDIO', 'READY', 'audio/wav', $2, now()) returning id`,
    [owner, path],
  );
  return row?.id ?? '';
}

/** As the version before writes it: the paths of the files alone. */
async function writeLipsync(owner: string, paths: { source?: string; audio?: string }) {
  await db.query(
    `insert into lipsyncs (id, owner, status, fingerprint, created_at, reference, source_path, audio_path)
     values (gen_random_uuid(), $1, 'QUEUED', 'f', now(), $2, $3, $4)`,
    [owner, JSON.stringify(paths), paths.source ?? null, paths.audio ?? null],
  );
}

const readUploads = () =>
  db.query(
    'select owner, source_upload_id as source, speech_upload_id as speech from lipsyncs order by queue_order',
  );

describe('the upgrade to the uploads of a lip-sync', () => {
  it('finds the upload of each file that a lip-sync was asked for with, of the same owner', async () => {
    const [sound, video] = [await writeUpload('ann', 'a.wav'), await writeUpload('ann', 'v.mp4')];
    await writeUpload('bob', 'b.wav');
    await writeLipsync('ann', { source: 'v.mp4', audio: 'a.wav' });
    await writeLipsync('ann', { audio: 'erased.wav' });
    await writeLipsync('ann', {});
    await writeLipsync('ann', { audio: 'b.wav' });
    await migrate(db);
    const nothing = { owner: 'ann', source: null, speech: null };
    expect(await readUploads()).toEqual([
      { owner: 'ann', source: video, speech: sound },
      nothing,
      nothing,
      nothing,
    ]);
    expect(await db.query('select upload_id from uploads_to_send order by 1')).toEqual(
      [sound, video].toSorted().map((id) => ({ upload_id: id })),
    );
  });

  it('still takes lip-syncs of an instance of the version before', async () => {
    await migrate(db);
    await writeLipsync('ann', { audio: 'a.wav' });
    expect(await readUploads()).toEqual([{ owner: 'ann', source: null, speech: null }]);
  });
});
