import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoredVideo, VideoPageRequest } from '../../../src/domains/videos/service.ts';
import { InvalidInputError } from '../../../src/errors.ts';
import { numberOf } from '../../support/fake-upstream/state.ts';
import {
  type AccountWithVideos,
  type FakeVideo,
  idOf,
  openWithFakeUpstream,
} from '../accounts/slice-harness.ts';

let harness: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  harness = await openWithFakeUpstream();
});
afterAll(() => harness.close());
beforeEach(() => harness.reset());

const viewer = { owner: 'key:test', canSeeAll: true };
const start = Date.UTC(2026, 0, 1);

const list = (request: VideoPageRequest) => harness.videos.list(viewer, request);
const numbers = (videos: StoredVideo[]) => videos.map(({ prompt }) => Number(prompt?.slice(6)));
const listCalls = () => harness.upstream.calls().filter((call) => call.startsWith('GET /videos/?'));

/** Videos a minute apart, the newest first and with the highest number. */
function videos(count: number, from = 1): FakeVideo[] {
  return Array.from({ length: count }, (_, at) => {
    const number = from + count - 1 - at;
    return { number, createdAt: new Date(start + number * 60_000) };
  });
}

async function walk(request: VideoPageRequest): Promise<number[]> {
  const seen: number[] = [];
  for (let after: string | null = null; ; ) {
    const page = await list({ ...request, after });
    seen.push(...numbers(page.edges.map(({ node }) => node)));
    if (!page.pageInfo.hasNextPage) return seen;
    after = page.pageInfo.endCursor;
  }
}

const descending = (count: number) => Array.from({ length: count }, (_, at) => count - at);

type Change = { deletes: number[]; adds: number };
type Scenario = { counts: number[]; size: number; seconds: number; changes: Change[] };

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 1, maxLength: 3 }),
  size: fc.integer({ min: 3, max: 60 }),
  // Many videos share a second: the upstream writes no milliseconds.
  seconds: fc.constantFrom(1, 10, 300),
  changes: fc.array(
    fc.record({
      deletes: fc.array(fc.nat(), { maxLength: 60 }),
      adds: fc.integer({ min: 0, max: 60 }),
    }),
    { maxLength: 8 },
  ),
});

/** The accounts of a scenario. Videos of one second are in any order. */
function accountsOf({ counts, seconds }: Scenario): AccountWithVideos[] {
  return counts.map((count, account) => ({
    email: `a${account}@b.example`,
    videos: Array.from({ length: count }, (_, at) => {
      const number = account * 1_000_000 + ((at * 7919) % 99_991) + 1;
      const second = Math.floor(((count - at) * seconds) / 10);
      return { number, createdAt: new Date(start + second * 1000) };
    }),
  }));
}

function applyChange(step: Change, nextNumber: () => number): number[] {
  const gone: number[] = [];
  const { accounts, videos: listed } = harness.upstream;
  const emailAt = (at: number) => accounts[at % accounts.length]?.email ?? '';
  for (const pick of step.deletes) {
    const own = listed.filter(({ email }) => email === emailAt(pick));
    const deleted = own[pick % own.length];
    if (deleted === undefined) continue;
    listed.splice(listed.indexOf(deleted), 1);
    gone.push(numberOf(deleted.id));
  }
  for (let added = 0; added < step.adds; added += 1) {
    const number = nextNumber();
    harness.addVideo(emailAt(added), {
      number,
      createdAt: new Date(start + 3_600_000 + number),
    });
  }
  return gone;
}

function allVideos(): FakeVideo[] {
  return harness.upstream.videos.map(({ id, createdAt }) => ({ number: numberOf(id), createdAt }));
}

/** Pages from the newest to the oldest, with the changes of the scenario between the pages. */
async function walkOlder({ size, changes }: Scenario) {
  const gone = new Set<number>();
  const seen: number[] = [];
  const steps = changes.values();
  let fresh = 5_000_000;
  for (let after: string | null = null; ; ) {
    const page = await list({ first: size, after });
    expect(page.edges.length === size || !page.pageInfo.hasNextPage).toBe(true);
    seen.push(...numbers(page.edges.map(({ node }) => node)));
    if (!page.pageInfo.hasNextPage) return { seen, gone };
    after = page.pageInfo.endCursor;
    for (const number of applyChange(steps.next().value ?? noChange, () => fresh++))
      gone.add(number);
  }
}

/** Pages backwards from the oldest video, which is excluded, to the newest. */
async function walkNewer({ size, changes }: Scenario): Promise<number[]> {
  let before = (await lastPage()).pageInfo.endCursor;
  let seen: number[] = [];
  const steps = changes.values();
  let fresh = 5_000_000;
  for (;;) {
    applyChange(steps.next().value ?? noChange, () => fresh++);
    const page = await list({ last: size, before });
    seen = [...numbers(page.edges.map(({ node }) => node)), ...seen];
    if (!page.pageInfo.hasPreviousPage) return seen;
    before = page.pageInfo.startCursor;
  }
}

async function lastPage() {
  for (let after: string | null = null; ; ) {
    const page = await list({ first: 50, after });
    if (!page.pageInfo.hasNextPage) return page;
    after = page.pageInfo.endCursor;
  }
}

const noChange: Change = { deletes: [], adds: 0 };

describe('pages', () => {
  it('neither repeat nor skip a video while videos are added and deleted', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (given) => {
        await harness.reset(...accountsOf(given));
        const atFirst = allVideos();
        const { seen, gone } = await walkOlder(given);
        expect(new Set(seen).size).toBe(seen.length);
        expect(atFirst.filter(({ number }) => !gone.has(number) && !seen.includes(number))).toEqual(
          [],
        );
        const times = new Map(atFirst.map((video) => [video.number, video.createdAt.getTime()]));
        const order = seen.map((number) => times.get(number) ?? Number.NaN);
        expect(order).toEqual(order.toSorted((a, b) => b - a));
      }),
      { numRuns: 25 },
    );
  }, 300_000);

  it('neither repeat nor skip a video backwards, and include added videos', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (given) => {
        await harness.reset(...accountsOf(given));
        const atFirst = allVideos().toSorted(
          (a, b) => a.createdAt.getTime() - b.createdAt.getTime() || a.number - b.number,
        );
        const oldest = atFirst[0];
        if (oldest === undefined) return;
        const seen = await walkNewer(given);
        expect(new Set(seen).size).toBe(seen.length);
        const skipped = allVideos().filter(
          ({ number }) => !seen.includes(number) && number !== oldest.number,
        );
        expect(skipped).toEqual([]);
        expect(seen).not.toContain(oldest.number);
      }),
      { numRuns: 25 },
    );
  }, 300_000);

  it('report whether there is more on either side, and are the same backwards', async () => {
    await harness.reset({ email: 'a@b.example', videos: videos(100) });
    const one = await list({ first: 30 });
    expect(one.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const two = await list({ first: 30, after: one.pageInfo.endCursor });
    expect(two.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const back = await list({ last: 30, before: two.pageInfo.startCursor });
    expect(back.edges.map(({ node }) => node)).toEqual(one.edges.map(({ node }) => node));
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const last = await list({ first: 100, after: two.pageInfo.endCursor });
    expect(last.edges).toHaveLength(40);
    expect(last.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  });

  it('report the exact end of the list', async () => {
    for (const count of [0, 1, 20, 39, 40, 41, 80]) {
      await harness.reset({ email: 'a@b.example', videos: videos(count) });
      expect(await walk({ first: 20 })).toEqual(descending(count));
      expect(await walk({ first: 40 })).toEqual(descending(count));
    }
  });

  it('filter by status and time', async () => {
    const mixed = videos(200).map((video) =>
      video.number % 50 === 0 ? { ...video, status: 8 as const } : video,
    );
    await harness.reset({ email: 'a@b.example', videos: mixed });
    expect(await walk({ first: 2, filter: { statuses: ['FAILED'] } })).toEqual([200, 150, 100, 50]);
    const filter = {
      createdAfter: new Date(start + 90 * 60_000),
      createdBefore: new Date(start + 95 * 60_000),
    };
    expect(await walk({ first: 3, filter })).toEqual([94, 93, 92, 91]);
  });

  it('stop reading early if a filter matches little, and continue from there', async () => {
    const rare = videos(2_000).map((video) =>
      video.number === 5 ? { ...video, status: 7 as const } : video,
    );
    await harness.reset({ email: 'a@b.example', videos: rare });
    const page = await list({ filter: { statuses: ['MODERATED'] } });
    expect(page.edges).toEqual([]);
    expect(page.pageInfo.hasNextPage).toBe(true);
    expect(listCalls().length).toBe(25);
    expect(await walk({ filter: { statuses: ['MODERATED'] } })).toEqual([5]);
  });

  it('neither repeat nor skip a video when reading stopped among videos of one second', async () => {
    const scrambled = videos(1_000).map(({ number }) => ({
      // Seven of each second, in another order than their numbers.
      number: number - (number % 7) + ((number * 3) % 7),
      createdAt: new Date(start + Math.floor(number / 7) * 1000),
      status: number % 20 < 7 ? (7 as const) : (1 as const),
    }));
    await harness.reset({ email: 'a@b.example', videos: scrambled });
    const wanted = scrambled.filter(({ status }) => status === 7).map(({ number }) => number);
    const found = await walk({ first: 100, filter: { statuses: ['MODERATED'] } });
    expect(found.toSorted()).toEqual(wanted.toSorted());
    expect(await walk({ first: 35 })).toHaveLength(1_000);
  });
});

describe('costs', () => {
  it('one read per account for concurrent queries of the same page', async () => {
    await harness.reset(
      { email: 'a@b.example', videos: videos(100) },
      { email: 'c@d.example', videos: videos(100, 1000) },
    );
    await Promise.all(Array.from({ length: 200 }, () => list({})));
    expect(listCalls()).toHaveLength(2);
  });

  it('one read for a later page', async () => {
    await harness.reset({ email: 'a@b.example', videos: videos(500) });
    let page = await list({});
    for (let turn = 0; turn < 10; turn += 1) {
      harness.upstream.requests.length = 0;
      page = await list({ after: page.pageInfo.endCursor });
      expect(listCalls()).toHaveLength(1);
    }
    harness.upstream.requests.length = 0;
    await list({ last: 20, before: page.pageInfo.startCursor });
    expect(listCalls()).toHaveLength(1);
  });
});

describe('tolerates', () => {
  it('an upstream that lists the oldest first, or without order', async () => {
    const shuffled = videos(90).toSorted((a, b) => ((a.number * 37) % 91) - ((b.number * 37) % 91));
    for (const listed of [videos(90).reverse(), shuffled]) {
      await harness.reset({ email: 'a@b.example', videos: listed });
      expect(await walk({ first: 25 })).toEqual(descending(90));
    }
  });

  // Their last page said so too, and the oldest second of the list was never shown.
  it.each(['next_offset on every page', 'always more'] as const)(
    'an upstream that sends %s',
    async (pageHints) => {
      Object.assign(harness.upstream.behaviour, { pageHints });
      for (const count of [1, 3, 41, 90]) {
        await harness.reset({ email: 'a@b.example', videos: videos(count) });
        expect(await walk({ first: 20 })).toEqual(descending(count));
        expect(listCalls().length).toBeLessThan(12);
      }
      Object.assign(harness.upstream.behaviour, { pageHints: 'nothing' });
    },
  );

  it('an upstream that shows the videos of one account in the list of each', async () => {
    await harness.reset(
      { email: 'a@b.example', videos: videos(20) },
      { email: 'c@d.example', videos: [] },
    );
    const { baseUrl, token } = harness.upstream;
    const response = await fetch(`${baseUrl}/videos/?email=a%40b.example`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const body = await response.text();
    harness.upstream.reply('GET /videos', { status: 200, body });
    expect(await walk({ first: 5 })).toEqual(descending(20));
    harness.upstream.reply('GET /videos', null);
  });

  // Later pages were in order by themselves, and did not show it.
  it.each([15, 30, 59])('one old video at the top of %i', async (count) => {
    const listed = [...videos(1), ...videos(count - 1, 2)];
    await harness.reset({ email: 'a@b.example', videos: listed });
    for (const first of [5, 20]) expect(await walk({ first })).toEqual(descending(count));
  });

  it('one old video in the middle of a long list', async () => {
    const all = videos(99, 2);
    const listed = [...all.slice(0, 70), ...videos(1), ...all.slice(70)];
    await harness.reset({ email: 'a@b.example', videos: listed });
    for (const first of [5, 20]) expect(await walk({ first })).toEqual(descending(100));
  });

  it('more videos of one second than a page holds', async () => {
    const same = videos(90).map((video) => ({ ...video, createdAt: new Date(start) }));
    await harness.reset({ email: 'a@b.example', videos: same });
    expect(await walk({ first: 25 })).toEqual(descending(90));
  });

  it('forged offsets in a cursor', async () => {
    await harness.reset({ email: 'a@b.example', videos: videos(100) });
    const { pageInfo } = await list({ first: 10 });
    const [at, key] = JSON.parse(Buffer.from(pageInfo.endCursor ?? '', 'base64url').toString());
    const [account] = await harness.accounts.listPresent();
    for (const offset of [0, 60, 99, 100, 9_999_999]) {
      const forged = JSON.stringify([at, key, { [account?.id ?? '']: offset }]);
      const after = Buffer.from(forged).toString('base64url');
      const page = await list({ first: 10, after });
      expect(numbers(page.edges.map(({ node }) => node))).toEqual(descending(90).slice(0, 10));
      const back = await list({ last: 5, before: after });
      expect(numbers(back.edges.map(({ node }) => node))).toEqual([96, 95, 94, 93, 92]);
    }
  });
});

describe('from an upstream with short pages', () => {
  afterEach(() => {
    Object.assign(harness.upstream.behaviour, { pageLimit: 100, pageHints: 'nothing' });
  });

  async function openWithPages(pageLimit: number): Promise<void> {
    const pageHints = 'next_offset and has_more';
    Object.assign(harness.upstream.behaviour, { pageLimit, pageHints });
    await harness.reset({ email: 'a@b.example', videos: videos(60) });
  }

  // With pages of five, a cursor at place 35 or below was INVALID_CURSOR.
  it.each([5, 12])(
    'of %i videos, every video is reached backwards and forwards',
    async (pageLimit) => {
      await openWithPages(pageLimit);
      expect(await walk({ first: 20 })).toEqual(descending(60));
      for (const size of [3, 20]) {
        const seen = await walkNewer({ counts: [60], size, seconds: 10, changes: [] });
        expect(seen).toEqual(descending(60).slice(0, -1));
      }
    },
  );

  it.each([5, 12])(
    'of %i videos, the page before a cursor is found, also after others were deleted',
    async (pageLimit) => {
      await openWithPages(pageLimit);
      const before = (await lastPage()).pageInfo.endCursor;
      harness.upstream.requests.length = 0;
      const { edges } = await list({ last: 5, before });
      expect(numbers(edges.map(({ node }) => node))).toEqual([6, 5, 4, 3, 2]);
      expect(listCalls().length).toBeLessThanOrEqual(5);
      // The newest 20: the list now ends above the offset of the cursor.
      harness.upstream.videos.splice(-20);
      const again = await list({ last: 5, before });
      expect(numbers(again.edges.map(({ node }) => node))).toEqual([6, 5, 4, 3, 2]);
    },
  );
});

describe('refuses', () => {
  it.each([
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ last: 5 }, 'last'],
    [{ last: 101, before: 'x' }, 'last'],
    [{ first: 5, last: 5, before: 'x' }, 'last'],
    [{ first: 5, before: 'x' }, 'before'],
    [{ after: 'rubbish' }, 'after'],
    [{ after: '' }, 'after'],
    [{ before: Buffer.from('[1,2,3]').toString('base64url') }, 'before'],
    [{ after: Buffer.from('[1e300,"",{}]').toString('base64url') }, 'after'],
    [{ after: Buffer.from('[0,"",{"a b":1}]').toString('base64url') }, 'after'],
    [{ after: 'x'.repeat(10_000) }, 'after'],
  ])('%j, and names the wrong argument', async (request, name) => {
    const thrown = await list(request).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(InvalidInputError);
    expect((thrown as InvalidInputError).issues[0]?.path).toEqual([name]);
    expect(listCalls()).toEqual([]);
  });

  describe('to read many pages for one request with a forged cursor', () => {
    const forge = async (cursor: string | null, offset: number) => {
      const [at, key] = JSON.parse(Buffer.from(cursor ?? '', 'base64url').toString());
      const [account] = await harness.accounts.listPresent();
      return Buffer.from(JSON.stringify([at, key, { [account?.id ?? '']: offset }])).toString(
        'base64url',
      );
    };
    const readOffsets = () =>
      harness.upstream.calls().filter((call) => call.startsWith('GET /videos/?')).length;

    beforeEach(() => harness.reset({ email: 'a@b.example', videos: videos(3_000) }));

    it.each([2_990, 2_000, 700])('whose offset is far below its place: %i', async (offset) => {
      const { pageInfo } = await list({ first: 10 });
      const after = await forge(pageInfo.endCursor, offset);
      const before = readOffsets();
      await expect(list({ first: 10, after })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: ['after'] }],
      });
      expect(readOffsets() - before).toBeLessThanOrEqual(15);
    });

    it('whose offset is far above its place', async () => {
      const oldest = JSON.stringify([start + 60_000, '', {}]);
      const cursor = await forge(Buffer.from(oldest).toString('base64url'), 0);
      await expect(list({ last: 10, before: cursor })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: ['before'] }],
      });
      expect(readOffsets()).toBeLessThanOrEqual(15);
      // Forwards the next page continues from there.
      const { edges, pageInfo } = await list({ first: 10, after: cursor });
      expect([edges, pageInfo.hasNextPage]).toEqual([[], true]);
      expect(readOffsets()).toBeLessThanOrEqual(15 + 30);
    });
  });

  it('to omit an account that cannot be read', async () => {
    await harness.reset(
      { email: 'a@b.example', videos: videos(3) },
      { email: 'c@d.example', videos: videos(3, 10) },
    );
    harness.upstream.replyToAll((call) =>
      call.includes('c%40d') ? { status: 596, body: '{}' } : null,
    );
    await expect(list({})).rejects.toMatchObject({ code: 'ACCOUNT_PENDING' });
  });
});

describe('keeps out', () => {
  it('e-mails and upstream ids from keys and cursors', async () => {
    await harness.reset({ email: 'secret@b.example', videos: videos(3) });
    const page = await list({});
    const text = JSON.stringify(page) + Buffer.from(page.pageInfo.endCursor ?? '', 'base64url');
    expect(text).not.toMatch(/secret|user:|pixverse/);
    const key = page.edges[0]?.node.key ?? '';
    expect(key).toMatch(/^[\w-]{8}-3$/);
    expect(await harness.videos.ids.toUpstream(key)).toBe(idOf('secret@b.example', 3));
  });
});
