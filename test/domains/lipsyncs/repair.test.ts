import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import {
  apiKeys,
  expectSoundLog,
  idOf,
  type LipsyncApp,
  shortIntervals,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { createUpload } from '../../support/uploads.ts';

const pollMs = 600_000;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { POLL_INTERVAL_MS: String(pollMs), READ_FRESH_MS: '0', API_KEYS: apiKeys('ann', 'bob') },
    intervals: shortIntervals,
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }], queuedMs: 10 },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
afterEach(() => app.clearSwitches());

type Result = {
  __typename: string;
  code?: string;
  message?: string;
  mayContinue?: boolean;
  lipsync?: { id: string; status: string; failure: { code: string; message: string } | null };
};

async function repair(
  name: 'requeueLipsync' | 'endLipsync' | 'attachLipsyncJob',
  input: object,
  headers = {},
) {
  const type = name.charAt(0).toUpperCase() + name.slice(1);
  const more = name === 'endLipsync' ? 'mayContinue' : '';
  const query = `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename
    ... on ${type}Success { ${more} lipsync { id status failure { code message } } }
    ... on LipsyncError { code message } } }`;
  return (await app.askForData<Record<string, Result>>(query, { input }, headers))[name];
}

const say = async (text: string, headers = {}) =>
  idOf(await app.create({ video: { videoId: video }, text }, headers));

const rejected = { __typename: 'InvalidInputError', code: 'INVALID_INPUT' };

/** The states that a process leaves when it dies before, or after, the point of no return. */
const claim = (id: string, postStartedAt: Date | null) =>
  app.db.query(
    `update lipsyncs set status = 'SUBMITTING', lease_until = $2, post_started_at = $3, attempts = 1,
       account_id = (select id from accounts limit 1), holds_slot = true where id = $1`,
    [keyOf('Lipsync', id), new Date(Date.now() + 3_600_000), postStartedAt],
  );

/** A lip-sync that waits, because no account takes a job. */
async function wait(text: string): Promise<string> {
  await app.db.query(
    "update accounts set paused_by = 'ACCOUNT_PENDING', probe_at = now() + interval '1 day'",
  );
  const id = await say(text);
  expect(await app.read(id)).toMatchObject({ status: 'QUEUED' });
  return id;
}
const open = () => app.db.query('update accounts set paused_by = null, probe_at = null');

describe('requeueLipsync', () => {
  it('puts a claim that was certainly not sent back into the queue, and it is sent once', async () => {
    const id = await wait('Claimed');
    await claim(id, null);
    expect(await repair('requeueLipsync', { id })).toMatchObject({ lipsync: { status: 'QUEUED' } });
    await open();
    await app.db.query("select pg_notify('queue_changed', '')");
    await app.waitForEnd(id);
    expect(await app.postsOf(id)).toHaveLength(1);
    expectSoundLog(await app.readEvents(id));
  });

  it('rejects what may have been sent, and what has ended', async () => {
    const id = await wait('Perhaps sent');
    await claim(id, new Date());
    expect(await repair('requeueLipsync', { id })).toMatchObject({
      ...rejected,
      message: 'It is being sent. Wait for the outcome.',
    });
    await app.db.query('update lipsyncs set outcome_unknown_at = now() where id = $1', [
      keyOf('Lipsync', id),
    ]);
    expect(await repair('requeueLipsync', { id })).toMatchObject(rejected);
    await repair('endLipsync', { id, reason: 'Cleaned up.' });
    expect(await repair('requeueLipsync', { id })).toMatchObject({
      ...rejected,
      message: expect.stringContaining('FAILED'),
    });
    await open();
    expect(await app.postsOf(id)).toHaveLength(0);
  });
});

describe('endLipsync', () => {
  it('ends a waiting lip-sync with the reason, and nothing is sent', async () => {
    const id = await wait('Waiting');
    const ended = await repair('endLipsync', { id, reason: ' The queue is closed. ' });
    expect(ended).toMatchObject({
      mayContinue: false,
      lipsync: {
        status: 'FAILED',
        failure: { code: 'GENERATION_FAILED', message: 'The queue is closed.' },
      },
    });
    await open();
    expectSoundLog(await app.readEvents(id));
    expect(await app.postsOf(id)).toHaveLength(0);
  });

  it('ends a running one, says that its job continues, and frees its slot', async () => {
    const id = await say('[[never]] Running');
    expect(await repair('endLipsync', { id, reason: 'It hangs.' })).toMatchObject({
      mayContinue: true,
      lipsync: { status: 'FAILED', failure: { message: 'It hangs.' } },
    });
    const held = await app.db.query('select 1 from lipsyncs where id = $1 and holds_slot', [
      keyOf('Lipsync', id),
    ]);
    expect(held).toEqual([]);
    expect(await app.requests('DELETE /scheduler/')).not.toEqual([]);
    expect(await repair('endLipsync', { id, reason: 'Again.' })).toMatchObject(rejected);
  });

  it('rejects an empty reason, an unknown id, and callers without the scope', async () => {
    const id = await say('[[never]] Kept');
    expect(await repair('endLipsync', { id, reason: ' ' })).toMatchObject(rejected);
    expect(await repair('endLipsync', { id: 'x', reason: 'y' })).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await repair('endLipsync', { id, reason: 'y' }, signInAs('ann'))).toMatchObject({
      code: 'NOT_AUTHORIZED',
    });
    expect(await repair('requeueLipsync', { id }, signInAs('ann'))).toMatchObject({
      code: 'NOT_AUTHORIZED',
    });
    await app.cancel(id);
  });
});

describe('attachLipsyncJob', () => {
  it('names the job of an unknown outcome, which then continues to its end', async () => {
    await app.turn({ callbacks: 'none', replyRefInScheduler: false, generatingMs: 10 });
    const id = await say('[[cut]] Lost');
    expect(await app.read(id)).toMatchObject({ status: 'SUBMITTING' });
    const job = await app.jobOf(id);
    await vi.waitFor(async () => expect((await app.jobOf(id))?.status).toBe('COMPLETED'), longWait);
    const attached = await repair('attachLipsyncJob', { id, upstreamVideoId: job?.video_id });
    expect(attached).toMatchObject({ lipsync: { status: 'COMPLETED', failure: null } });
    expectSoundLog(await app.readEvents(id));
    expect(await app.postsOf(id)).toHaveLength(1);

    const other = await say('[[cut]] Also lost');
    expect(
      await repair('attachLipsyncJob', { id: other, upstreamVideoId: job?.video_id }),
    ).toMatchObject(rejected);
    expect(
      await repair('attachLipsyncJob', { id: other, upstreamVideoId: '123456789012345' }),
    ).toMatchObject({ code: 'NOT_FOUND' });
    expect(await repair('attachLipsyncJob', { id, upstreamVideoId: job?.video_id })).toMatchObject(
      rejected,
    );
  });
});

describe('eraseOwner', () => {
  type Erasure = {
    id: string;
    owner: string | null;
    finishedAt: string | null;
    erased: Record<string, number>;
  };
  const fields =
    'id owner finishedAt erased { lipsyncs events webhooks uploads webhookSecrets rejections usageRecords }';
  const begin = async (owner: string) =>
    (
      await app.askForData<{ eraseOwner: { erasure: Erasure } }>(
        `mutation ($owner: String!) { eraseOwner(input: { owner: $owner }) { __typename
        ... on EraseOwnerSuccess { erasure { ${fields} } } ... on LipsyncError { code } } }`,
        { owner },
      )
    ).eraseOwner;
  const find = async (id: string) =>
    (
      await app.askForData<{ ownerErasure: Erasure }>(
        `query ($id: ID!) { ownerErasure(id: $id) { ${fields} } }`,
        { id },
      )
    ).ownerErasure;

  it('cancels and erases everything of the owner, reports it, and leaves other owners alone', async () => {
    const ann = signInAs('ann');
    const ids = [await say('[[never]] Of Ann', ann), await say('[[never]] Of Ann too', ann)];
    const bobs = await say('[[never]] Of Bob', signInAs('bob'));
    await createUpload({ ask: (query, variables) => app.ask(query, variables, ann) });
    await app.ask('mutation { rotateWebhookSecret { __typename } }', {}, ann);
    // No name server knows the host, so the import ends at once. Its job is kept for days.
    await app.askForData(
      `mutation { importUpload(input: { kind: AUDIO, url: "https://files.invalid/a.wav" }) {
         ... on ImportUploadSuccess { upload { id } } } }`,
      {},
      ann,
    );

    const { erasure } = await begin('key:ann');
    const done = await vi.waitFor(async () => {
      const found = await find(erasure.id);
      expect(found.finishedAt).not.toBeNull();
      return found;
    }, longWait);
    expect(done).toMatchObject({
      owner: null,
      erased: { lipsyncs: 2, uploads: 2, webhookSecrets: 1 },
    });
    expect(done.erased.events).toBeGreaterThanOrEqual(4);
    for (const id of ids) expect(await app.read(id, ann)).toBeNull();
    expect(await app.read(bobs, signInAs('bob'))).toMatchObject({ id: bobs });

    const columns = await app.db.query<{ name: string }>(
      "select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'owner'",
    );
    expect(columns.length).toBeGreaterThan(5);
    for (const { name } of columns) {
      expect(await app.db.query(`select owner from ${name} where owner = 'key:ann'`), name).toEqual(
        [],
      );
    }
    const jobs = await app.db.query<{ name: string; row: string }>(
      'select name, to_jsonb(job)::text as row from pgboss.job',
    );
    expect(jobs.map(({ name }) => name)).toContain('imports');
    expect(jobs.filter(({ row }) => row.includes('key:ann'))).toEqual([]);
  });

  it('continues after a crash where it stopped, with an exact report', async () => {
    const ann = signInAs('ann');
    await say('[[never]] Before the crash', ann);
    const { services } = app;
    const real = services.webhooks.eraseSecretsOf;
    let crashes = 0;
    vi.spyOn(services.webhooks, 'eraseSecretsOf').mockImplementation((tx, owner) => {
      crashes += 1;
      return crashes === 1 ? Promise.reject(new Error('crashed')) : real(tx, owner);
    });
    const { erasure } = await begin('key:ann');
    expect((await begin('key:ann')).erasure.id).toBe(erasure.id);
    const done = await vi.waitFor(async () => {
      const found = await find(erasure.id);
      expect(found.finishedAt).not.toBeNull();
      return found;
    }, longWait);
    vi.restoreAllMocks();
    expect(crashes).toBeGreaterThan(1);
    expect(done.erased).toMatchObject({ lipsyncs: 1 });
  });

  it('rejects an owner without a name', async () => {
    expect(await begin('')).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
