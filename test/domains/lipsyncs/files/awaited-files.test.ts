import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type FileHandler,
  type FileServer,
  openFileServer,
  sendFile,
} from '../../../support/file-server.ts';
import {
  apiKeys,
  expectSoundLog,
  idOf,
  idsOf,
  type LipsyncApp,
  shortIntervals,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { inputOf, longWait } from '../../../support/lipsyncs.ts';
import { wavHeader } from '../../../support/wav.ts';
import { importOperations } from '../../uploads/imports/import-app.ts';

const wav = (seconds: number) =>
  Buffer.concat([wavHeader(seconds * 16_000), Buffer.alloc(seconds * 16_000)]);
const sound = wav(2);

const ann = signInAs('ann');
const bob = signInAs('bob');

/** Responses that the test ends, in the order of their requests. */
let held: (() => void)[] = [];
const hold: FileHandler = (response) => {
  response.writeHead(200, { 'content-length': sound.byteLength });
  response.write(sound.subarray(0, 5_000));
  held.push(() => response.end(sound.subarray(5_000)));
};

let app: LipsyncApp & ReturnType<typeof importOperations>;
let files: FileServer;
let videoId: string;
beforeAll(async () => {
  files = await openFileServer({
    '/a.wav': sendFile(sound),
    '/long.wav': sendFile(wav(61)),
    '/held.wav': hold,
    '/other-held.wav': hold,
    '/text.wav': sendFile(Buffer.from('This is not sound at all.'.repeat(400))),
    '/video.mp4': (response) => void response.writeHead(302, { location: sandboxVideo }).end(),
  });
  const started = await startLipsyncApp({
    env: {
      OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
      API_KEYS: apiKeys('ann', 'bob'),
      ALLOW_ANONYMOUS: 'false',
    },
    intervals: shortIntervals,
    importWaits: { retryMs: 10 },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 1 }] },
  });
  app = Object.assign(started, importOperations(started));
  [videoId = ''] = await app.listVideoIds(undefined, ann);
  const { videos } = await app.askForData<{ videos: { nodes: { url: string | null }[] } }>(
    '{ videos(first: 5, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { url } } } }',
    {},
    ann,
  );
  sandboxVideo = videos.nodes.find(({ url }) => url !== null)?.url ?? '';
});
let sandboxVideo = '';
afterAll(async () => {
  await app.stop();
  files.close();
});
beforeEach(async () => {
  held = [];
  await app.clearSwitches();
});
afterEach(async () => {
  for (const end of held.splice(0)) end();
});

const byUrl = (path: string, more: object = {}) => ({
  video: { videoId },
  speech: { url: files.url(path) },
  ...more,
});

const untilHeld = (count: number) => vi.waitFor(() => expect(held.length).toBe(count), longWait);

const releaseAll = () => {
  for (const end of held.splice(0)) end();
};

describe('works', () => {
  it('answers at once with QUEUED, and sends the lip-sync when its audio has arrived', async () => {
    const created = await app.create(byUrl('/held.wav'), ann);
    expect(created.lipsync).toMatchObject({ status: 'QUEUED', progress: { queuePosition: null } });
    const id = idOf(created);
    await untilHeld(1);
    await app.passTicks(2);
    expect(await app.postsOf(id)).toEqual([]);
    releaseAll();
    expect(await app.waitForEnd(id, ann)).toMatchObject({ status: 'COMPLETED', failure: null });
    const [post] = await app.postsOf(id);
    expect(post?.body?.audio_path).toEqual(expect.any(String));
    expectSoundLog(await app.readEvents(id, ann));
  });

  it('waits for a slot after its file has arrived, also with whenBusy FAIL', async () => {
    await app.turn({ generatingMs: 60_000 });
    const running = idOf(await app.create(inputOf(videoId, 'one'), ann));
    const created = await app.create(byUrl('/a.wav', { whenBusy: 'FAIL' }), ann);
    expect(created.lipsync).toMatchObject({ status: 'QUEUED' });
    const id = idOf(created);
    await vi.waitFor(
      async () => expect((await app.read(id, ann))?.progress.queuePosition).toBe(1),
      longWait,
    );
    await app.cancel(running, ann);
    await app.cancel(id, ann);
  });

  it('takes the URL of a video', async () => {
    const video = { url: files.url('/video.mp4') };
    const id = idOf(await app.create({ video, text: 'Good evening.' }, ann));
    expect(await app.waitForEnd(id, ann)).toMatchObject({ status: 'COMPLETED' });
    expect((await app.postsOf(id))[0]?.body?.video_path).toEqual(expect.any(String));
  });

  it('takes an upload that is still RECEIVING', async () => {
    const { upload } = await app.importUpload({ url: files.url('/held.wav') }, ann);
    await untilHeld(1);
    const input = { video: { videoId }, speech: { uploadId: upload?.id } };
    const id = idOf(await app.create(input, ann));
    expect((await app.read(id, ann))?.status).toBe('QUEUED');
    releaseAll();
    expect(await app.waitForEnd(id, ann)).toMatchObject({ status: 'COMPLETED' });
  });

  it('blocks no other lip-sync of its owner, and is not counted before them', async () => {
    await app.turn({ generatingMs: 60_000 });
    const running = idOf(await app.create(inputOf(videoId, 'one'), ann));
    const awaiting = idOf(await app.create(byUrl('/held.wav'), ann));
    await untilHeld(1);
    const [second = '', third = ''] = idsOf(
      await app.createAll([inputOf(videoId, 'two'), inputOf(videoId, 'three')], ann),
    );
    const positions = async () =>
      Promise.all(
        [awaiting, second, third].map(
          async (id) => (await app.read(id, ann))?.progress.queuePosition,
        ),
      );
    expect(await positions()).toEqual([null, 1, 2]);
    releaseAll();
    // It comes last: the positions of the others do not rise.
    await vi.waitFor(async () => expect(await positions()).toEqual([3, 1, 2]), longWait);
    await app.clearSwitches();
    await app.finishJobs();
    for (const id of [running, second, third, awaiting]) {
      await vi.waitFor(async () => {
        await app.finishJobs();
        expect((await app.read(id, ann))?.status).toBe('COMPLETED');
      }, longWait);
      expectSoundLog(await app.readEvents(id, ann));
    }
  });

  it('fetches a URL once for all lip-syncs of a batch', async () => {
    const before = files.requestsOf('/a.wav').length;
    const ids = idsOf(await app.createAll([byUrl('/a.wav'), byUrl('/a.wav')], ann));
    for (const id of ids) expect((await app.waitForEnd(id, ann)).status).toBe('COMPLETED');
    expect(files.requestsOf('/a.wav').length - before).toBe(1);
  });

  it('returns the same lip-sync for the same key and URL, and no other import', async () => {
    const before = files.requestsOf('/a.wav').length;
    const input = byUrl('/a.wav', { idempotencyKey: 'once' });
    const first = await app.create(input, ann);
    const again = await app.create(input, ann);
    expect(again).toMatchObject({ replayed: true, lipsync: { id: idOf(first) } });
    expect(await app.create(byUrl('/held.wav', { idempotencyKey: 'once' }), ann)).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    await app.waitForEnd(idOf(first), ann);
    expect(files.requestsOf('/a.wav').length - before).toBe(1);
  });

  it('can be cancelled while it waits for the file, free of charge', async () => {
    const id = idOf(await app.create(byUrl('/held.wav'), ann));
    expect(await app.cancel(id, ann)).toMatchObject({ __typename: 'LipsyncCancelled' });
    await untilHeld(1);
    releaseAll();
    await app.passTicks(2);
    expect(await app.postsOf(id)).toEqual([]);
    expect((await app.read(id, ann))?.status).toBe('CANCELLED');
  });

  it('expires while it waits for the file', async () => {
    const expiresAt = new Date(Date.now() + app.clock.aheadMs + 60_000).toISOString();
    const id = idOf(await app.create(byUrl('/held.wav', { expiresAt }), ann));
    app.clock.aheadMs += 61_000;
    expect(await app.waitForEnd(id, ann)).toMatchObject({ status: 'EXPIRED', failure: null });
    expect(await app.postsOf(id)).toEqual([]);
  });
});

describe('refuses', () => {
  it.each([
    ['a missing file', '/missing.wav', /status 404/],
    ['bytes that are not audio', '/text.wav', /not audio of an accepted type/],
    ['audio of more than 60 seconds', '/long.wav', /longer than 60 seconds/],
  ])('%s: FAILED with the reason, free, and nothing is sent', async (_, path, message) => {
    const id = idOf(await app.create(byUrl(path), ann));
    const ended = await app.waitForEnd(id, ann);
    expect(ended).toMatchObject({ status: 'FAILED', failure: { code: 'INVALID_INPUT' } });
    expect(ended.failure?.message).toMatch(message);
    expect(await app.postsOf(id)).toEqual([]);
    const { lipsync } = await app.askForData<{ lipsync: { charge: string; isFinal: boolean } }>(
      'query ($id: ID!) { lipsync(id: $id) { charge isFinal } }',
      { id },
      ann,
    );
    expect(lipsync).toEqual({ charge: 'NONE', isFinal: true });
    expectSoundLog(await app.readEvents(id, ann));
  });

  it('a URL that no import may have, at its own path', async () => {
    const video = { url: 'http://169.254.169.254/latest' };
    const speech = { url: 'ftp://example.com/a.wav' };
    expect(await app.create({ video, speech }, ann)).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'video', 'url'] }, { path: ['input', 'speech', 'url'] }],
    });
  });
});

describe('keeps out', () => {
  it("another owner's import and upload", async () => {
    const { upload } = await app.importUpload({ url: files.url('/held.wav') }, ann);
    const input = { video: { videoId }, speech: { uploadId: upload?.id } };
    expect(await app.create(input, bob)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await app.readUpload(upload?.id ?? '', bob)).toBeNull();
  });
});
