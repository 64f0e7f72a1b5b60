import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeVideo, idOf, openWithFakeUpstream } from '../accounts/slice-harness.ts';

/** The default of the product. */
const readFreshMs = 5_000;

let harness: Awaited<ReturnType<typeof openWithFakeUpstream>>;
let always: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  harness = await openWithFakeUpstream({ readFreshMs });
  always = await openWithFakeUpstream({ readFreshMs: 0 });
});
afterAll(() => Promise.all([harness.close(), always.close()]));
beforeEach(async () => {
  for (const each of [harness, always]) {
    await each.reset(
      { email: 'a@b.example', maxJobs: 3, credits: 100, videos: videos(100) },
      { email: 'c+d@e.example', maxJobs: 5, credits: 7, videos: videos(5, 1_000) },
    );
  }
});

const start = Date.UTC(2026, 0, 1);
const reader = { owner: 'key:me', scopes: ['lipsync:read', 'videos:read', 'videos:write'] };
const admin = { scopes: ['admin'] };

function videos(count: number, from = 1): FakeVideo[] {
  return Array.from({ length: count }, (_, at) => {
    const number = from + count - 1 - at;
    return { number, createdAt: new Date(start + number * 60_000) };
  });
}

const videosQuery = `query ($after: String) { videos(after: $after) { __typename
  ... on VideoConnection { nodes { id prompt status } pageInfo { endCursor } } ... on LipsyncError { code } } }`;
const voicesQuery =
  '{ voices { __typename ... on VoiceList { nodes { id name } } ... on LipsyncError { code } } }';
const accountsQuery =
  '{ accounts { __typename ... on AccountList { nodes { id email credits inFlight isPaused } } } }';
const deleteMutation = 'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }';
const reconnectMutation = `mutation ($id: ID!) {
  reconnectAccount(input: { accountId: $id, password: "secret" }) { __typename } }`;

type Page = { nodes: { id: string; prompt: string }[]; pageInfo: { endCursor: string } };
type Asking = Pick<typeof harness, 'ask'>;

async function pageOf(on: Asking = harness, after: string | null = null): Promise<Page> {
  const { data } = await on.ask(videosQuery, reader, { after });
  expect(data.videos).toMatchObject({ __typename: 'VideoConnection' });
  return data.videos as unknown as Page;
}

const prompts = ({ nodes }: Page) => nodes.map(({ prompt }) => prompt);
const calls = (part = '', on = harness) =>
  on.upstream.calls().filter((call) => call.includes(part)).length;
const globalId = (key: string) => Buffer.from(`Video:${key}`).toString('base64url');

const listRoutes = ['GET /videos', 'GET /videos/voices', 'GET /accounts'] as const;

/** Sends no answer to a read of a list until the returned function is called. */
function holdLists(): () => void {
  const releases = listRoutes.map((route) => harness.upstream.holdAnswers(route));
  return () => {
    for (const release of releases) release();
  };
}

const account = 'a@b.example';

const addVideo = (number: number) =>
  harness.addVideo(account, { number, createdAt: new Date(start + number * 60_000) });

/** Adds an account with one video, the newest of all. */
function addAccount(on: typeof harness): void {
  on.upstream.accounts.push({ email: 'new@f.example', maxJobs: 3 });
  on.addVideo('new@f.example', { number: 2_000, createdAt: new Date(start + 2_000 * 60_000) });
}

/** Removes this many of the account's videos, beginning with the one at that place of its list. */
function removeListed(from: number, count: number): void {
  const { videos: all } = harness.upstream;
  const listed = all.filter(({ id }) => id.includes(account)).toReversed();
  for (const video of listed.slice(from, from + count)) all.splice(all.indexOf(video), 1);
}

describe('within the limit', () => {
  const readsOfLists = [
    { name: 'videos', query: videosQuery, caller: reader, part: '/videos/?', expected: 2 },
    { name: 'voices', query: voicesQuery, caller: reader, part: '/videos/voices/', expected: 1 },
    { name: 'accounts', query: accountsQuery, caller: admin, part: '/accounts', expected: 1 },
    {
      name: 'videos of accounts',
      query: videosQuery,
      caller: reader,
      part: '/accounts',
      expected: 1,
    },
    { name: 'credits', query: accountsQuery, caller: admin, part: '/features/', expected: 2 },
  ];
  it.each(readsOfLists)(
    'a hundred queries of $name, at once and after one another, cost one read of each list',
    async ({ query, caller, part, expected }) => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => harness.ask(query, caller)),
      );
      harness.advance(readFreshMs / 2 - 1);
      for (let n = 0; n < 50; n += 1) answers.push(await harness.ask(query, caller));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(calls(part)).toBe(expected);
    },
  );

  it('no query waits for an upstream that hangs', async () => {
    const [one, voices] = [await pageOf(), await harness.ask(voicesQuery, reader)];
    harness.advance(readFreshMs - 1);
    const release = holdLists();
    const before = calls('/videos/?');
    for (let n = 0; n < 20; n += 1) {
      expect(await pageOf()).toEqual(one);
      expect(await harness.ask(voicesQuery, reader)).toEqual(voices);
    }
    await vi.waitFor(() => expect(calls('/videos/?')).toBe(before + 2), { timeout: 60_000 });
    release();
  });

  it('a list that is half as old as the limit is refreshed without a query that waits', async () => {
    await pageOf();
    addVideo(500);
    harness.advance(readFreshMs / 2);
    expect(prompts(await pageOf())[0]).toBe('video 1004');
    await vi.waitFor(async () => expect(prompts(await pageOf())).toContain('video 500'), {
      timeout: 60_000,
    });
    harness.advance(readFreshMs / 2);
    expect(prompts(await pageOf())).toContain('video 500');
  });

  it('videos need no statement of the database, and neither do a hundred videos by id', async () => {
    const { nodes } = await pageOf();
    const [query, transaction] = [
      vi.spyOn(harness.db, 'query'),
      vi.spyOn(harness.db, 'transaction'),
    ];
    const before = calls();
    await pageOf();
    const ids = nodes.map(({ id }) => id);
    const found = await harness.ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Video { id prompt status } } }',
      reader,
      { ids },
    );
    expect(found.data.nodes).toEqual(nodes);
    expect([query.mock.calls.length, transaction.mock.calls.length, calls() - before]).toEqual([
      0, 0, 0,
    ]);
    query.mockRestore();
    transaction.mockRestore();
  });

  it('entities cost a constant number of calls, however often they are asked', async () => {
    const keys = await Promise.all(
      videos(100).map(({ number }) => harness.videos.ids.toKey(idOf('a@b.example', number))),
    );
    const representations = keys.map((key) => ({ __typename: 'Video', id: globalId(key) }));
    for (let n = 0; n < 10; n += 1) {
      const { data } = await harness.ask(
        'query ($all: [_Any!]!) { _entities(representations: $all) { ... on Video { prompt } } }',
        reader,
        { all: representations },
      );
      expect(data._entities).toHaveLength(100);
      expect(data._entities).not.toContain(null);
    }
    expect(calls('/videos/')).toBe(1);
  });

  it('one video by id is read once, and so is the list that shows whether it is running', async () => {
    const query = 'query ($id: ID!) { video(id: $id) { prompt } }';
    for (const [number, prompt] of [
      [3, { prompt: 'video 3' }],
      [9_999, null],
    ] as const) {
      const id = globalId(await harness.videos.ids.toKey(idOf('a@b.example', number)));
      for (let n = 0; n < 10; n += 1) {
        expect((await harness.ask(query, reader, { id })).data.video).toEqual(prompt);
      }
    }
    expect(calls('/videos/user')).toBe(2);
    expect(calls('/videos/?')).toBe(2);
  });

  it('pages connect although they were read at different times and the list has moved', async () => {
    const one = await pageOf();
    await pageOf(harness, one.pageInfo.endCursor);
    removeListed(10, 15);
    harness.advance(readFreshMs - 1);
    // Refreshes the first page alone.
    await pageOf();
    await vi.waitFor(async () => expect(prompts(await pageOf())).not.toContain('video 88'), {
      timeout: 60_000,
    });
    const seen = new Set<string>();
    for (let page = await pageOf(); page.nodes.length > 0; ) {
      for (const prompt of prompts(page)) seen.add(prompt);
      page = await pageOf(harness, page.pageInfo.endCursor);
    }
    for (const { prompt } of harness.upstream.videos) expect(seen).toContain(prompt);
  });
});

describe('past the limit', () => {
  it('the videos of a new account are in the list', async () => {
    await pageOf();
    addAccount(harness);
    harness.advance(readFreshMs);
    expect(prompts(await pageOf())[0]).toBe('video 2000');
  });

  it('a query waits for a new read', async () => {
    await pageOf();
    addVideo(500);
    harness.advance(readFreshMs);
    expect(prompts(await pageOf())).toContain('video 500');
  });

  it('a failure is the answer, and is not kept', async () => {
    await pageOf();
    harness.advance(readFreshMs);
    harness.upstream.reply('GET /videos', { status: 401, body: '{}' });
    const failed = await harness.ask(videosQuery, reader);
    expect(failed.data.videos).toMatchObject({ code: 'UPSTREAM_UNAUTHORIZED' });
    harness.upstream.reply('GET /videos', null);
    harness.advance(200);
    await pageOf();
  });

  it('a failed refresh leaves the list until then', async () => {
    const one = await pageOf();
    harness.advance(readFreshMs - 1);
    harness.upstream.replyToAll(() => ({ status: 401, body: '{}' }));
    expect(await pageOf()).toEqual(one);
    await vi.waitFor(() => expect(harness.lines.join()).toContain('could not be refreshed'), {
      timeout: 60_000,
    });
    expect(await pageOf()).toEqual(one);
  });
});

describe('a change through this server is visible to the next read', () => {
  it('also if the id of the video writes the e-mail with other capital letters', async () => {
    await pageOf();
    const before = calls('/videos/?email=a%40b');
    await harness.accounts.announceChangeOf('A@B.example');
    await pageOf();
    expect(calls('/videos/?email=a%40b')).toBe(before + 1);
  });

  it('after deleteVideo, of lists and of single videos', async () => {
    const { nodes } = await pageOf();
    const deleted = nodes[7];
    expect(await harness.ask(deleteMutation, reader, { id: deleted?.id })).toMatchObject({
      data: { deleteVideo: { __typename: 'DeleteVideoSuccess' } },
    });
    expect(prompts(await pageOf())).not.toContain(deleted?.prompt);
    const { data } = await harness.ask('query ($id: ID!) { video(id: $id) { id } }', reader, {
      id: deleted?.id,
    });
    expect(data.video).toBeNull();
  });

  it('after a deletion whose answer was lost', async () => {
    const { nodes } = await pageOf();
    const deleted = nodes[7];
    harness.upstream.reply('DELETE /videos/{id}', () => {
      removeListed(0, 5);
      return { status: 500, body: '{}' };
    });
    await harness.ask(deleteMutation, reader, { id: deleted?.id });
    expect(prompts(await pageOf())).not.toContain('video 98');
  });

  it('after reconnectAccount', async () => {
    type Accounts = { nodes: { id: string; credits: number }[] };
    const show = async () =>
      ((await harness.ask(accountsQuery, admin)).data.accounts as unknown as Accounts).nodes;
    const [account] = await show();
    const upstream = harness.upstream.accounts[0];
    if (upstream !== undefined) upstream.credits = 55;
    expect((await show())[0]?.credits).toBe(100);
    await harness.ask(reconnectMutation, admin, { id: account?.id });
    expect((await show())[0]?.credits).toBe(55);
  });

  it('of a video that a read in progress does not contain', async () => {
    const release = harness.upstream.holdAnswers('GET /videos');
    const reading = harness.ask(videosQuery, reader);
    await vi.waitFor(() => expect(calls('/videos/?')).toBe(2), { timeout: 60_000 });
    // Later reads are answered at once.
    harness.upstream.holdAnswers('GET /videos')();
    addVideo(500);
    await harness.accounts.announceChange(harness.db, null);
    expect(prompts(await pageOf())).toContain('video 500');
    release();
    await reading;
    expect(prompts(await pageOf())).toContain('video 500');
  });

  it('on another instance', async () => {
    const other = await harness.openOther();
    const { nodes } = await pageOf(other);
    await pageOf();
    await harness.ask(deleteMutation, reader, { id: nodes[7]?.id });
    await vi.waitFor(
      async () => expect(prompts(await pageOf(other))).not.toContain(nodes[7]?.prompt),
      { timeout: 60_000 },
    );
  });

  it('and costs one read here, although the notification comes back', async () => {
    await harness.openOther();
    const { nodes } = await pageOf();
    const told = Promise.withResolvers<string>();
    const stop = await harness.db.listen('account_changed', {
      onMessage: told.resolve,
      onReconnected: () => undefined,
    });
    await harness.ask(deleteMutation, reader, { id: nodes[7]?.id });
    const before = calls('/videos/?');
    await pageOf();
    expect(await told.promise).toMatch(/^[\w-]{12} [\w-]{36}$/);
    await pageOf();
    // Of the account in which the video was, and no other.
    expect(calls('/videos/?') - before).toBe(1);
    await stop();
  });
});

describe('with a limit of 0', () => {
  it('every query of videos, voices, accounts and credits asks the upstream', async () => {
    for (let n = 0; n < 3; n += 1) {
      await pageOf(always);
      await always.ask(voicesQuery, reader);
      await always.ask(accountsQuery, admin);
    }
    expect([
      calls('/videos/?', always),
      calls('/videos/voices/', always),
      calls('/features/', always),
      // For the videos and for the accounts. The voices use accounts that are up to a minute old.
      calls('/accounts', always),
    ]).toEqual([6, 3, 6, 6]);
  });

  // They were missing for up to a minute.
  it('the videos of a new account are in the next list', async () => {
    await pageOf(always);
    addAccount(always);
    expect(prompts(await pageOf(always))[0]).toBe('video 2000');
  });
});

describe('the voices', () => {
  it('are kept for a minute, or for the limit if that is longer', async () => {
    for (let second = 0; second < 59; second += 1) {
      harness.advance(1_000);
      await harness.ask(voicesQuery, reader);
    }
    // The second call is the refresh after half a minute.
    await vi.waitFor(() => expect(calls('voices')).toBe(2), { timeout: 60_000 });
  });
});

describe('what an answer was made from', () => {
  const track = async (query: string, caller: object) => {
    const { result, sources } = harness.freshness.track(() => harness.ask(query, caller));
    await result;
    return sources;
  };

  it('says for how long the answer can be given again', async () => {
    const sources = await track(videosQuery, reader);
    const version = harness.freshness.version('videos');
    harness.advance(readFreshMs - 1);
    expect([sources.isCurrent(), harness.freshness.version('videos')]).toEqual([true, version]);
    await harness.accounts.announceChange(harness.db, null);
    expect(sources.isCurrent()).toBe(false);
    expect(harness.freshness.version('videos')).not.toBe(version);
    const again = await track(videosQuery, reader);
    harness.advance(readFreshMs);
    expect(again.isCurrent()).toBe(false);
  });

  it('is never current for answers with rows of the database or with a failure', async () => {
    expect((await track(accountsQuery, admin)).isCurrent()).toBe(false);
    const own = { owner: 'key:me', scopes: ['lipsync:read'] };
    const both = '{ voices { __typename } videos { __typename } }';
    expect((await track(both, own)).isCurrent()).toBe(false);
    expect((await track(both, reader)).isCurrent()).toBe(true);
    expect((await track(voicesQuery, own)).isCurrent()).toBe(true);
    harness.upstream.replyToAll(() => ({ status: 401, body: '{}' }));
    harness.advance(60_000);
    expect((await track(voicesQuery, own)).isCurrent()).toBe(false);
  });
});
