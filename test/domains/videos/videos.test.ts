import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoredVideo } from '../../../src/domains/videos/service.ts';
import { type FakeVideo, idOf } from '../accounts/fake-upstream.ts';
import { insertLipsync, openWithFakeUpstream, openWithSandbox } from '../accounts/slice-harness.ts';

let world: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  world = await openWithFakeUpstream();
});
afterAll(() => world.close());
beforeEach(() =>
  world.begin(
    { email: 'a@b.example', videos: videos(60) },
    { email: 'c+d@e.example', videos: videos(5, 1000) },
  ),
);

const start = Date.UTC(2026, 0, 1);
const gb = { owner: 'key:me', scopes: ['lipsync:read', 'lipsync:write'] };
const reader = { owner: 'key:me', scopes: ['videos:read'] };
const me = { owner: 'key:me', canSeeAll: false };
const all = { owner: 'key:me', canSeeAll: true };

function videos(count: number, from = 1): FakeVideo[] {
  return Array.from({ length: count }, (_, at) => {
    const number = from + count - 1 - at;
    return { number, createdAt: new Date(start + number * 60_000) };
  });
}

const keyOf = (number: number, email = 'a@b.example') =>
  world.videos.ids.toKey(idOf(email, number));
const globalId = (key: string) => Buffer.from(`Video:${key}`).toString('base64url');
const calls = (part: string) => world.odd.requests.filter((call) => call.includes(part));

function stored(key: string, more: Partial<StoredVideo> = {}): StoredVideo {
  return {
    key,
    status: 'COMPLETED',
    url: 'https://media.example/kept.mp4',
    posterUrl: null,
    lastFrameUrl: null,
    prompt: 'kept',
    negativePrompt: null,
    model: null,
    quality: null,
    aspectRatio: null,
    width: 540,
    height: 720,
    durationSeconds: 5,
    seed: 1,
    createdAt: new Date(start).toISOString(),
    isOffPeak: false,
    ...more,
  };
}

async function makeLipsync(
  owner: string,
  { source, result }: { source?: string; result?: string },
) {
  return insertLipsync(world.db, {
    owner,
    source_video_id: source ?? null,
    source_video: source === undefined ? null : JSON.stringify(stored(source)),
    result_video_id: result ?? null,
    result_video: result === undefined ? null : JSON.stringify(stored(result)),
  });
}

const videoQuery =
  'query ($id: ID!) { video(id: $id) { id status url } node(id: $id) { __typename id } }';
const deleteMutation = `mutation ($id: ID!) { deleteVideo(input: { id: $id }) {
  __typename ... on DeleteVideoSuccess { deletedVideoId } ... on LipsyncError { code message } } }`;
const listQuery = `query ($first: Int, $after: String) { videos(first: $first, after: $after) {
  __typename ... on VideoConnection { nodes { id prompt } edges { cursor node { id } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } ... on LipsyncError { code } } }`;

describe('keys', () => {
  it('are the same for ever, whoever asks first, and lead back', async () => {
    const ids = [
      'user:1-pixverse:a@b.c-video:12',
      'user:1-pixverse:a@b.c-video:0012',
      '77',
      '',
      'x',
    ];
    const other = world.videos;
    world.restart();
    const [first, second] = await Promise.all([
      world.videos.ids.toKeys(ids),
      other.ids.toKeys(ids),
    ]);
    expect(second).toEqual(first);
    world.restart();
    expect(await Promise.all(first.map((key) => world.videos.ids.toUpstream(key)))).toEqual(ids);
    expect(new Set(first).size).toBe(ids.length);
  });

  it('that were never given out lead nowhere', async () => {
    const key = await keyOf(1);
    for (const rubbish of ['', '1', `${key}x`, 'AAAAAAAA-1', `${key}\0`, key.slice(0, 8)]) {
      expect(await world.videos.ids.toUpstream(rubbish)).toBeNull();
    }
  });
});

describe('reading by id', () => {
  it('asks for one directly', async () => {
    const old = await keyOf(1);
    expect(await world.videos.load(all, [old])).toMatchObject([{ key: old, status: 'COMPLETED' }]);
    expect(calls('/videos/')).toEqual([`GET /videos/${idOf('a@b.example', 1)}`]);
  });

  it('asks for many with pages of the list while these spare calls, and with a GET for each other', async () => {
    world.odd.accounts[0]?.videos.splice(0, 60, ...videos(400));
    const keys = await Promise.all([400, 399, 250, 30, 3].map((number) => keyOf(number)));
    const found = await world.videos.load(all, keys);
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(calls('/videos/?').map((call) => /offset=\d+/.exec(call)?.[0])).toEqual([
      'offset=0',
      'offset=100',
    ]);
    expect(calls('/videos/user')).toHaveLength(2);
  });

  it('asks for nothing more once the whole list was read', async () => {
    const gone = Array.from({ length: 50 }, (_, at) => 1_000 + at);
    const keys = await Promise.all([1, 2, 59, 60, ...gone].map((number) => keyOf(number)));
    const found = await world.videos.load(all, keys);
    expect(found.filter((video) => video !== null)).toHaveLength(4);
    expect(calls('/videos/')).toHaveLength(2);
  });

  it('asks for a hundred with one page of each account and one statement, also after a restart', async () => {
    world.odd.accounts[0]?.videos.splice(0, 60, ...videos(60));
    world.odd.accounts[1]?.videos.splice(0, 5, ...videos(40, 1_000));
    const keys = await Promise.all([
      ...videos(60).map(({ number }) => keyOf(number)),
      ...videos(40, 1_000).map(({ number }) => keyOf(number, 'c+d@e.example')),
    ]);
    world.restart();
    const query = vi.spyOn(world.db, 'query');
    const found = await world.videos.load(all, keys);
    expect(query).toHaveBeenCalledTimes(1);
    query.mockRestore();
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(world.odd.requests).toHaveLength(2);
  });

  it('asks for smaller pages where the upstream takes no larger ones', async () => {
    world.odd.refuse = (call) =>
      Number(/limit=(\d+)/.exec(call)?.[1]) > 40
        ? { status: 400, body: { error: 'Parameter limit is out of range.' } }
        : undefined;
    const keys = await Promise.all(videos(60).map(({ number }) => keyOf(number)));
    const found = await world.videos.load(all, keys);
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(calls('limit=40')).toHaveLength(2);
    expect(calls('/videos/user')).toEqual([]);
  });

  it('finds one that is being made, which GET one does not show', async () => {
    world.odd.accounts[0]?.videos.unshift({ number: 70, createdAt: new Date(), status: 10 });
    const key = await keyOf(70);
    expect(await world.ask(videoQuery, reader, { id: globalId(key) })).toEqual({
      data: {
        video: { id: globalId(key), status: 'GENERATING', url: null },
        node: { __typename: 'Video', id: globalId(key) },
      },
    });
  });

  it('answers what lip-syncs keep without the upstream', async () => {
    const [source, result] = [await keyOf(1), await keyOf(2)];
    await makeLipsync('key:me', { source, result });
    expect(await world.videos.load(me, [source, result])).toMatchObject([
      { prompt: 'kept' },
      { prompt: 'kept' },
    ]);
    expect(world.odd.requests).toEqual([]);
  });

  it('is null for what there is not, in every field', async () => {
    const key = await keyOf(9_999);
    for (const id of [
      'rubbish',
      '',
      globalId(''),
      globalId('\0'),
      globalId('AAAAAAAA-1'),
      globalId(key),
    ]) {
      expect(await world.ask(videoQuery, reader, { id })).toEqual({
        data: { video: null, node: null },
      });
    }
  });

  it('resolves federation references, and null for rubbish', async () => {
    const id = globalId(await keyOf(1));
    const representations = [id, 'rubbish', id].map((it) => ({ __typename: 'Video', id: it }));
    const { data, errors } = await world.ask(
      'query ($all: [_Any!]!) { _entities(representations: $all) { ... on Video { id prompt } } }',
      reader,
      { all: representations },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      _entities: [{ id, prompt: 'video 1' }, null, { id, prompt: 'video 1' }],
    });
    expect(calls('/videos/user')).toHaveLength(1);
  });

  it('fails those that the upstream fails, and only those', async () => {
    const [good, bad] = [await keyOf(1000, 'c+d@e.example'), await keyOf(1)];
    world.odd.refuse = (call) =>
      call.includes('a@b') || call.includes('a%40b') ? { status: 596, body: {} } : undefined;
    expect(await world.videos.load(all, [good, bad])).toMatchObject([
      { key: good },
      { code: 'ACCOUNT_PENDING' },
    ]);
    const { data, errors } = await world.ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      reader,
      { ids: [globalId(good), globalId(bad)] },
    );
    expect(data).toEqual({ nodes: [{ id: globalId(good) }, null] });
    expect(errors).toMatchObject([{ path: ['nodes', 1] }]);
  });

  it('can not tell a missing one from one in the making while the list fails', async () => {
    const key = await keyOf(9_999);
    world.odd.refuse = (call) =>
      call.includes('/videos/?') ? { status: 401, body: {} } : undefined;
    expect(await world.videos.load(all, [key])).toMatchObject([{ code: 'UPSTREAM_UNAUTHORIZED' }]);
  });
});

describe('without videos:read', () => {
  it('sees what its own lip-syncs used or made, and nothing else', async () => {
    const [used, made, other, alone] = await Promise.all([1, 2, 3, 4].map((n) => keyOf(n)));
    await makeLipsync('key:me', { source: used ?? '', result: made ?? '' });
    await makeLipsync('key:you', { source: used ?? '', result: other ?? '' });
    for (const [key, isSeen] of [
      [used, true],
      [made, true],
      [other, false],
      [alone, false],
    ] as const) {
      const answer = await world.ask(videoQuery, gb, { id: globalId(key ?? '') });
      expect(answer.errors).toBeUndefined();
      expect(answer.data.video !== null).toBe(isSeen);
      expect(answer.data.node !== null).toBe(isSeen);
    }
    const { data } = await world.ask(listQuery, gb);
    const connection = data.videos as unknown as { nodes: { id: string }[] };
    expect(connection.nodes.map(({ id }) => id).toSorted()).toEqual(
      [used, made].map((key) => globalId(key ?? '')).toSorted(),
    );
    expect(world.odd.requests).toEqual([]);
  });

  it('pages its own videos in both directions', async () => {
    for (let number = 1; number <= 25; number += 1) {
      const key = await keyOf(number);
      // Three of a time: the number decides.
      const createdAt = new Date(start + Math.floor(number / 3) * 1000).toISOString();
      await insertLipsync(world.db, {
        owner: 'key:me',
        result_video_id: key,
        result_video: JSON.stringify(stored(key, { createdAt, prompt: `video ${number}` })),
      });
    }
    const numbersOf = (page: { edges: { node: StoredVideo }[] }) =>
      page.edges.map(({ node }) => Number(node.prompt?.slice(6)));
    const one = await world.videos.list(me, { first: 10 });
    const two = await world.videos.list(me, { first: 10, after: one.pageInfo.endCursor });
    const three = await world.videos.list(me, { first: 10, after: two.pageInfo.endCursor });
    expect([one, two, three].flatMap(numbersOf)).toEqual(
      Array.from({ length: 25 }, (_, at) => 25 - at),
    );
    expect([one, two, three].map(({ pageInfo }) => pageInfo)).toMatchObject([
      { hasNextPage: true, hasPreviousPage: false },
      { hasNextPage: true, hasPreviousPage: true },
      { hasNextPage: false, hasPreviousPage: true },
    ]);
    const back = await world.videos.list(me, { last: 4, before: two.pageInfo.startCursor });
    expect(numbersOf(back)).toEqual([19, 18, 17, 16]);
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const filter = { status: ['FAILED' as const] };
    expect((await world.videos.list(me, { filter })).edges).toEqual([]);
  });
});

describe('a source for a lip-sync', () => {
  it('is what a lip-sync keeps, without a call, and names its account', async () => {
    const key = await keyOf(1);
    await makeLipsync('key:me', { result: key });
    const source = await world.videos.resolveSource(me, key);
    const account = await world.accounts.ensure('a@b.example');
    expect(source).toMatchObject({
      upstreamId: idOf('a@b.example', 1),
      accountId: account.id,
      video: { prompt: 'kept' },
    });
    expect(world.odd.requests).toEqual([]);
  });

  it('is read once for those who may see all, and missing for the others', async () => {
    const key = await keyOf(1);
    expect(await world.videos.resolveSource(me, key)).toBeNull();
    expect(await world.videos.resolveSource(all, key)).toMatchObject({
      video: { prompt: 'video 1' },
    });
    expect(await world.videos.resolveSource(all, await keyOf(9_999))).toBeNull();
    expect(await world.videos.resolveSource(all, 'rubbish\0')).toBeNull();
  });

  it('must be finished', async () => {
    const account = world.odd.accounts[0];
    account?.videos.unshift({ number: 70, createdAt: new Date(), status: 10 });
    account?.videos.unshift({ number: 71, createdAt: new Date(), status: 8 });
    for (const number of [70, 71]) {
      await expect(world.videos.resolveSource(all, await keyOf(number))).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: ['input', 'video', 'id'] }],
      });
    }
  });
});

describe('deleting', () => {
  it('reaches what the own lip-syncs made, and takes the addresses out of all that kept it', async () => {
    const key = await keyOf(1);
    const id = globalId(key);
    await makeLipsync('key:me', { result: key });
    await makeLipsync('key:you', { source: key });
    expect((await world.ask(deleteMutation, gb, { id })).data).toEqual({
      deleteVideo: { __typename: 'DeleteVideoSuccess', deletedVideoId: id },
    });
    const kept = await world.db.query<{ video: StoredVideo }>(
      'select coalesce(result_video, source_video) as video from lipsyncs',
    );
    expect(kept).toMatchObject([
      { video: { status: 'COMPLETED', prompt: 'kept', url: null } },
      { video: { status: 'COMPLETED', prompt: 'kept', url: null } },
    ]);
    expect((await world.ask(videoQuery, gb, { id })).data).toEqual({ video: null, node: null });
    expect((await world.videos.list(me, {})).edges).toEqual([]);
    expect((await world.ask(deleteMutation, gb, { id })).data.deleteVideo).toMatchObject({
      code: 'NOT_FOUND',
      message: 'The video was not found.',
    });
  });

  it.each([
    [['lipsync:write'], 'NOT_FOUND'],
    [['lipsync:write', 'videos:read'], 'NOT_AUTHORIZED'],
    [['lipsync:read', 'videos:read'], 'NOT_AUTHORIZED'],
    [[], 'NOT_AUTHORIZED'],
  ])('keeps %j off the videos of others', async (scopes, code) => {
    const id = globalId(await keyOf(1));
    const { data } = await world.ask(deleteMutation, { owner: 'key:me', scopes }, { id });
    expect(data.deleteVideo).toMatchObject({ code });
    expect(calls('DELETE')).toEqual([]);
  });

  it('of what was only used needs videos:write too', async () => {
    const key = await keyOf(1);
    await makeLipsync('key:me', { source: key });
    const id = globalId(key);
    const { data } = await world.ask(deleteMutation, gb, { id });
    expect(data.deleteVideo).toMatchObject({ code: 'NOT_AUTHORIZED' });
    const writer = { owner: 'key:me', scopes: ['videos:write'] };
    expect((await world.ask(deleteMutation, writer, { id })).data.deleteVideo).toMatchObject({
      deletedVideoId: id,
    });
  });

  it('of an unknown id is not found', async () => {
    const writer = { owner: 'key:me', scopes: ['videos:write', 'lipsync:write'] };
    for (const id of ['rubbish', globalId('AAAAAAAA-1'), globalId(await keyOf(9_999))]) {
      const { data } = await world.ask(deleteMutation, writer, { id });
      expect(data.deleteVideo).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

it('keeps nobody out with a typed answer', async () => {
  const nobody = { isNobody: true };
  expect((await world.ask(listQuery, nobody)).data.videos).toMatchObject({
    code: 'NOT_AUTHENTICATED',
  });
  const { data, errors } = await world.ask(videoQuery, nobody, { id: globalId(await keyOf(1)) });
  expect(data).toEqual({ video: null, node: null });
  expect(errors?.map(({ path }) => path[0])).toEqual(['video', 'node']);
});

describe('on the sandbox', () => {
  let real: Awaited<ReturnType<typeof openWithSandbox>>;
  beforeAll(async () => {
    real = await openWithSandbox();
  });
  afterAll(() => real.close());

  type Page = { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean } };

  it('two hundred cold queries at once cost one read for each account', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => real.ask(listQuery, reader)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const page = answers[0]?.data.videos as unknown as Page;
    expect(page.nodes).toHaveLength(6);
    expect(page.pageInfo.hasNextPage).toBe(false);
    expect(await real.requests()).toHaveLength(3);
  });

  it('a video in the making is seen by its id, and deleted for good', async () => {
    const { data } = await real.ask(listQuery, reader);
    const [source] = (data.videos as unknown as Page).nodes;
    const key = Buffer.from(source?.id ?? '', 'base64url')
      .toString()
      .slice('Video:'.length);
    const upstreamId = (await real.videos.ids.toUpstream(key)) ?? '';
    const made = await real.videos.ids.toKey(await real.startJob(upstreamId));
    const id = globalId(made);
    expect((await real.ask(videoQuery, reader, { id })).data.video).toEqual({
      id,
      status: 'QUEUED',
      url: null,
    });
    const writer = { owner: 'key:me', scopes: ['videos:write', 'videos:read'] };
    expect((await real.ask(deleteMutation, writer, { id })).data.deleteVideo).toMatchObject({
      deletedVideoId: id,
    });
    expect((await real.ask(videoQuery, reader, { id })).data.video).toBeNull();
  });
});
