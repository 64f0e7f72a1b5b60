import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    intervals: shortIntervals,
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.clearSwitches());

const say = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

async function expectEnd(id: string, status = 'COMPLETED') {
  const ended = await app.waitForEnd(id);
  expect(ended.status).toBe(status);
  expect(ended.result?.url ?? null).toEqual(
    status === 'COMPLETED' ? expect.stringMatching(app.sandbox.origin) : null,
  );
  expectSoundLog(await app.readEvents(id));
}

describe('works', () => {
  it.each([
    ['QUEUED that says it is final', '[[queued-final]]'],
    ['a url on a video that still runs', '[[url-early]]'],
    ['a running video that GET by id shows', '[[running-200]]'],
    ['an unknown status', '[[unknown-status]]'],
    [
      'all of them, without a callback',
      '[[queued-final]] [[url-early]] [[running-200]] [[no-callback]]',
    ],
  ])('waits for the real end with %s', async (_, phrase) => {
    await expectEnd(await say(`${phrase} trap`));
  });

  it.each([
    ['failed', 'FAILED', 'GENERATION_FAILED'],
    ['moderated', 'MODERATED', 'CONTENT_MODERATED'],
  ])('ends with the failure of [[%s]]', async (phrase, status, code) => {
    const id = await say(`[[${phrase}]] end`);
    await expectEnd(id, status);
    expect((await app.read(id))?.failure?.code).toBe(code);
  });

  it('does not count COMPLETED without a url as the end', async () => {
    await app.turn({ callbacks: 'none', generatingMs: 60_000 });
    const id = await say('no url');
    await app.waitForStatus(id, 'GENERATING');
    const job = await app.jobOf(id);
    const body = {
      data: [{ video_id: job?.video_id, video_status: 1, video_status_name: 'COMPLETED', url: '' }],
    };
    await app.turn({
      failPath: { path: '/videos', method: 'GET', status: 200, body, times: 3 },
    });
    await app.services.lipsyncs.onCallback(job?.replyRef ?? '', null);
    expect((await app.read(id))?.status).toBe('GENERATING');
    await app.turn({ failPath: null });
    await app.finishJob(id);
    await expectEnd(id);
  });

  it('finds the end by GET by id if the list does not show the job', async () => {
    await app.turn({
      failPath: { path: '/videos', method: 'GET', status: 200, body: { data: [] }, times: 1000 },
    });
    await expectEnd(await say('not listed'));
  });

  it('tolerates a failing list and invalid pages', async () => {
    await app.turn({
      failPath: [
        { path: '/videos', method: 'GET', status: 503, times: 3 },
        { path: '/videos', method: 'GET', status: 200, body: '<html>', times: 1 },
        {
          path: '/videos',
          method: 'GET',
          status: 200,
          body: { data: [null, 7, {}, 'x'] },
          times: 1,
        },
      ],
    });
    await expectEnd(await say('bad weather'));
  });

  // jsonb rejects it, which once kept all lip-syncs of the account from ending.
  it('ends lip-syncs also when an upstream text contains U+0000', async () => {
    await app.turn({ callbacks: 'none', generatingMs: 60_000 });
    const poisoned = await say('poisoned');
    const neighbour = await say('neighbour');
    const [one, two] = [await app.jobOf(poisoned), await app.jobOf(neighbour)];
    const item = (id = '') => ({
      video_id: id,
      video_status: 1,
      url: `${app.sandbox.origin}/x.mp4`,
    });
    const body = {
      data: [{ ...item(one?.video_id), prompt: 'a\0b', model: '\ud800' }, item(two?.video_id)],
    };
    await app.turn({
      failPath: { path: '/videos', method: 'GET', status: 200, body, times: 1000 },
    });
    await expectEnd(poisoned);
    await expectEnd(neighbour);
  });
});
