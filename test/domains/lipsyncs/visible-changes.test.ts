import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';

/** Without an event of ours a list would not be read again in these tests. */
const readFreshMs = '86400000';

const start = (pollMs: string) =>
  startLipsyncApp({
    env: { READ_FRESH_MS: readFreshMs, POLL_INTERVAL_MS: pollMs },
    sandbox: { queuedMs: 3_600_000 },
    intervals: shortIntervals,
  });

let app: LipsyncApp;
beforeAll(async () => {
  app = await start('600000');
});
afterAll(() => app.stop());
beforeEach(async () => {
  await app.clearSwitches();
});

type Video = { id: string; status: string };

async function listVideos(on = app): Promise<Video[]> {
  type Data = { videos: { nodes: Video[] } };
  const { videos } = await on.askForData<Data>(
    '{ videos { ... on VideoConnection { nodes { id status } } } }',
  );
  return videos.nodes;
}

async function readCredits(): Promise<number> {
  type Data = { accounts: { nodes: { credits: number }[] } };
  const { accounts } = await app.askForData<Data>(
    '{ accounts { ... on AccountList { nodes { credits } } } }',
  );
  return accounts.nodes[0]?.credits ?? Number.NaN;
}

async function create(on = app): Promise<string> {
  const source = (await listVideos(on)).find(({ status }) => status === 'COMPLETED');
  return idOf(await on.create({ video: { videoId: source?.id } }));
}

describe('the list of videos shows in the next read', () => {
  it('a lip-sync that was created, and the credits that it cost', async () => {
    const before = await listVideos();
    const credits = await readCredits();
    await app.forgetRequests();
    await listVideos();
    expect(await app.requests('GET')).toEqual([]);
    await create();
    const after = await listVideos();
    expect(after).toHaveLength(before.length + 1);
    expect(after[0]).toMatchObject({ status: 'QUEUED' });
    expect(await readCredits()).toBeLessThan(credits);
  });

  it('a lip-sync whose POST had no answer', async () => {
    const before = await listVideos();
    // Nor does the search that follows find it.
    await app.turn({ cutNext: 1, callbacks: 'none', replyRefInScheduler: false });
    const { code, __typename } = await app.create({ video: { videoId: before.at(-1)?.id } });
    expect(code ?? __typename).toMatch(/unknown/i);
    expect(await listVideos()).toHaveLength(before.length + 1);
  });

  it('the end that a callback reported', async () => {
    await app.turn({ callbacks: 'final-only' });
    const id = await create();
    const [running] = await listVideos();
    await app.finishJob(id);
    await app.waitForStatus(id, 'COMPLETED');
    expect((await listVideos()).find((video) => video.id === running?.id)?.status).toBe(
      'COMPLETED',
    );
  });

  it('the end that a poll found', async () => {
    const polling = await start('200');
    try {
      await polling.turn({ callbacks: 'none' });
      const id = await create(polling);
      const [running] = await listVideos(polling);
      await polling.finishJob(id, 'FAILED');
      await polling.waitForStatus(id, 'FAILED');
      const seen = (await listVideos(polling)).find((video) => video.id === running?.id);
      expect(seen?.status).toBe('FAILED');
    } finally {
      await polling.stop();
    }
  });
});
