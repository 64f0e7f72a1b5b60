import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { openFileServer, sendFile } from '../../../support/file-server.ts';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { countTypes, inputOf, longWait } from '../../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../../support/uploads.ts';
import { wavHeader } from '../../../support/wav.ts';

const studio = 'studio@sandbox.example';
const folder = mkdtempSync(join(tmpdir(), 'lipsync-prices-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a table of prices. @returns the variable with its path */
function prices(list: object[]): { CREDIT_PRICES: string } {
  const path = join(folder, `${JSON.stringify(list).length}-${Math.random()}.json`);
  writeFileSync(path, JSON.stringify(list));
  return { CREDIT_PRICES: path };
}

type Quote = {
  __typename: string;
  code?: string;
  credits?: number | null;
  basis?: string;
  sampleCount?: number;
  seconds?: number | null;
  creditsAvailable?: number | null;
  issues?: { path: string[] }[];
};

const quoteFields = `__typename
  ... on LipsyncQuote { credits basis sampleCount seconds creditsAvailable }
  ... on InvalidInputError { issues { path } }
  ... on LipsyncError { code }`;

async function estimate(app: LipsyncApp, input: object): Promise<Quote> {
  const query = `query ($input: EstimateLipsyncInput!) { estimateLipsync(input: $input) { ${quoteFields} } }`;
  const data = await app.askForData<{ estimateLipsync: Quote }>(query, { input });
  return data.estimateLipsync;
}

/** Four seconds cost 8. */
const perSecond = { speech: 'AUDIO', credits: 0, creditsPerSecond: 2 };

const speech = (text: string) => inputOf('', text).speech;

async function start(credits: number | undefined, env: Record<string, string> = {}) {
  const app = await startLipsyncApp({
    env,
    intervals: shortIntervals,
    creditWaitMs: 60_000,
    sandbox: {
      accounts: [{ email: studio, maxJobs: 3, ...(credits === undefined ? {} : { credits }) }],
    },
  });
  const [video = ''] = await app.listVideoIds(studio);
  return Object.assign(app, { video });
}

describe('an estimate', () => {
  it('is unknown before the first job of its kind, and within one credit after it', async () => {
    await using app = await start(1_000);
    const input = { video: inputOf(app.video, '').video, speech: speech('Good evening.') };
    expect(await estimate(app, input)).toEqual({
      __typename: 'LipsyncQuote',
      credits: null,
      basis: 'UNKNOWN',
      sampleCount: 0,
      seconds: null,
      creditsAvailable: 1_000,
    });
    await app.waitForEnd(idOf(await app.create(inputOf(app.video, 'Good morning.'))));
    const known = await estimate(app, input);
    expect(known).toMatchObject({ basis: 'PAST_JOBS', sampleCount: 1 });
    expect(Math.abs((known.credits ?? 0) - 20)).toBeLessThanOrEqual(1);
    expect(known.seconds).toBeGreaterThan(0);
    // Off-peak jobs and long texts are other kinds.
    expect(await estimate(app, { ...input, offPeak: true })).toMatchObject({ credits: null });
    expect(await estimate(app, { speech: speech('a'.repeat(150)) })).toMatchObject({
      credits: null,
      basis: 'UNKNOWN',
    });
  });

  it('is within one credit after one off-peak job, which costs less', async () => {
    await using app = await start(1_000);
    const made = await app.create(inputOf(app.video, 'Cheap.', { offPeak: true }));
    await app.waitForEnd(idOf(made));
    const known = await estimate(app, { speech: speech('Cheap too.'), offPeak: true });
    expect(Math.abs((known.credits ?? 0) - 10)).toBeLessThanOrEqual(1);
  });

  it('comes from the prices where one fits, by the length of the speech', async () => {
    const env = prices([
      { speech: 'AUDIO', credits: 99 },
      { offPeak: true, credits: 5, creditsPerSecond: 2 },
      { upToSeconds: 10, credits: 15 },
    ]);
    await using app = await start(100, env);
    const of = async (text: string, more: object = {}) =>
      estimate(app, { speech: speech(text), ...more });
    expect(await of('Short.')).toMatchObject({ credits: 15, basis: 'PRICES', sampleCount: 0 });
    // 28 characters are spoken in two seconds.
    expect(await of('a'.repeat(28), { offPeak: true })).toMatchObject({ credits: 9 });
    expect(await of('a'.repeat(150))).toMatchObject({ credits: null, basis: 'UNKNOWN' });
  });

  it('reads only the credits from the upstream', async () => {
    await using app = await start(100);
    const before = await app.requests();
    await estimate(app, { video: inputOf(app.video, '').video, speech: speech('Good evening.') });
    const asked = (await app.requests()).slice(before.length).map(({ path }) => path);
    expect(
      asked.filter((path) => !/\/(features|accounts)\/?$/.test(path.split('?')[0] ?? '')),
    ).toEqual([]);
  });

  it('is refused for a text that is too long and for a video or an upload that does not exist', async () => {
    await using app = await start(100);
    expect(await estimate(app, { speech: speech('a'.repeat(201)) })).toMatchObject({
      __typename: 'InvalidInputError',
    });
    const lost = { __typename: 'NotFoundError' };
    expect(
      await estimate(app, { video: inputOf('none', '').video, speech: speech('A') }),
    ).toMatchObject(lost);
  });
});

describe('maxCredits', () => {
  it('is compared again when a file from a URL has arrived, before anything is sent', async () => {
    const env = { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', ...prices([perSecond]) };
    await using app = await start(1_000, env);
    const sound = Buffer.concat([wavHeader(64_000), Buffer.alloc(64_000)]);
    const files = await openFileServer({ '/a.wav': sendFile(sound) });
    const create = async (maxCredits: number) =>
      idOf(
        await app.create({
          video: { videoId: app.video },
          speech: { url: files.url('/a.wav') },
          maxCredits,
        }),
      );
    try {
      const [tooDear, enough] = [await create(7), await create(8)];
      expect(await app.waitForEnd(tooDear)).toMatchObject({
        status: 'FAILED',
        failure: { __typename: 'InsufficientCreditsError', code: 'INSUFFICIENT_CREDITS' },
      });
      await vi.waitFor(async () => expect(await app.postsOf(enough)).toHaveLength(1), longWait);
      expect(await app.postsOf(tooDear)).toEqual([]);
    } finally {
      files.close();
    }
  });

  it('refuses a lip-sync that is estimated above it, and stores and sends nothing', async () => {
    await using app = await start(1_000, prices([{ credits: 20 }]));
    const create = (maxCredits: number) => app.create(inputOf(app.video, 'A', { maxCredits }));
    expect(await create(19.9)).toMatchObject({
      __typename: 'InsufficientCreditsError',
      retryable: false,
    });
    expect(await app.posts()).toEqual([]);
    type List = { lipsyncs: { nodes: { maxCredits: number | null }[] } };
    const list = '{ lipsyncs { nodes { maxCredits } } }';
    expect((await app.askForData<List>(list)).lipsyncs.nodes).toEqual([]);
    expect(await create(20)).toMatchObject({ __typename: 'CreateLipsyncSuccess' });
    await app.create(inputOf(app.video, 'No limit'));
    expect((await app.askForData<List>(list)).lipsyncs.nodes).toEqual([
      { maxCredits: null },
      { maxCredits: 20 },
    ]);
  });

  it('holds for each input of a list, by past jobs too; an unknown cost is not refused', async () => {
    await using app = await start(1_000);
    const first = await app.create(inputOf(app.video, 'Unknown', { maxCredits: 1 }));
    await app.waitForEnd(idOf(first));
    const { results = [] } = await app.createAll([
      inputOf(app.video, 'Too dear', { maxCredits: 1 }),
      inputOf(app.video, 'Enough', { maxCredits: 21 }),
      inputOf(app.video, 'Another kind', { maxCredits: 1, offPeak: true }),
    ]);
    expect(results.map(({ __typename: type }) => type)).toEqual([
      'InsufficientCreditsError',
      'CreateLipsyncSuccess',
      'CreateLipsyncSuccess',
    ]);
  });

  it('must not be negative', async () => {
    await using app = await start(1_000);
    const made = await app.create(inputOf(app.video, 'A', { maxCredits: -1 }));
    expect(made.issues?.map(({ path }) => path)).toEqual([['input', 'maxCredits']]);
  });

  it('is a part of the input that an idempotency key identifies', async () => {
    await using app = await start(1_000);
    const create = (maxCredits: number) =>
      app.create(inputOf(app.video, 'A', { maxCredits, idempotencyKey: 'one' }));
    await create(30);
    expect(await create(30)).toMatchObject({ replayed: true });
    expect(await create(31)).toMatchObject({ __typename: 'IdempotencyConflictError' });
  });
});

describe('the guard of credits', () => {
  const hundred = (app: LipsyncApp & { video: string }, more: object = {}) =>
    Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        app.create(inputOf(app.video, `Number ${at}`, { maxCredits: 20, ...more })),
      ),
    );

  it.each([
    ['by past jobs', undefined],
    ['by prices', [{ credits: 20 }]],
  ])(
    'accepts of a hundred concurrent creates exactly as many as the credits allow, %s',
    async (_, list) => {
      // Enough for 13 lip-syncs at 20 credits, with 10 left over. The first shows what one costs.
      await using app = await start(270, list === undefined ? {} : prices(list));
      await app.waitForEnd(idOf(await app.create(inputOf(app.video, 'The first'))));
      const made = await hundred(app);
      expect(countTypes(made)).toEqual({ CreateLipsyncSuccess: 12, InsufficientCreditsError: 88 });
      const ids = made.flatMap(({ lipsync }) => lipsync?.id ?? []);
      for (const id of ids) expect((await app.waitForEnd(id)).status).toBe('COMPLETED');
      // The upstream has rejected no job.
      expect((await app.posts()).map(({ status }) => status)).toEqual(
        Array.from({ length: 13 }, () => 200),
      );
      expect(await estimate(app, { speech: speech('One more') })).toMatchObject({ credits: 20 });
    },
  );

  it('counts off-peak jobs, which take no slot', async () => {
    await using app = await start(55, prices([{ offPeak: true, credits: 10 }]));
    const made = await hundred(app, { offPeak: true });
    expect(countTypes(made)).toEqual({ CreateLipsyncSuccess: 5, InsufficientCreditsError: 95 });
  });

  it('sends to each of several accounts only what it can pay, and accepts no more than that', async () => {
    const poor = 'poor@sandbox.example';
    await using app = await startLipsyncApp({
      env: prices([{ credits: 20 }]),
      intervals: shortIntervals,
      sandbox: {
        accounts: [
          { email: poor, maxJobs: 3, credits: 45 },
          { email: studio, maxJobs: 3, credits: 65 },
        ],
      },
    });
    const [ofPoor = ''] = await app.listVideoIds(poor);
    const bound = await Promise.all(
      [1, 2, 3].map((at) => app.create(inputOf(ofPoor, `Bound ${at}`))),
    );
    expect(countTypes(bound)).toEqual({ CreateLipsyncSuccess: 2, InsufficientCreditsError: 1 });
    const file = await downloadVideo(app);
    const uploadId = await uploadFile(app, 'VIDEO', file);
    const free = await Promise.all(
      [1, 2, 3, 4].map((at) => app.create({ video: { uploadId }, text: `Free ${at}` })),
    );
    expect(countTypes(free)).toEqual({ CreateLipsyncSuccess: 3, InsufficientCreditsError: 1 });
    for (const made of [...bound, ...free]) {
      if (made.lipsync) await app.waitForEnd(made.lipsync.id);
    }
    expect(new Set((await app.posts()).map(({ status }) => status))).toEqual(new Set([200]));
    expect(await app.posts()).toHaveLength(5);
  });

  it('lets a lip-sync wait that its account can no longer pay, until a later reading has the credits', async () => {
    await using app = await startLipsyncApp({
      env: prices([{ offPeak: true, credits: 10 }, { credits: 20 }]),
      intervals: shortIntervals,
      sandbox: { accounts: [{ email: studio, maxJobs: 1, credits: 65 }] },
    });
    const [video = ''] = await app.listVideoIds(studio);
    const running = idOf(await app.create(inputOf(video, '[[never]] runs')));
    const waiting = idOf(await app.create(inputOf(video, 'Waits')));
    // Another client spends 40 of the 45 that are left.
    const upstreamId = await app.services.videos.ids.toUpstream(keyOf('Video', video) ?? '');
    const { baseUrl, token } = app.sandbox;
    for (let at = 0; at < 4; at += 1) {
      const response = await fetch(`${baseUrl}/videos/lipsync`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ video_id: upstreamId, prompt: '[[never]]', off_peak_mode: true }),
      });
      expect(response.status).toBe(200);
    }
    app.clock.aheadMs += 61_000;
    await vi.waitFor(async () => {
      expect(await app.db.query('select credits from accounts')).toEqual([{ credits: 5 }]);
    }, longWait);
    await app.finishJob(running);
    await app.waitForEnd(running);
    await app.passTicks(3);
    expect((await app.read(waiting))?.status).toBe('QUEUED');
    expect(await app.postsOf(waiting)).toEqual([]);
    // What moderation ends is refunded.
    await app.finishJobs('MODERATED');
    app.clock.aheadMs += 61_000;
    expect((await app.waitForEnd(waiting)).status).toBe('COMPLETED');
    expect(await app.postsOf(waiting)).toHaveLength(1);
  });
});
