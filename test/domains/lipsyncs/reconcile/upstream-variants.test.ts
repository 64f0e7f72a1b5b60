import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Behaviour, fakeToken } from '../../../support/fake-upstream/behaviour.ts';
import type { Reply } from '../../../support/fake-upstream/routes.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../support/fake-upstream/server.ts';
import type { Job } from '../../../support/fake-upstream/state.ts';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

/** The upstream's documents can be interpreted in several ways. Each of these interpretations once led to a wrong end. */

const email = 'one+reading@studio.example';

let upstream: FakeUpstream;
let app: LipsyncApp;

async function start(
  behaviour: Partial<Behaviour>,
  videos = 1,
  variables: Record<string, string> = {},
): Promise<void> {
  upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 3 }], ...behaviour });
  for (let n = 1; n <= videos; n += 1) upstream.addVideo(email, `number ${n}`);
  const token = { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true' };
  // Lists are read as the upstream gives them now: its behaviour changes without notice to this server.
  const env = { ...token, READ_FRESH_MS: '0', ...variables };
  app = await startLipsyncApp({ upstream, env, intervals: shortIntervals });
}

afterEach(async () => {
  await app?.stop();
  await upstream?.close();
});

async function listVideos() {
  type Data = { videos: { nodes: { id: string; prompt: string; status: string }[] } };
  const { videos } = await app.askForData<Data>(
    '{ videos(first: 100) { ... on VideoConnection { nodes { id prompt status } } } }',
  );
  return videos.nodes;
}

async function create(): Promise<string> {
  const made = await app.create({ video: { videoId: (await listVideos()).at(-1)?.id } });
  expect(made).toMatchObject({ lipsync: { status: 'SUBMITTED' } });
  return idOf(made);
}

describe('a list', () => {
  it.each([5, 15, 20])(
    'is read to its end if the upstream gives %i per page and does not say that there are more',
    async (pageLimit) => {
      await start({ pageLimit }, 45);
      const prompts = (await listVideos()).map(({ prompt }) => prompt);
      expect(prompts).toEqual(Array.from({ length: 45 }, (_, at) => `number ${45 - at}`));
    },
  );

  it('is read to its end if the upstream gives 5 per page and says that there are more', async () => {
    await start({ pageLimit: 5, pageHints: 'next_offset and has_more' }, 12);
    expect(await listVideos()).toHaveLength(12);
  });

  // The repeated page once counted as proof that the upstream ignores the offset.
  it.each([
    [5, 3],
    [20, 15],
  ])(
    'is read to its end with %i per page while as many videos are added as the next page begins further down, %i',
    async (pageLimit, added) => {
      await start({ pageLimit }, 45);
      upstream.reply('GET /videos', ({ url }) => {
        if (url.endsWith(`offset=${added}`) && upstream.videos.length === 45) {
          for (let n = 1; n <= added; n += 1) upstream.addVideo(email, `added ${n}`);
        }
        return null;
      });
      const prompts = (await listVideos()).map(({ prompt }) => prompt);
      expect(upstream.videos).toHaveLength(45 + added);
      expect(prompts).toEqual(Array.from({ length: 45 }, (_, at) => `number ${45 - at}`));
    },
  );

  it('costs two or three calls if the upstream ignores the offset', async () => {
    await startWithoutOffsets();
    const readCalls = async () => {
      const before = upstream.countOf('GET /videos');
      expect(await listVideos()).toHaveLength(20);
      return upstream.countOf('GET /videos') - before;
    };
    expect([await readCalls(), await readCalls()]).toEqual([3, 2]);
  });

  it('answers a query by ids that do not exist without a read of each if the upstream ignores the offset', async () => {
    await startWithoutOffsets();
    const unknown = Array.from({ length: 50 }, (_, n) => `user:7-pixverse:${email}-video:${n + 1}`);
    const listed = upstream.videos.slice(0, 5).map(({ id }) => id);
    const { videos } = app.services;
    const keys = await videos.ids.toKeys([...unknown, ...listed]);
    const found = await videos.load({ owner: 'anonymous', canSeeAll: true }, keys);
    expect(found.filter((video) => video !== null)).toHaveLength(5);
    expect([upstream.countOf('GET /videos'), upstream.countOf('GET /videos/{id}')]).toEqual([3, 0]);
  });

  /** Every read of the list gets the same 20 videos. */
  async function startWithoutOffsets(): Promise<void> {
    await start({}, 20);
    const response = await fetch(`${upstream.baseUrl}/videos/?limit=40`, {
      headers: { authorization: `Bearer ${fakeToken}` },
    });
    const body = await response.text();
    upstream.requests.length = 0;
    upstream.reply('GET /videos', { status: 200, body });
  }

  it('of a length that no upstream is known to allow is read with one call', async () => {
    await start({}, 7);
    const before = upstream.countOf('GET /videos');
    expect(await listVideos()).toHaveLength(7);
    expect(upstream.countOf('GET /videos') - before).toBe(1);
  });

  it('of a common page length is read with one call once its end is known', async () => {
    await start({}, 15);
    expect(await listVideos()).toHaveLength(15);
    const before = upstream.countOf('GET /videos');
    expect(await listVideos()).toHaveLength(15);
    expect(upstream.countOf('GET /videos') - before).toBe(1);
    upstream.addVideo(email, 'one more');
    expect(await listVideos()).toHaveLength(16);
  });

  it('shows a running video behind a page of an unusual length to a query by ids', async () => {
    await start({ pageLimit: 7 }, 20);
    const running = upstream.videos[10];
    if (running === undefined) throw new Error('There is no such video.');
    running.status = 10;
    const ids = [running, ...upstream.videos.slice(-3)].map(({ id }) => id);
    const { videos } = app.services;
    const keys = await videos.ids.toKeys(ids);
    const found = await videos.load({ owner: 'anonymous', canSeeAll: true }, keys);
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
  });

  it.each([404, 400])(
    'ends where the upstream answers %i to an offset behind it',
    async (status) => {
      await start({ pageLimit: 5 }, 5);
      upstream.reply('GET /videos', ({ url }) =>
        url.endsWith('offset=0') ? null : { status, body: '{"error":"x"}' },
      );
      expect(await listVideos()).toHaveLength(5);
    },
  );

  it('is not read past its end once the size of a page is known', async () => {
    await start({ pageLimit: 100 }, 45 + 15);
    expect(await listVideos()).toHaveLength(60);
    const before = upstream.countOf('GET /videos');
    expect(await listVideos()).toHaveLength(60);
    expect(upstream.countOf('GET /videos') - before).toBe(2);
  });
});

describe('a lip-sync', () => {
  it.each<[string, Partial<Behaviour>]>([
    ['the list leaves out the url of COMPLETED videos', { omitsInList: ['url'] }],
    [
      'the list shows no status',
      { omitsInList: ['video_status', 'video_status_name', 'video_status_final'] },
    ],
    [
      'items have neither name nor code of the status',
      { omits: ['video_status', 'video_status_name'], running: 200 },
    ],
    ['the list shows only the number of the id', { bareNumbers: 'in lists' }],
    ['GET by id leaves out the id', { omits: ['video_id'] }],
  ])('ends when %s', async (_, behaviour) => {
    await start({ callbacks: 'none' });
    const id = await create();
    Object.assign(upstream.behaviour, behaviour);
    await expectEnd(id);
  });

  it('ends when the answer to the POST has only the number of the id', async () => {
    await start({ callbacks: 'none', bareNumbers: 'in the answer to POST' });
    await expectEnd(await create());
  });

  // Two reads were once joined, and the second got an answer from before the callback.
  it('ends by its callback also while an older read of the account is under way', async () => {
    await start({ callbacks: 'once' }, 1, { POLL_INTERVAL_MS: '60000' });
    const [id, other] = [await create(), await create()];
    const [job, otherJob] = [await upstream.nextJob(), await upstream.nextJob()];
    const before = upstream.countOf('GET /videos');
    const release = upstream.holdAnswers('GET /videos');
    await otherJob.become(10);
    await vi.waitFor(() => expect(upstream.countOf('GET /videos')).toBe(before + 1), {
      timeout: 60_000,
    });
    await job.become(1);
    // The reconciliation has begun by then: its database queries came before this one.
    expect(await statusOf(id)).toBe('SUBMITTED');
    release();
    await app.waitForStatus(id, 'COMPLETED');
    expect(await statusOf(other)).toBe('GENERATING');
  });

  it.each<[string, Reply]>([
    ['cannot be read', { status: 500, body: '{"error":"x"}' }],
    ['does not know the account', { status: 404, body: '{"error":"x"}' }],
  ])('ends by a read of its id when the list %s', async (_, reply) => {
    await start({ callbacks: 'once' });
    const id = await create();
    const job = await upstream.nextJob();
    upstream.reply('GET /videos', reply);
    await job.become(10);
    await job.become(1);
    await app.waitForStatus(id, 'COMPLETED');
  });

  it('is found after a POST without an answer also when the list cannot be read', async () => {
    await start({ callbacks: 'once', schedulerId: 'id' });
    const [video] = await listVideos();
    upstream.reply('GET /videos', { status: 500, body: '{"error":"x"}' });
    upstream.behaviour.hidesAnswer = true;
    const made = await app.create({ video: { videoId: video?.id } });
    expect(made.__typename).toBe('OutcomeUnknownError');
    const id = idOf(made);
    const job = await upstream.nextJob();
    await app.waitForStatus(id, 'SUBMITTED');
    await job.become(1);
    await app.waitForStatus(id, 'COMPLETED');
  });

  it.each([5, 7, 15])(
    'is found after a POST without an answer behind pages of %i videos',
    async (pageLimit) => {
      await start(
        {
          order: 'oldest',
          pageLimit,
          callbacks: 'none',
          schedulesReplyRef: false,
          listsReplyRef: true,
        },
        3 * pageLimit + 1,
      );
      const [video] = await listVideos();
      upstream.behaviour.hidesAnswer = true;
      const made = await app.create({ video: { videoId: video?.id } });
      expect(made.__typename).toBe('OutcomeUnknownError');
      await app.waitForStatus(idOf(made), 'SUBMITTED');
      // The search has shown how long a page can be.
      expect(await listVideos()).toHaveLength(3 * pageLimit + 2);
    },
  );

  it.each([
    ['id', (id: string) => ({ id })],
    ['videoId', (id: string) => ({ videoId: id })],
    ['response.video_id', (id: string) => ({ response: { video_id: id } })],
    ['result.data[0].id', (id: string) => ({ id: '', result: { data: [{ id }] } })],
  ])('is found by a callback that names its video as %s', async (_, bodyOf) => {
    const hidden = { schedulesReplyRef: false, listsReplyRef: false, hidesAnswer: true };
    await start({ callbacks: 'none', ...hidden });
    const [video] = await listVideos();
    const id = idOf(await app.create({ video: { videoId: video?.id } }));
    const job = await upstream.nextJob();
    await callBack(job, bodyOf(job.id));
    await app.waitForStatus(id, 'SUBMITTED');
  });

  // The upstream's 400 once counted as a failed read, and the other ids that callbacks named were not read.
  it('is found by a callback also if earlier callbacks named unusable ids', async () => {
    const hidden = { schedulesReplyRef: false, listsReplyRef: false, hidesAnswer: true };
    await start({ callbacks: 'none', ...hidden });
    const [video] = await listVideos();
    upstream.reply('GET /videos', { status: 200, body: '{"data":[]}' });
    const id = idOf(await app.create({ video: { videoId: video?.id } }));
    const job = await upstream.nextJob();
    await job.become(1);
    await callBack(job, { id: 'evt/1' });
    await callBack(job, { id: 'evt-1' });
    await vi.waitFor(() => expect(upstream.calls()).toContain('GET /videos/evt-1'), longWait);
    await callBack(job, { id: job.id });
    await app.waitForStatus(id, 'COMPLETED');
    expect(app.logs.filter(({ msg }) => msg === 'the upstream could not be read')).toEqual([]);
  });

  it('ends after a callback without an id that came before the answer to the POST', async () => {
    await start({ callbacks: 'none' }, 1, { POLL_INTERVAL_MS: '600000' });
    const [video] = await listVideos();
    const release = upstream.holdAnswers('POST /videos/lipsync');
    const made = app.create({ video: { videoId: video?.id } });
    const job = await upstream.nextJob();
    await job.become(1);
    await callBack(job, {});
    release();
    await app.waitForStatus(idOf(await made), 'COMPLETED');
  });

  async function callBack(job: Job, body: object): Promise<void> {
    const response = await fetch(String(job.body.replyUrl), {
      method: 'POST',
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  }

  const statusOf = async (id: string) => (await app.read(id))?.status;

  async function expectEnd(id: string): Promise<void> {
    const job = await upstream.nextJob();
    await job.become(10);
    await job.become(1);
    const statuses: string[] = [];
    for await (const { data } of app.subscribe(id)) {
      statuses.push(data?.lipsyncProgress.status ?? '');
    }
    expect(statuses.at(-1)).toBe('COMPLETED');
    const result = (await app.read(id))?.result;
    const url = new URL(`/media/${job.id.split(':').at(-1)}.mp4`, upstream.baseUrl).href;
    expect(result).toMatchObject({ status: 'COMPLETED', url });
    const answer = await app.ask(
      'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }',
      { id: result?.id },
    );
    expect(answer.data).toEqual({ deleteVideo: { __typename: 'DeleteVideoSuccess' } });
  }
});
