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

/** The upstream's documents can be read in several ways. Each of these readings once led to a wrong end. */

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

/** Its statuses to the end, and what it made. */
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
  it('was cut after 20, by an upstream that gives no more at once and does not say that there are', async () => {
    await start({ pageLimit: 20, tells: 'nothing' }, 45);
    const prompts = (await listVideos()).map(({ prompt }) => prompt);
    expect(prompts).toEqual(Array.from({ length: 45 }, (_, at) => `number ${45 - at}`));
  });

  it('is not asked for more where it ended, once it has shown that it gives more', async () => {
    await start({ pageLimit: 100, tells: 'nothing' }, 45 + 15);
    expect(await listVideos()).toHaveLength(60);
    const before = upstream.countOf('GET /videos');
    expect(await listVideos()).toHaveLength(60);
    expect(upstream.countOf('GET /videos') - before).toBe(2);
  });
});

describe('a lip-sync', () => {
  it.each<[string, Partial<Habits>]>([
    ['the list left out the url of what is COMPLETED', { omitsInList: ['url'] }],
    [
      'the list told no status at all',
      { omitsInList: ['video_status', 'video_status_name', 'video_status_final'] },
    ],
    [
      'every item left out both name and code',
      { omits: ['video_status', 'video_status_name'], running: 200 },
    ],
    ['the list named it by its number', { bareNumbers: 'in lists' }],
    ['GET one left out the id', { omits: ['video_id'] }],
  ])('never ended, as %s', async (_, habits) => {
    await start({ callbacks: 'none' });
    const id = await create();
    Object.assign(upstream.habits, habits);
    await expectEnd(id);
  });

  it('never ended, as the POST was answered with the number alone', async () => {
    await start({ callbacks: 'none', bareNumbers: 'in the answer to POST' });
    await expectEnd(await create());
  });

  it('ended with the next poll only, as its callback got the answer to one from before its end', async () => {
    await start({ callbacks: 'once' }, 1, { POLL_INTERVAL_MS: '60000' });
    const [id, other] = [await create(), await create()];
    const [job, otherJob] = [await upstream.nextJob(), await upstream.nextJob()];
    const before = upstream.countOf('GET /videos');
    const release = upstream.holdAnswers('GET /videos');
    await otherJob.become(10);
    await vi.waitFor(() => expect(upstream.countOf('GET /videos')).toBe(before + 1));
    await job.become(1);
    // The look has begun by then: its questions to the database came before this one.
    expect(await statusOf(id)).toBe('SUBMITTED');
    release();
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('COMPLETED'), { timeout: 10_000 });
    expect(await statusOf(other)).toBe('GENERATING');
  });

  it.each<[string, Reply]>([
    ['could not be read', { status: 500, body: '{"error":"x"}' }],
    ['knew its account no more', { status: 404, body: '{"error":"x"}' }],
  ])('never ended, as the list %s, though it could be read by its id', async (_, reply) => {
    await start({ callbacks: 'once' });
    const id = await create();
    const job = await upstream.nextJob();
    upstream.reply('GET /videos', reply);
    await job.become(10);
    await job.become(1);
    await vi.waitFor(async () => expect(await statusOf(id)).toBe('COMPLETED'), { timeout: 10_000 });
  });

  it('was never found where its POST had no answer, as the list could not be read', async () => {
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
