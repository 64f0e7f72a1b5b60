import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoredVideo } from '../../../src/domains/videos/service.ts';
import {
  type FakeVideo,
  idOf,
  insertLipsync,
  openWithFakeUpstream,
  openWithSandbox,
} from '../accounts/slice-harness.ts';

let harness: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  harness = await openWithFakeUpstream();
});
afterAll(() => harness.close());
beforeEach(() =>
  harness.reset(
    { email: 'a@b.example', videos: videos(60) },
    { email: 'c+d@e.example', videos: videos(5, 1000) },
  ),
);

const start = Date.UTC(2026, 0, 1);
const ownOnly = { owner: 'key:me', scopes: ['lipsync:read', 'lipsync:write'] };
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
  harness.videos.ids.toKey(idOf(email, number));
const globalId = (key: string) => Buffer.from(`Video:${key}`).toString('base64url');
const calls = (part: string) => harness.upstream.calls().filter((call) => call.includes(part));

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
  return insertLipsync(harness.db, {
    owner,
    ...(source === undefined ? {} : { source: stored(source) }),
    ...(result === undefined ? {} : { result: stored(result) }),
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
  it('are the same from every instance and after a restart, and lead back to the ids', async () => {
    const ids = [
      'user:1-pixverse:a@b.c-video:12',
      'user:1-pixverse:a@b.c-video:0012',
      '77',
      '',
      'x',
    ];
    const other = harness.videos;
    harness.restart();
    const [first, second] = await Promise.all([
      harness.videos.ids.toKeys(ids),
      other.ids.toKeys(ids),
    ]);
    expect(second).toEqual(first);
    harness.restart();
    expect(await Promise.all(first.map((key) => harness.videos.ids.toUpstream(key)))).toEqual(ids);
    expect(new Set(first).size).toBe(ids.length);
  });

  it('that were never created lead to null', async () => {
    const key = await keyOf(1);
    for (const rubbish of ['', '1', `${key}x`, 'AAAAAAAA-1', `${key}\0`, key.slice(0, 8)]) {
      expect(await harness.videos.ids.toUpstream(rubbish)).toBeNull();
    }
  });
});

describe('reading by id', () => {
  it('reads a single video by GET', async () => {
    const old = await keyOf(1);
    expect(await harness.videos.load(all, [old])).toMatchObject([
      { key: old, status: 'COMPLETED' },
    ]);
    expect(calls('/videos/')).toEqual([`GET /videos/${idOf('a@b.example', 1)}`]);
  });

  it('reads many videos with pages of the list while these save calls, and the rest by GET', async () => {
    await harness.reset({ email: 'a@b.example', videos: videos(400) });
    const keys = await Promise.all([400, 399, 250, 30, 3].map((number) => keyOf(number)));
    const found = await harness.videos.load(all, keys);
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(calls('/videos/?').map((call) => /offset=\d+/.exec(call)?.[0])).toEqual([
      'offset=0',
      'offset=100',
    ]);
    expect(calls('/videos/user')).toHaveLength(2);
  });

  it('makes no further call once the whole list was read', async () => {
    const gone = Array.from({ length: 50 }, (_, at) => 1_000 + at);
    const keys = await Promise.all([1, 2, 59, 60, ...gone].map((number) => keyOf(number)));
    const found = await harness.videos.load(all, keys);
    expect(found.filter((video) => video !== null)).toHaveLength(4);
    expect(calls('/videos/')).toHaveLength(2);
  });

  it('reads a hundred videos with one page per account and one statement, also after a restart', async () => {
    await harness.reset(
      { email: 'a@b.example', videos: videos(60) },
      { email: 'c+d@e.example', videos: videos(40, 1_000) },
    );
    const keys = await Promise.all([
      ...videos(60).map(({ number }) => keyOf(number)),
      ...videos(40, 1_000).map(({ number }) => keyOf(number, 'c+d@e.example')),
    ]);
    harness.restart();
    const query = vi.spyOn(harness.db, 'query');
    const found = await harness.videos.load(all, keys);
    expect(query).toHaveBeenCalledTimes(1);
    query.mockRestore();
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(harness.upstream.requests).toHaveLength(2);
  });

  it('uses smaller pages if the upstream rejects large ones', async () => {
    harness.upstream.replyToAll((call) =>
      Number(/limit=(\d+)/.exec(call)?.[1]) > 40
        ? { status: 400, body: JSON.stringify({ error: 'Parameter limit is out of range.' }) }
        : null,
    );
    const keys = await Promise.all(videos(60).map(({ number }) => keyOf(number)));
    const found = await harness.videos.load(all, keys);
    expect(found.map((video) => video !== null && 'key' in video && video.key)).toEqual(keys);
    expect(calls('limit=40')).toHaveLength(2);
    expect(calls('/videos/user')).toEqual([]);
  });

  it('finds a running video in the list, although GET gives 404', async () => {
    harness.addVideo('a@b.example', { number: 70, createdAt: new Date(), status: 10 });
    const key = await keyOf(70);
    expect(await harness.ask(videoQuery, reader, { id: globalId(key) })).toEqual({
      data: {
        video: { id: globalId(key), status: 'GENERATING', url: null },
        node: { __typename: 'Video', id: globalId(key) },
      },
    });
  });

  it('returns the copies stored with lip-syncs without an upstream call', async () => {
    const [source, result] = [await keyOf(1), await keyOf(2)];
    await makeLipsync('key:me', { source, result });
    expect(await harness.videos.load(me, [source, result])).toMatchObject([
      { prompt: 'kept' },
      { prompt: 'kept' },
    ]);
    expect(harness.upstream.requests).toEqual([]);
  });

  it('is null for unknown and invalid ids, in every field', async () => {
    const key = await keyOf(9_999);
    for (const id of [
      'rubbish',
      '',
      globalId(''),
      globalId('\0'),
      globalId('AAAAAAAA-1'),
      globalId(key),
    ]) {
      expect(await harness.ask(videoQuery, reader, { id })).toEqual({
        data: { video: null, node: null },
      });
    }
  });

  it('resolves federation references, and gives null for an invalid id', async () => {
    const id = globalId(await keyOf(1));
    const representations = [id, 'rubbish', id].map((it) => ({ __typename: 'Video', id: it }));
    const { data, errors } = await harness.ask(
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

  it('fails only the videos that the upstream fails to read', async () => {
    const [good, bad] = [await keyOf(1000, 'c+d@e.example'), await keyOf(1)];
    harness.upstream.replyToAll((call) =>
      call.includes('a@b') || call.includes('a%40b') ? { status: 596, body: '{}' } : null,
    );
    expect(await harness.videos.load(all, [good, bad])).toMatchObject([
      { key: good },
      { code: 'ACCOUNT_PENDING' },
    ]);
    const { data, errors } = await harness.ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      reader,
      { ids: [globalId(good), globalId(bad)] },
    );
    expect(data).toEqual({ nodes: [{ id: globalId(good) }, null] });
    expect(errors).toMatchObject([{ path: ['nodes', 1] }]);
  });

  it('fails for a missing video while the list fails, because the video may be running', async () => {
    const key = await keyOf(9_999);
    harness.upstream.replyToAll((call) =>
      call.includes('/videos/?') ? { status: 401, body: '{}' } : null,
    );
    expect(await harness.videos.load(all, [key])).toMatchObject([
      { code: 'UPSTREAM_UNAUTHORIZED' },
    ]);
  });
});

describe('a caller without videos:read', () => {
  it('sees only the videos that its own lip-syncs used or made', async () => {
    const [used, made, other, alone] = await Promise.all([1, 2, 3, 4].map((n) => keyOf(n)));
    await makeLipsync('key:me', { source: used ?? '', result: made ?? '' });
    await makeLipsync('key:you', { source: used ?? '', result: other ?? '' });
    for (const [key, isSeen] of [
      [used, true],
      [made, true],
      [other, false],
      [alone, false],
    ] as const) {
      const answer = await harness.ask(videoQuery, ownOnly, { id: globalId(key ?? '') });
      expect(answer.errors).toBeUndefined();
      expect(answer.data.video !== null).toBe(isSeen);
      expect(answer.data.node !== null).toBe(isSeen);
    }
    const { data } = await harness.ask(listQuery, ownOnly);
    const connection = data.videos as unknown as { nodes: { id: string }[] };
    expect(connection.nodes.map(({ id }) => id).toSorted()).toEqual(
      [used, made].map((key) => globalId(key ?? '')).toSorted(),
    );
    expect(harness.upstream.requests).toEqual([]);
  });

  it('pages its own videos in both directions', async () => {
    for (let number = 1; number <= 25; number += 1) {
      const key = await keyOf(number);
      // Three videos share each time: the number decides.
      const createdAt = new Date(start + Math.floor(number / 3) * 1000).toISOString();
      await insertLipsync(harness.db, {
        owner: 'key:me',
        result: stored(key, { createdAt, prompt: `video ${number}` }),
      });
    }
    const numbersOf = (page: { edges: { node: StoredVideo }[] }) =>
      page.edges.map(({ node }) => Number(node.prompt?.slice(6)));
    const one = await harness.videos.list(me, { first: 10 });
    const two = await harness.videos.list(me, { first: 10, after: one.pageInfo.endCursor });
    const three = await harness.videos.list(me, { first: 10, after: two.pageInfo.endCursor });
    expect([one, two, three].flatMap(numbersOf)).toEqual(
      Array.from({ length: 25 }, (_, at) => 25 - at),
    );
    expect([one, two, three].map(({ pageInfo }) => pageInfo)).toMatchObject([
      { hasNextPage: true, hasPreviousPage: false },
      { hasNextPage: true, hasPreviousPage: true },
      { hasNextPage: false, hasPreviousPage: true },
    ]);
    const back = await harness.videos.list(me, { last: 4, before: two.pageInfo.startCursor });
    expect(numbersOf(back)).toEqual([19, 18, 17, 16]);
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const filter = { statuses: ['FAILED' as const] };
    expect((await harness.videos.list(me, { filter })).edges).toEqual([]);
  });
});

describe('the source of a lip-sync', () => {
  it('is the copy stored with a lip-sync, without an upstream call, and names its account', async () => {
    const key = await keyOf(1);
    await makeLipsync('key:me', { result: key });
    const source = await harness.videos.resolveSource(me, key);
    const account = await harness.accounts.ensure('a@b.example');
    expect(source).toMatchObject({
      upstreamId: idOf('a@b.example', 1),
      accountId: account.id,
      video: { prompt: 'kept' },
    });
    expect(harness.upstream.requests).toEqual([]);
  });

  it('is read from the upstream for callers that see all videos, and missing for other callers', async () => {
    const key = await keyOf(1);
    expect(await harness.videos.resolveSource(me, key)).toBeNull();
    expect(await harness.videos.resolveSource(all, key)).toMatchObject({
      video: { prompt: 'video 1' },
    });
    expect(await harness.videos.resolveSource(all, await keyOf(9_999))).toBeNull();
    expect(await harness.videos.resolveSource(all, 'rubbish\0')).toBeNull();
  });

  it('must be finished', async () => {
    harness.addVideo('a@b.example', { number: 70, createdAt: new Date(), status: 10 });
    harness.addVideo('a@b.example', { number: 71, createdAt: new Date(), status: 8 });
    for (const number of [70, 71]) {
      await expect(harness.videos.resolveSource(all, await keyOf(number))).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: ['input', 'video', 'videoId'] }],
      });
    }
  });
});

describe('deleting', () => {
  it('works for videos of own lip-syncs, and removes the URLs for every owner', async () => {
    const key = await keyOf(1);
    const id = globalId(key);
    await makeLipsync('key:me', { result: key });
    await makeLipsync('key:you', { source: key });
    expect((await harness.ask(deleteMutation, ownOnly, { id })).data).toEqual({
      deleteVideo: { __typename: 'DeleteVideoSuccess', deletedVideoId: id },
    });
    const kept = await harness.db.query<{ video: StoredVideo }>('select video from videos');
    expect(kept).toMatchObject([{ video: { status: 'COMPLETED', prompt: 'kept', url: null } }]);
    expect((await harness.ask(videoQuery, ownOnly, { id })).data).toEqual({
      video: null,
      node: null,
    });
    for (const owner of ['key:me', 'key:you']) {
      expect((await harness.videos.list({ ...me, owner }, {})).edges).toEqual([]);
    }
    expect((await harness.ask(deleteMutation, ownOnly, { id })).data.deleteVideo).toMatchObject({
      code: 'NOT_FOUND',
      message: 'The video was not found.',
    });
  });

  it.each([
    [['lipsync:write'], 'NOT_FOUND'],
    [['lipsync:write', 'videos:read'], 'NOT_AUTHORIZED'],
    [['lipsync:read', 'videos:read'], 'NOT_AUTHORIZED'],
    [[], 'NOT_AUTHORIZED'],
  ])('is refused to %j for videos of other owners', async (scopes, code) => {
    const id = globalId(await keyOf(1));
    const { data } = await harness.ask(deleteMutation, { owner: 'key:me', scopes }, { id });
    expect(data.deleteVideo).toMatchObject({ code });
    expect(calls('DELETE')).toEqual([]);
  });

  it('needs videos:write for a video that was only used', async () => {
    const key = await keyOf(1);
    await makeLipsync('key:me', { source: key });
    const id = globalId(key);
    const { data } = await harness.ask(deleteMutation, ownOnly, { id });
    expect(data.deleteVideo).toMatchObject({ code: 'NOT_AUTHORIZED' });
    const writer = { owner: 'key:me', scopes: ['videos:write'] };
    expect((await harness.ask(deleteMutation, writer, { id })).data.deleteVideo).toMatchObject({
      deletedVideoId: id,
    });
  });

  // The answer to an earlier request was lost, or it was deleted on the website.
  it('removes the URLs also if the video service no longer has the video', async () => {
    const key = await keyOf(1);
    await makeLipsync('key:me', { result: key });
    harness.upstream.reply('DELETE /videos/{id}', { status: 404, body: '{}' });
    const { data } = await harness.ask(deleteMutation, ownOnly, { id: globalId(key) });
    harness.upstream.reply('DELETE /videos/{id}', null);
    expect(data.deleteVideo).toMatchObject({ code: 'NOT_FOUND' });
    const kept = await harness.db.query<{ video: StoredVideo }>('select video from videos');
    expect(kept).toMatchObject([{ video: { url: null } }]);
  });

  it('gives NOT_FOUND for an unknown id', async () => {
    const writer = { owner: 'key:me', scopes: ['videos:write', 'lipsync:write'] };
    for (const id of ['rubbish', globalId('AAAAAAAA-1'), globalId(await keyOf(9_999))]) {
      const { data } = await harness.ask(deleteMutation, writer, { id });
      expect(data.deleteVideo).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('keeps out', () => {
  it('an anonymous caller, with a typed failure', async () => {
    const anonymous = { isAnonymous: true };
    expect((await harness.ask(listQuery, anonymous)).data.videos).toMatchObject({
      code: 'NOT_AUTHENTICATED',
    });
    const { data, errors } = await harness.ask(videoQuery, anonymous, {
      id: globalId(await keyOf(1)),
    });
    expect(data).toEqual({ video: null, node: null });
    expect(errors?.map(({ path }) => path[0])).toEqual(['video', 'node']);
  });
});

describe('on the sandbox', () => {
  let sandboxed: Awaited<ReturnType<typeof openWithSandbox>>;
  beforeAll(async () => {
    sandboxed = await openWithSandbox();
  });
  afterAll(() => sandboxed.close());

  type Page = { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean } };

  it('serves two hundred concurrent queries after a start with one read per account', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => sandboxed.ask(listQuery, reader)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const page = answers[0]?.data.videos as unknown as Page;
    expect(page.nodes).toHaveLength(6);
    expect(page.pageInfo.hasNextPage).toBe(false);
    expect(await sandboxed.requests()).toHaveLength(3);
  });

  it('shows a running video by its id, and deletes it', async () => {
    const { data } = await sandboxed.ask(listQuery, reader);
    const [source] = (data.videos as unknown as Page).nodes;
    const key = Buffer.from(source?.id ?? '', 'base64url')
      .toString()
      .slice('Video:'.length);
    const upstreamId = (await sandboxed.videos.ids.toUpstream(key)) ?? '';
    const made = await sandboxed.videos.ids.toKey(await sandboxed.startJob(upstreamId));
    const id = globalId(made);
    expect((await sandboxed.ask(videoQuery, reader, { id })).data.video).toEqual({
      id,
      status: 'QUEUED',
      url: null,
    });
    const writer = { owner: 'key:me', scopes: ['videos:write', 'videos:read'] };
    expect((await sandboxed.ask(deleteMutation, writer, { id })).data.deleteVideo).toMatchObject({
      deletedVideoId: id,
    });
    expect((await sandboxed.ask(videoQuery, reader, { id })).data.video).toBeNull();
  });
});
