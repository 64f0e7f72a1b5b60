import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import { createJobs } from '../../../src/database/jobs.ts';
import { encodeId, keyOf } from '../../../src/graphql/ids.ts';
import { silentLog } from '../../support/database.ts';
import { fillHistory, historicId } from '../../support/history.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { uploadFile } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

let app: LipsyncApp;
afterEach(() => app.stop());

/** Finished lip-syncs of the caller, all from one video, which ended 25 hours ago or earlier. */
async function startWithHistory(count: number, options: Parameters<typeof startLipsyncApp>[0]) {
  app = await startLipsyncApp(options);
  const [video = ''] = await app.listVideoIds();
  await fillHistory(app.db, {
    owner: 'anonymous',
    count,
    sourceKey: keyOf('Video', video) ?? '',
  });
  return { video };
}

const countOf = async (table: string) =>
  (await app.db.query<{ count: number }>(`select count(*)::int as count from ${table}`))[0]?.count;

const olderThan = (days: number) => new Date(Date.now() - days * 86_400_000);

describe('retention', () => {
  it('erases what is old in small transactions, and answers requests between them', async () => {
    const deletedAtOnce: number[] = [];
    await startWithHistory(450, {
      env: { RETENTION_DAYS: '1' },
      wrapDatabase: (db) => countDeleted(db, deletedAtOnce),
    });
    const jobs = createJobs(app.db, silentLog);
    await jobs.start();
    await jobs.send('retention', {});
    let seen = new Set<number>();
    await vi.waitFor(async () => {
      const { lipsyncs } = await app.askForData<{ lipsyncs: { nodes: object[] } }>(
        '{ lipsyncs(first: 100) { nodes { id } } }',
      );
      seen = seen.add(deletedAtOnce.length);
      expect(lipsyncs.nodes).toEqual([]);
    }, longWait);
    await jobs.stop();
    expect(deletedAtOnce).toEqual([100, 100, 100, 100, 50]);
    expect(seen.size).toBeGreaterThan(1);
    for (const table of ['lipsync_events', 'webhook_deliveries', 'owner_videos', 'videos']) {
      expect([table, await countOf(table)]).toEqual([table, 0]);
    }
  });

  it('erases an upload with a file after the same number of days, and keeps the lip-syncs made with it', async () => {
    app = await startLipsyncApp({ env: { RETENTION_DAYS: '1' } });
    const [video = ''] = await app.listVideoIds();
    const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
    const uploadId = await uploadFile(app, 'AUDIO', sound);
    const lipsync = await app.create({ video: { videoId: video }, speech: { uploadId } });
    await app.db.query("update uploads set created_at = created_at - interval '2 days'");
    const jobs = createJobs(app.db, silentLog);
    await jobs.start();
    await jobs.send('retention', {});
    await vi.waitFor(async () => expect(await countOf('uploads')).toBe(0), longWait);
    await jobs.stop();
    const query = 'query ($id: ID!) { lipsync(id: $id) { id } }';
    expect(await app.askForData(query, { id: idOf(lipsync) })).toEqual({
      lipsync: { id: idOf(lipsync) },
    });
  });

  it('erases each lip-sync once if several instances do it at the same time', async () => {
    await startWithHistory(90, {});
    const instances = Array.from({ length: 3 }, () =>
      app.services.lipsyncs.eraseOldBatches(olderThan(1)),
    );
    const erase = async (instance: (typeof instances)[number]) => {
      const counts = [];
      for (let round = 0; round < 10; round += 1) counts.push((await instance[0]?.(10)) ?? 0);
      return counts;
    };
    const counts = (await Promise.all(instances.map(erase))).flat();
    expect(counts.reduce((sum, count) => sum + count)).toBe(90);
    expect(await countOf('lipsyncs')).toBe(0);
  });

  it('keeps a video as long as a lip-sync of its owner refers to it', async () => {
    const { video } = await startWithHistory(20, {});
    const visible = () =>
      app.askForData<{ source: object | null; result: object | null }>(
        'query ($source: ID!, $result: ID!) { source: video(id: $source) { id } result: video(id: $result) { id } }',
        { source: video, result: encodeId('Video', 'result00-1') },
      );
    // Of 27 days of history, about the older half.
    for (const erase of app.services.lipsyncs.eraseOldBatches(olderThan(14))) await erase(100);
    expect(await app.read(encodeId('Lipsync', historicId(1)))).toBeNull();
    expect(await app.read(encodeId('Lipsync', historicId(20)))).toMatchObject({ result: {} });
    expect(await visible()).toEqual({ source: { id: video }, result: null });
    const [row] = await app.db.query('select count(*)::int as left from lipsyncs');
    expect(await countOf('videos')).toBe(Number(row?.left) + 1);
  });
});

/** Records how many lip-syncs each transaction deletes. */
function countDeleted(db: Database, deletedAtOnce: number[]): Database {
  const transaction: Database['transaction'] = (work) =>
    db.transaction((tx) =>
      work({
        ...tx,
        async query(text, params) {
          const rows = await tx.query<never>(text, params);
          if (text.includes('delete from lipsyncs') && rows.length > 0) {
            deletedAtOnce.push(rows.length);
          }
          return rows;
        },
      }),
    );
  return new Proxy(db, {
    get(target, name: keyof Database) {
      if (name === 'transaction') return transaction;
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
