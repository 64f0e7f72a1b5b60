import { afterEach, describe, expect, it, vi } from 'vitest';
import { OutcomeUnknownError, storeFailure } from '../../../src/errors.ts';
import { encodeId, keyOf } from '../../../src/graphql/ids.ts';
import { createApiKeys } from '../../support/api-keys.ts';
import { fillHistory } from '../../support/history.ts';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { inputOf, longWait } from '../../support/lipsyncs.ts';
import { uploadFile } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

const keys = createApiKeys({
  ann: ['lipsync:read', 'lipsync:write', 'videos:read'],
  bob: ['lipsync:read', 'lipsync:write', 'videos:read'],
  admin: ['lipsync:read', 'admin'],
});
const { ann, bob, admin } = keys.headers;

let app: LipsyncApp;
let video: string;
afterEach(() => app?.stop());

async function start(env: Record<string, string> = {}): Promise<void> {
  app = await startLipsyncApp({ env: { ...keys.env, ...env }, intervals: shortIntervals });
  [video = ''] = await app.listVideoIds(undefined, ann);
}

type Day = Record<
  'created' | 'completed' | 'failed' | 'moderated' | 'cancelled' | 'expired' | 'credits',
  number
> & { day: string };

const dayFields = 'day created completed failed moderated cancelled expired credits';
const none = {
  created: 0,
  completed: 0,
  failed: 0,
  moderated: 0,
  cancelled: 0,
  expired: 0,
  credits: 0,
};

async function usageOf(headers: Record<string, string>, range: object = {}): Promise<Day[]> {
  const query = `query ($from: DateTime, $to: DateTime) { viewer { usage(from: $from, to: $to) { ${dayFields} } } }`;
  const data = await app.askForData<{ viewer: { usage: Day[] } }>(query, { ...range }, headers);
  return data.viewer.usage;
}

const today = () =>
  `${new Date(Date.now() + app.clock.aheadMs).toISOString().slice(0, 10)}T00:00:00.000Z`;

const create = (text: string, more: object = {}, headers = ann) =>
  app.create(inputOf(video, text, more), headers);

/** Of one day, as the sum, where a test runs over midnight. */
function sumOf(days: readonly Day[]): Omit<Day, 'day'> {
  const sum = { ...none };
  for (const day of days) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += day[name];
  }
  return sum;
}

describe('usage', () => {
  it('counts what an owner created and how it ended, and its credits, without what was rejected', async () => {
    await start();
    for (const text of ['One.', 'Two.', '[[moderated]]', '[[failed]]']) {
      await app.waitForEnd(idOf(await create(text)), ann);
    }
    const running = idOf(await create('[[never]]'));
    await app.cancel(running, ann);
    expect((await create('[[422]]')).__typename).toBe('ContentModeratedError');
    await create('Of bob.', {}, bob);
    // The job of what was moderated is refunded.
    const counts = { created: 5, completed: 2, failed: 1, moderated: 1, cancelled: 1, expired: 0 };
    const days = await usageOf(ann);
    expect(sumOf(days)).toEqual({ ...counts, credits: 80 });
    expect(days.at(-1)?.day).toBe(today());
    expect(sumOf(await usageOf(bob))).toMatchObject({ created: 1 });
  });

  it('keeps its numbers when lip-syncs are deleted', async () => {
    await start();
    const id = idOf(await create('One.'));
    await app.waitForEnd(id, ann);
    const old = idOf(await create('Two.'));
    await app.waitForEnd(old, ann);
    const before = await usageOf(ann);
    await app.delete(id, ann);
    app.clock.aheadMs += 2 * 86_400_000;
    for (const eraseBatch of app.services.lipsyncs.eraseOldBatches(
      new Date(Date.now() + 86_400_000),
    )) {
      await eraseBatch(100);
    }
    expect(await app.read(old, ann)).toBeNull();
    expect(await usageOf(ann)).toEqual(before);
  });

  it('counts the end that a later report corrects instead of the first', async () => {
    await start({ MAX_JOB_MS: '60000', POLL_INTERVAL_MS: '3600000' });
    await app.turn({
      callbacks: 'none',
      replyRefInScheduler: false,
      queuedMs: 10,
      generatingMs: 10,
    });
    const id = idOf(await create('[[cut]] late'));
    app.clock.aheadMs += 61_000;
    await app.waitForEnd(id, ann);
    expect(sumOf(await usageOf(ann))).toMatchObject({ created: 1, completed: 0, failed: 1 });
    await app.turn({ replyRefInLists: true });
    const { replyUrl = '' } = (await app.jobOf(id)) ?? {};
    await vi.waitFor(async () => {
      await fetch(replyUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ video_id: (await app.jobOf(id))?.video_id }),
      });
      expect((await app.read(id, ann))?.status).toBe('COMPLETED');
    }, longWait);
    expect(sumOf(await usageOf(ann))).toMatchObject({ created: 1, completed: 1, failed: 0 });
  });

  it('is of the days of the range, in UTC, and by default of thirty', async () => {
    await start();
    await app.db.query(
      `insert into usage_days (owner, day, created) select 'key:ann', day, 1
       from generate_series('2024-01-01'::date, '2026-01-01'::date, '1 day') day`,
    );
    const range = { from: '2025-03-01T00:30:00+01:00', to: '2025-03-02T23:59:59Z' };
    expect((await usageOf(ann, range)).map(({ day }) => day)).toEqual([
      '2025-02-28T00:00:00.000Z',
      '2025-03-01T00:00:00.000Z',
      '2025-03-02T00:00:00.000Z',
    ]);
    expect(await usageOf(ann, { to: '2025-12-31T00:00:00Z' })).toHaveLength(30);
    const year = { from: '2024-01-01T00:00:00Z', to: '2024-12-31T23:00:00Z' };
    expect(await usageOf(ann, year)).toHaveLength(366);
    expect(await usageOf(bob, year)).toEqual([]);
  });

  it.each([
    ['of more than 366 days', { from: '2024-01-01T00:00:00Z', to: '2025-01-01T00:00:00Z' }],
    ['that ends before it begins', { from: '2024-01-02T00:00:00Z', to: '2024-01-01T00:00:00Z' }],
  ])('refuses a range %s', async (_, range) => {
    await start();
    const query =
      'query ($from: DateTime, $to: DateTime) { viewer { usage(from: $from, to: $to) { day } } }';
    const { errors } = await app.ask(query, range, ann);
    expect(errors?.map(({ extensions }) => extensions?.code)).toEqual(['INVALID_INPUT']);
  });
});

describe('admins', () => {
  const listAll =
    'query ($filter: AdminLipsyncFilter, $first: Int, $after: String, $last: Int, $before: String) { allLipsyncs(filter: $filter, first: $first, after: $after, last: $last, before: $before) { nodes { id owner status } pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } }';
  type Page = {
    nodes: { id: string; owner: string; status: string }[];
    pageInfo: {
      endCursor: string;
      startCursor: string;
      hasNextPage: boolean;
      hasPreviousPage: boolean;
    };
  };
  const all = async (variables: object = {}) =>
    (await app.askForData<{ allLipsyncs: Page }>(listAll, { ...variables }, admin)).allLipsyncs;

  it('read the usage of any owner', async () => {
    await start();
    await app.waitForEnd(idOf(await create('One.')), ann);
    const query = `query ($owner: String!) { usage(owner: $owner) { ${dayFields} } }`;
    const data = await app.askForData<{ usage: Day[] }>(query, { owner: 'key:ann' }, admin);
    expect(data.usage).toEqual(await usageOf(ann));
    expect(sumOf(data.usage)).toMatchObject({ created: 1, completed: 1 });
    for (const owner of ['key:nobody', 'a\u0000b']) {
      expect(await app.askForData(query, { owner }, admin)).toEqual({ usage: [] });
    }
  });

  it('read what each owner used on a day, in pages by their names', async () => {
    await start();
    await app.waitForEnd(idOf(await create('One.')), ann);
    await app.db.query(
      `insert into usage_days (owner, day, created) values ('key:bob', '2025-06-01', 2), ('key:ann', '2025-06-01', 1),
       ('key:cid', '2025-06-01', 0), ('key:dan', '2025-06-02', 4)`,
    );
    type Used = { owner: string; usage: { created: number; completed: number } };
    const usageBy = async (variables: object) =>
      (
        await app.askForData<{ usageByOwner: Used[] }>(
          'query ($day: DateTime, $first: Int, $after: String) { usageByOwner(day: $day, first: $first, after: $after) { owner usage { created completed } } }',
          { ...variables },
          admin,
        )
      ).usageByOwner.map(({ owner, usage }) => [owner, usage.created, usage.completed]);
    const day = '2025-06-01T23:30:00Z';
    expect(await usageBy({ day })).toEqual([
      ['key:ann', 1, 0],
      ['key:bob', 2, 0],
    ]);
    expect(await usageBy({ day, first: 1 })).toEqual([['key:ann', 1, 0]]);
    expect(await usageBy({ day, after: 'key:ann' })).toEqual([['key:bob', 2, 0]]);
    expect(await usageBy({ day, after: 'a\u0000b' })).toEqual([]);
    expect(await usageBy({})).toEqual([['key:ann', 1, 1]]);
  });

  it('read the queue by owner, those with the most waiting lip-syncs first', async () => {
    await start();
    const queue = async (first?: number) =>
      (
        await app.askForData<{ queue: object }>(
          'query ($first: Int) { queue { waitingCount oldestWaitingAt unknownCount owners(first: $first) { owner waitingCount runningCount oldestWaitingAt } } }',
          { first },
          admin,
        )
      ).queue;
    const empty = { waitingCount: 0, oldestWaitingAt: null, unknownCount: 0, owners: [] };
    expect(await queue()).toEqual(empty);
    const [running, ...waiting] = [
      await create('[[never]]', { maxJobs: 1 }),
      await create('Second.', { maxJobs: 1 }),
      await create('Third.', { maxJobs: 1 }, bob),
      await create('Fourth.', { maxJobs: 1 }, bob),
    ];
    expect(running?.lipsync?.status).toBe('SUBMITTED');
    const [ofAnn, ofBob] = [
      { owner: 'key:ann', waitingCount: 1, runningCount: 1, oldestWaitingAt: expect.any(String) },
      { owner: 'key:bob', waitingCount: 2, runningCount: 0, oldestWaitingAt: expect.any(String) },
    ];
    expect(waiting.map(({ lipsync }) => lipsync?.status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
    expect(await queue()).toEqual({
      ...{ waitingCount: 3, unknownCount: 0, oldestWaitingAt: expect.any(String) },
      owners: [ofBob, ofAnn],
    });
    expect(await queue(1)).toMatchObject({ waitingCount: 3, owners: [ofBob] });
  });

  it.each(['queue { owners(first: 0) { owner } }', 'usageByOwner(first: 101) { owner }'])(
    'read at least 1 and at most 100 owners: %s',
    async (field) => {
      await start();
      const { errors } = await app.ask(`{ ${field} }`, {}, admin);
      expect(errors?.map(({ extensions }) => extensions?.code)).toEqual(['INVALID_INPUT']);
    },
  );

  it('list the lip-syncs of every owner, by owner, account, status and time', async () => {
    await start();
    const ofAnn = idOf(await create('One.'));
    await app.waitForEnd(ofAnn, ann);
    const ofBob = idOf(await create('[[never]]', {}, bob));
    const { nodes } = await all();
    expect(nodes.map(({ id, owner }) => [id, owner])).toEqual([
      [ofBob, 'key:bob'],
      [ofAnn, 'key:ann'],
    ]);
    const [accountId] = (
      await app.db.query<{ id: string }>('select id from accounts where is_present')
    ).map(({ id }) => encodeId('Account', id));
    const ids = async (filter: object) => (await all({ filter })).nodes.map(({ id }) => id);
    expect(await ids({ owner: 'key:ann' })).toEqual([ofAnn]);
    expect(await ids({ owner: 'key:nobody' })).toEqual([]);
    expect(await ids({ accountId })).toEqual([ofBob, ofAnn]);
    expect(await ids({ accountId, owner: 'key:bob' })).toEqual([ofBob]);
    expect(await ids({ accountId: encodeId('Account', 'AAAAAAAAAAAA') })).toEqual([]);
    expect(await ids({ accountId: 'rubbish' })).toEqual([]);
    expect(await ids({ statuses: ['COMPLETED'] })).toEqual([ofAnn]);
    expect(await ids({ accountId, statuses: ['FAILED'] })).toEqual([]);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    expect(await ids({ createdAfter: later })).toEqual([]);
    expect(await ids({ createdBefore: later, owner: 'key:bob' })).toEqual([ofBob]);
  });

  it('page through all of them in both directions', async () => {
    await start();
    await fillHistory(app.db, {
      owner: 'key:ann',
      count: 25,
      sourceKey: keyOf('Video', video) ?? '',
    });
    const seen: string[] = [];
    let after: string | null = null;
    for (let pages = 0; pages < 5; pages += 1) {
      const page: Page = await all({ first: 10, after });
      seen.push(...page.nodes.map(({ id }) => id));
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    const whole = (await all({ first: 100 })).nodes.map(({ id }) => id);
    expect(whole).toHaveLength(25);
    expect(seen).toEqual(whole);
    const filter = { statuses: ['COMPLETED', 'FAILED', 'COMPLETED', 'FAILED'] };
    const repeated = await all({ first: 20, filter });
    expect(repeated).toMatchObject({
      nodes: whole.slice(0, 20).map((id) => ({ id })),
      pageInfo: { hasNextPage: true },
    });
    const last = await all({ last: 10 });
    expect(last.nodes.map(({ id }) => id)).toEqual(whole.slice(-10));
    const before = await all({ last: 10, before: last.pageInfo.startCursor });
    expect(before.nodes.map(({ id }) => id)).toEqual(whole.slice(5, 15));
  });

  // They saw no failure with an error, no upload and no webhook.
  it('see the failures, uploads and webhooks of the lip-syncs of every owner', async () => {
    await start();
    // So that no job is found for an unknown outcome.
    await app.turn({ callbacks: 'none', replyRefInScheduler: false });
    const created = [];
    for (const headers of [ann, bob]) {
      const uploadId = await uploadFile(
        { ask: (query, variables) => app.ask(query, variables, headers) },
        'AUDIO',
        Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]),
      );
      const input = { video: { videoId: video }, speech: { uploadId } };
      const callbackUrl = 'https://receiver.invalid/hook';
      const id = idOf(await app.create({ ...input, callbackUrl }, headers));
      await app.waitForEnd(id, headers);
      const failure = storeFailure(new OutcomeUnknownError(keyOf('Lipsync', id) ?? ''));
      await app.db.query(
        "update lipsyncs set status = 'FAILED', upstream_video_id = null, failure = $2 where id = $1",
        [keyOf('Lipsync', id), JSON.stringify(failure)],
      );
      created.push({ id, uploadId });
    }
    const fields = `id speechUpload { id status filename sourceUrl } sourceUpload { id }
      webhookDeliveries { url } failure { code ... on OutcomeUnknownError { lipsync { id } } }`;
    const { data, errors } = await app.ask<{ allLipsyncs: { nodes: object[] } }>(
      `{ allLipsyncs { nodes { ${fields} } } }`,
      {},
      admin,
    );
    expect(errors).toBeUndefined();
    expect(data?.allLipsyncs.nodes).toEqual(
      created.toReversed().map(({ id, uploadId }) => ({
        id,
        speechUpload: { id: uploadId, status: 'READY', filename: null, sourceUrl: null },
        sourceUpload: null,
        webhookDeliveries: [{ url: 'https://receiver.invalid/hook' }],
        failure: { code: 'OUTCOME_UNKNOWN', lipsync: { id } },
      })),
    );
    // Nothing else of another owner is found by its id.
    const [first] = created;
    const byId = await app.ask(
      'query ($id: ID!, $upload: ID!) { lipsync(id: $id) { id } upload(id: $upload) { id } }',
      { id: first?.id, upload: first?.uploadId },
      admin,
    );
    expect(byId.data).toEqual({ lipsync: null, upload: null });
  });

  it('alone can: for others the fields are null with an error, and the rest of the answer is complete', async () => {
    await start();
    const id = idOf(await create('[[never]]'));
    const { data, errors } = await app.ask(
      'query ($id: ID!) { viewer { name } lipsync(id: $id) { id owner } allLipsyncs { nodes { id } } usage(owner: "key:ann") { day } }',
      { id },
      ann,
    );
    expect(data).toEqual({
      viewer: { name: 'ann' },
      lipsync: { id, owner: null },
      allLipsyncs: null,
      usage: null,
    });
    expect(errors?.map(({ path, extensions }) => [path, extensions?.code])).toEqual([
      [['allLipsyncs'], 'NOT_AUTHORIZED'],
      [['usage'], 'NOT_AUTHORIZED'],
    ]);
  });
});
