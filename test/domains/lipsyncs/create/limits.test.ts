import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  shortIntervals,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import {
  type CreateLipsyncResult,
  countTypes,
  inputOf,
  longWait,
} from '../../../support/lipsyncs.ts';

const hour = 3_600_000;
const owners = ['ann', 'bob', 'cat', 'dan', 'eve'];

const hundred = (create: (at: number) => Promise<CreateLipsyncResult>) =>
  Promise.all(Array.from({ length: 100 }, (_, at) => create(at)));

describe('the daily limit', () => {
  let app: LipsyncApp;
  let video: string;
  beforeAll(async () => {
    const env = { API_KEYS: apiKeys(...owners), LIPSYNCS_PER_DAY: '7', ALLOW_ANONYMOUS: 'true' };
    app = await startLipsyncApp({ env });
    [video = ''] = await app.listVideoIds();
    await app.sendFinalCallbacksOnly();
  });
  afterAll(() => app?.stop());

  const remaining = async (owner: string) => {
    type Data = { viewer: { lipsyncsPerDay: { remaining: number } } };
    const data = await app.askForData<Data>(
      '{ viewer { lipsyncsPerDay { remaining } } }',
      {},
      signInAs(owner),
    );
    return data.viewer.lipsyncsPerDay.remaining;
  };

  it('is exact when a hundred requests come at once', async () => {
    const made = await hundred((at) => app.create(inputOf(video, `Number ${at}`), signInAs('ann')));
    expect(countTypes(made)).toEqual({ CreateLipsyncSuccess: 7, QuotaExceededError: 93 });
    const over = made.filter(({ code }) => code === 'QUOTA_EXCEEDED');
    expect(new Set(over.map(({ retryable }) => retryable))).toEqual(new Set([true]));
    for (const { retryAfterSeconds } of over) expect(retryAfterSeconds).toBeGreaterThan(86_000);
    for (const each of made) if (each.lipsync) await app.waitForEnd(idOf(each), signInAs('ann'));
    expect(await remaining('ann')).toBe(0);
    expect(await remaining('bob')).toBe(7);
  });

  // Erasing once gave the allowance back.
  it('counts erased lip-syncs too', async () => {
    const numbers = Array.from({ length: 7 }, (_, at) => at);
    const made = await Promise.all(
      numbers.map((at) => app.create(inputOf(video, `Erased ${at}`), signInAs('bob'))),
    );
    for (const each of made) {
      await app.waitForEnd(idOf(each), signInAs('bob'));
      expect((await app.delete(idOf(each), signInAs('bob'))).__typename).toBe(
        'DeleteLipsyncSuccess',
      );
    }
    expect(await remaining('bob')).toBe(0);
    const again = await app.create(inputOf(video, 'Once more'), signInAs('bob'));
    expect(again).toMatchObject({ __typename: 'QuotaExceededError', retryable: true });
    expect(again.retryAfterSeconds).toBeGreaterThan(86_000);
    // Nothing else of an erased lip-sync is kept.
    const kept = await app.db.query('select * from erasures');
    expect(Object.keys(kept[0] ?? {}).toSorted()).toEqual([
      'created_at',
      'off_peak',
      'owner',
      'turn',
    ]);
  });

  it('rejects without an upstream call, whatever the request names', async () => {
    await app.forgetRequests();
    const unknown = Buffer.from('Voice:4711').toString('base64url');
    const speech = { script: { text: 'Too much', voiceId: unknown } };
    const made = await hundred((at) =>
      app.create({ video: { videoId: video }, speech, reference: `${at}` }, signInAs('ann')),
    );
    expect(countTypes(made)).toEqual({ QuotaExceededError: 100 });
    expect(await app.requests()).toEqual([]);
  });

  // The second request was once rejected because the first had used up the limit.
  it('answers concurrent requests with the same key alike, also with the last of the limit', async () => {
    const numbers = Array.from({ length: 6 }, (_, at) => at);
    await Promise.all(
      numbers.map((at) => app.create(inputOf(video, `First ${at}`), signInAs('cat'))),
    );
    const twins = await hundred(() =>
      app.create(inputOf(video, 'The last', { idempotencyKey: 'last' }), signInAs('cat')),
    );
    expect(new Set(twins.map(idOf)).size).toBe(1);
    expect(twins.filter(({ replayed }) => !replayed)).toHaveLength(1);
  });

  it('is free again a day later, when the records of erased lip-syncs are deleted', async () => {
    app.clock.aheadMs += 24 * hour;
    expect(await remaining('ann')).toBe(7);
    expect(await remaining('bob')).toBe(7);
    for (const erase of app.services.lipsyncs.eraseOldBatches(new Date(0))) await erase(100);
    expect(await app.db.query('select 1 from erasures')).toEqual([]);
  });
});

describe('the limit of unfinished lip-syncs', () => {
  it('is exact when a hundred requests come at once, and free again when they end', async () => {
    const env = { API_KEYS: apiKeys(...owners), LIPSYNCS_IN_FLIGHT: '5', ALLOW_ANONYMOUS: 'true' };
    const app = await startLipsyncApp({ env });
    try {
      const [video = ''] = await app.listVideoIds();
      const ask = () =>
        hundred((at) => app.create(inputOf(video, `[[never]] ${at}`), signInAs('ann')));
      const first = await ask();
      expect(countTypes(first)).toEqual({ CreateLipsyncSuccess: 5, QuotaExceededError: 95 });
      const over = first.find(({ code }) => code === 'QUOTA_EXCEEDED');
      expect(over).toMatchObject({ retryable: true, retryAfterSeconds: 30 });
      expect(await app.posts()).toHaveLength(3);
      const [one] = first.filter(({ lipsync }) => lipsync?.status === 'QUEUED');
      await app.cancel(idOf(one as CreateLipsyncResult), signInAs('ann'));
      expect(countTypes(await ask())).toEqual({ CreateLipsyncSuccess: 1, QuotaExceededError: 99 });
    } finally {
      await app.stop();
    }
  });
});

describe('credits', () => {
  const [poor, rich] = ['poor@sandbox.example', 'rich@sandbox.example'];
  let app: LipsyncApp;
  let ofPoor: string;
  let ofRich: string;
  beforeAll(async () => {
    app = await startLipsyncApp({
      intervals: shortIntervals,
      creditWaitMs: 60_000,
      sandbox: {
        accounts: [
          { email: poor, maxJobs: 3, credits: 0 },
          { email: rich, maxJobs: 3 },
        ],
      },
    });
    [ofPoor = ''] = await app.listVideoIds(poor);
    [ofRich = ''] = await app.listVideoIds(rich);
    await app.sendFinalCallbacksOnly();
  });
  afterAll(() => app?.stop());

  const features = () => app.requests('GET /features');

  it('of an account without any reject a request bound to it, before anything is sent', async () => {
    const made = await hundred((at) => app.create(inputOf(ofPoor, `Number ${at}`)));
    expect(countTypes(made)).toEqual({ InsufficientCreditsError: 100 });
    expect(made[0]).toMatchObject({ code: 'INSUFFICIENT_CREDITS', retryable: false });
    expect(await app.posts()).toEqual([]);
    // One read per account for all hundred requests, and perhaps one probe of the paused account.
    expect((await features()).length).toBeLessThanOrEqual(3);
    const fail = await app.create(inputOf(ofPoor, 'Now', { whenBusy: 'FAIL' }));
    expect(fail.__typename).toBe('InsufficientCreditsError');
    const { lipsyncs } = await app.askForData<{ lipsyncs: { nodes: object[] } }>(
      '{ lipsyncs { nodes { id } } }',
    );
    expect(lipsyncs.nodes).toEqual([]);
  });

  it('of one account do not affect another account', async () => {
    const made = await app.create(inputOf(ofRich, 'Rich'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await app.waitForEnd(idOf(made));
  });

  it('that run out while a lip-sync waits keep it waiting until there are some again', async () => {
    const blocking = await Promise.all(
      [1, 2, 3].map((at) => app.create(inputOf(ofRich, `[[never]] ${at}`))),
    );
    const waiting = await app.create(inputOf(ofRich, 'Patience'));
    expect(waiting.lipsync?.status).toBe('QUEUED');
    await app.turn({ account412: rich });
    app.clock.aheadMs += 61_000;
    expect((await app.create(inputOf(ofRich, 'No'))).__typename).toBe('InsufficientCreditsError');
    for (const each of blocking) await app.cancel(idOf(each));
    expect((await app.read(idOf(waiting)))?.status).toBe('QUEUED');
    await app.turn({ account412: null });
    await vi.waitFor(
      async () => {
        app.clock.aheadMs += 61_000;
        expect((await app.read(idOf(waiting)))?.status).toBe('COMPLETED');
      },
      { ...longWait, interval: 500 },
    );
    expect((await app.postsOf(idOf(waiting))).map(({ status }) => status)).toEqual([200]);
  });

  it('that the upstream does not report reject no request', async () => {
    const fault = { path: '/features', action: 'answer', status: 400, times: 100 };
    await app.turn({ failPath: fault });
    app.clock.aheadMs += 61_000;
    const made = await app.create(inputOf(ofRich, 'Unknown'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await app.clearSwitches();
    await app.sendFinalCallbacksOnly();
    await app.waitForEnd(idOf(made));
  });

  it('that the upstream is slow to report delay no request for long', async () => {
    await using slow = await startLipsyncApp({
      sandbox: { accounts: [{ email: rich, maxJobs: 3 }] },
    });
    const [video = ''] = await slow.listVideoIds();
    await slow.turn({ failPath: { path: '/features', action: 'hang', times: 100 } });
    const made = await slow.create(inputOf(video, 'Silence'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await slow.clearSwitches();
    await slow.waitForEnd(idOf(made));
  });
});
