import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idOf } from '../../support/lipsync-app.ts';
import { askForData } from '../../support/lipsyncs.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';

let fleet: Fleet;
let here: Instance;
let there: Instance;
beforeAll(async () => {
  // Without an event a list would not be read again in these tests.
  fleet = await openFleet({ env: { READ_FRESH_MS: '86400000', POLL_INTERVAL_MS: '600000' } });
  here = await fleet.start();
  there = await fleet.start();
  await fleet.turn({ callbacks: 'none', generatingMs: 3_600_000 });
});
afterAll(() => fleet.stop());

type Video = { id: string; status: string };

async function listVideos(on: Instance): Promise<Video[]> {
  type Data = { videos: { nodes: Video[] } };
  const query = '{ videos { ... on VideoConnection { nodes { id status } } } }';
  return (await askForData<Data>(on, query)).videos.nodes;
}

const wait = { timeout: 60_000 };

describe('the list of one instance shows', () => {
  it('what another created and deleted, and is read once for each', async () => {
    const before = await listVideos(there);
    const [source] = before;
    idOf(await here.create({ video: { videoId: source?.id } }));
    await expect.poll(async () => (await listVideos(there)).length, wait).toBe(before.length + 1);

    const last = before.at(-1);
    const remove =
      'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { ... on DeleteVideoSuccess { deletedVideoId } } }';
    const removed = await askForData(here, remove, { id: last?.id });
    expect(removed).toEqual({ deleteVideo: { deletedVideoId: last?.id } });
    await expect
      .poll(async () => (await listVideos(there)).map(({ id }) => id), wait)
      .not.toContain(last?.id);

    await fleet.forgetRequests();
    for (let n = 0; n < 10; n += 1) await listVideos(there);
    expect(await fleet.requests('GET /videos')).toEqual([]);
  });

  it('the end of a job whose callback reached another', async () => {
    await fleet.turn({ callbacks: 'final-only' });
    const id = idOf(await here.create({ video: { videoId: (await listVideos(here)).at(-1)?.id } }));
    await expect
      .poll(async () => (await listVideos(there))[0]?.status, wait)
      .toMatch(/QUEUED|GENERATING/);
    const [running] = await listVideos(there);
    await fleet.finishJobs('MODERATED');
    await here.waitForStatus(id, 'MODERATED');
    const seen = async () => (await listVideos(there)).find((video) => video.id === running?.id);
    await expect.poll(async () => (await seen())?.status, wait).toBe('MODERATED');
  });
});
