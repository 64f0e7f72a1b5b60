import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { type FileServer, openFileServer } from '../../../support/file-server.ts';
import {
  idOf,
  idsOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { wavHeader } from '../../../support/wav.ts';

const sound = Buffer.concat([wavHeader(32_000), Buffer.alloc(32_000)]);

let app: LipsyncApp;
let files: FileServer;
const held = Promise.withResolvers<() => void>();
beforeAll(async () => {
  files = await openFileServer({
    '/held.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, 5_000));
      held.resolve(() => response.end(sound.subarray(5_000)));
    },
  });
  app = await startLipsyncApp({
    env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' },
    intervals: shortIntervals,
    sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 1 }] },
  });
});
afterAll(async () => {
  await app.stop();
  files.close();
});

/** Every change of this lip-sync fails from now on. */
async function breakRow(id: string): Promise<void> {
  await app.db.query('drop trigger if exists broken on lipsyncs');
  await app.db.query(`create or replace function fail() returns trigger language plpgsql
    as $$ begin raise exception 'the row is broken'; end $$`);
  await app.db.query(`create trigger broken before update on lipsyncs for each row
    when (old.id = '${keyOf('Lipsync', id)}') execute function fail()`);
}

describe('works', () => {
  it('lip-syncs expire behind one whose row cannot be changed', async () => {
    const [videoId] = await app.listVideoIds();
    const say = (text: string, expiresAt?: Date) =>
      app.create({
        video: { videoId },
        speech: { script: { text } },
        ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
      });
    idOf(await say('[[never]] ends'));
    const soon = new Date(Date.now() + 60_000);
    const broken = idOf(await say('broken', soon));
    const intact = idOf(await say('intact', soon));
    await breakRow(broken);
    app.clock.aheadMs = 61_000;
    await vi.waitFor(
      async () => expect((await app.read(intact))?.status).toBe('EXPIRED'),
      longWait,
    );
    expect((await app.read(broken))?.status).toBe('QUEUED');
  });

  it('waits for a file end behind that of one whose row cannot be changed', async () => {
    const [videoId] = await app.listVideoIds();
    const input = { video: { videoId }, speech: { url: files.url('/held.wav') } };
    const [broken = '', intact = ''] = idsOf(await app.createAll([input, input]));
    await breakRow(broken);
    const finish = await held.promise;
    finish();
    const isAwaiting = async (id: string) =>
      (
        await app.db.query<{ is_awaiting_file: boolean }>(
          'select is_awaiting_file from lipsyncs where id = $1',
          [keyOf('Lipsync', id)],
        )
      )[0]?.is_awaiting_file;
    await vi.waitFor(async () => expect(await isAwaiting(intact)).toBe(false), longWait);
    expect(await isAwaiting(broken)).toBe(true);
  });
});
