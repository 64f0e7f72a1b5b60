import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type FileServer, openFileServer, sendFile } from '../../../support/file-server.ts';
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
    '/a.wav': sendFile(sound),
    '/held.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, 5_000));
      held.resolve(() => response.end(sound.subarray(5_000)));
    },
  });
  const env = { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' };
  app = await startLipsyncApp({ env, intervals: shortIntervals });
});
afterAll(async () => {
  await app.stop();
  files.close();
});

// They were found again at every search, which finds a hundred at most.
it('a hundred lip-syncs that were cancelled while they waited for a file hold up no later one', async () => {
  const [videoId] = await app.listVideoIds();
  const inputOf = (path: string) => ({ video: { videoId }, speech: { url: files.url(path) } });
  const cancelled = idsOf(
    await app.createAll(Array.from({ length: 100 }, () => inputOf('/held.wav'))),
  );
  for (const id of cancelled) await app.cancel(id);
  const finish = await held.promise;
  finish();
  const uploads = () => app.db.query("select 1 from uploads where state = 'READY'");
  await vi.waitFor(async () => expect(await uploads()).toHaveLength(1), longWait);
  const id = idOf(await app.create(inputOf('/a.wav')));
  expect(await app.waitForEnd(id)).toMatchObject({ status: 'COMPLETED' });
  expect(await app.postsOf(cancelled[0] ?? '')).toEqual([]);
});
