import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../../support/app.ts';
import {
  type Habits,
  type OtherUpstream,
  otherToken,
  type Reply,
  startOtherUpstream,
} from '../../../support/other-upstream.ts';
import { progressSubscription } from '../stage.ts';

/** The upstream's documents can be interpreted in several ways. Each of these interpretations once led to a wrong end. */

const email = 'one+reading@studio.example';

let upstream: OtherUpstream;
let test: TestApp;

async function start(
  habits: Partial<Habits>,
  videos = 1,
  variables: Record<string, string> = {},
): Promise<void> {
  upstream = await startOtherUpstream({ accounts: [{ email, maxJobs: 3 }], ...habits });
  for (let n = 1; n <= videos; n += 1) upstream.addVideo(email, `number ${n}`);
  const env = { USEAPI_TOKEN: otherToken, ALLOW_ANONYMOUS: 'true', ...variables };
  test = await startTestApp({ upstream, env });
}

afterEach(async () => {
  await test?.stop();
  await upstream?.close();
});

async function listVideos() {
  type Data = { videos: { nodes: { id: string; prompt: string; status: string }[] } };
  const { data } = await test.ask<Data>(
    '{ videos(first: 100) { ... on VideoConnection { nodes { id prompt status } } } }',
  );
  return data?.videos.nodes ?? [];
}

async function create(): Promise<string> {
  const video = (await listVideos()).at(-1);
  const input = { video: { id: video?.id }, speech: { text: { text: 'Read me.' } } };
  type Data = { createLipsync: { lipsync: { id: string; status: string } } };
  const { data } = await test.ask<Data>(
    'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id status } } ... on LipsyncError { code message } } }',
    { input },
  );
  expect(data?.createLipsync).toMatchObject({ lipsync: { status: 'SUBMITTED' } });
  return data?.createLipsync.lipsync.id ?? '';
}

/** Subscribes to the end. Returns the last status and the result. */
async function follow(id: string) {
  const statuses: string[] = [];
  type Event = { lipsyncProgress: { status: string } };
  for await (const { data } of test.watchWs<Event>(progressSubscription, { id })) {
    statuses.push(data?.lipsyncProgress.status ?? '');
  }
  type Data = { lipsync: { result: { id: string; status: string; url: string } } };
  const { data } = await test.ask<Data>(
    'query ($id: ID!) { lipsync(id: $id) { result { id status url } } }',
    { id },
  );
  return { last: statuses.at(-1), result: data?.lipsync.result ?? null };
}

describe('a list', () => {
  it('is read to its end if the upstream gives 20 per page and does not say that there are more', async () => {
    await start({ pageLimit: 20, tells: 'nothing' }, 45);
    const prompts = (await listVideos()).map(({ prompt }) => prompt);
    expect(prompts).toEqual(Array.from({ length: 45 }, (_, at) => `number ${45 - at}`));
  });

  it('is not read past its end once the size of a page is known', async () => {
    await start({ pageLimit: 100, tells: 'nothing' }, 45 + 15);
    expect(await listVideos()).toHaveLength(60);
    const before = upstream.countOf('GET /videos');
    expect(await listVideos()).toHaveLength(60);
    expect(upstream.countOf('GET /videos') - before).toBe(2);
  });
});

describe('a lip-sync', () => {
  it.each<[string, Partial<Habits>]>([
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
  ])('ends when %s', async (_, habits) => {
    await start({ callbacks: 'none' });
    const id = await create();
    Object.assign(upstream.habits, habits);
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
    await vi.waitFor(() => expect(upstream.countOf('GET /videos')).toBe(before + 1));
    await job.become(1);
    // The reconciliation has begun by then: its database queries came before this one.
    expect(await statusOf(id)).toBe('SUBMITTED');
    release();
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('COMPLETED'), { timeout: 10_000 });
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
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('COMPLETED'), { timeout: 10_000 });
  });

  it('is found after a POST without an answer also when the list cannot be read', async () => {
    await start({ callbacks: 'once', schedulerId: 'id' });
    const [video] = await listVideos();
    upstream.reply('GET /videos', { status: 500, body: '{"error":"x"}' });
    upstream.habits.hidesAnswer = true;
    const input = { video: { id: video?.id }, speech: { text: { text: 'Lost.' } } };
    type Data = { createLipsync: { __typename: string; lipsync: { id: string } } };
    const { data } = await test.ask<Data>(
      `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename
        ... on OutcomeUnknownError { lipsync { id } } } }`,
      { input },
    );
    expect(data?.createLipsync.__typename).toBe('OutcomeUnknownError');
    const id = data?.createLipsync.lipsync.id ?? '';
    const job = await upstream.nextJob();
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('SUBMITTED'), { timeout: 10_000 });
    await job.become(1);
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('COMPLETED'), { timeout: 10_000 });
  });

  async function statusOf(id: string): Promise<string | undefined> {
    const { data } = await test.ask<{ lipsync: { status: string } }>(
      'query ($id: ID!) { lipsync(id: $id) { status } }',
      { id },
    );
    return data?.lipsync.status;
  }

  async function expectEnd(id: string): Promise<void> {
    const job = await upstream.nextJob();
    await job.become(10);
    await job.become(1);
    const { last, result } = await follow(id);
    expect(last).toBe('COMPLETED');
    const url = new URL(`/media/${job.id.split(':').at(-1)}.mp4`, upstream.baseUrl).href;
    expect(result).toMatchObject({ status: 'COMPLETED', url });
    const answer = await test.ask(
      'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }',
      { id: result?.id },
    );
    expect(answer.data).toEqual({ deleteVideo: { __typename: 'DeleteVideoSuccess' } });
  }
});
