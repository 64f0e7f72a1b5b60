import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { apiKeys, as, idOf, type Made, openStage, patient, type Stage } from '../stage.ts';

const hour = 3_600_000;
const owners = ['ann', 'bob', 'cat', 'dan', 'eve'];

const speak = (id: string, text: string, more: object = {}) => ({
  video: { id },
  speech: { text: { text } },
  ...more,
});

function kindsOf(made: readonly Made[]) {
  const counts: Record<string, number> = {};
  for (const { __typename: kind } of made) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

const hundred = (create: (at: number) => Promise<Made>) =>
  Promise.all(Array.from({ length: 100 }, (_, at) => create(at)));

describe('the daily limit', () => {
  let stage: Stage;
  let video: string;
  beforeAll(async () => {
    const env = { API_KEYS: apiKeys(...owners), LIPSYNCS_PER_DAY: '7', ALLOW_ANONYMOUS: 'true' };
    stage = await openStage({ env });
    [video = ''] = await stage.sources();
    await stage.beBrief();
  });
  afterAll(() => stage?.stop());

  const remaining = async (owner: string) => {
    type Data = { viewer: { lipsyncsPerDay: { remaining: number } } };
    const data = await stage.ask<Data>(
      '{ viewer { lipsyncsPerDay { remaining } } }',
      {},
      as(owner),
    );
    return data.viewer.lipsyncsPerDay.remaining;
  };

  it('is exact when a hundred requests come at once', async () => {
    const made = await hundred((at) => stage.create(speak(video, `Number ${at}`), as('ann')));
    expect(kindsOf(made)).toEqual({ CreateLipsyncSuccess: 7, QuotaExceededError: 93 });
    const over = made.filter(({ code }) => code === 'QUOTA_EXCEEDED');
    expect(new Set(over.map(({ retryable }) => retryable))).toEqual(new Set([true]));
    for (const { retryAfterSeconds } of over) expect(retryAfterSeconds).toBeGreaterThan(86_000);
    for (const each of made) if (each.lipsync) await stage.end(idOf(each), as('ann'));
    expect(await remaining('ann')).toBe(0);
    expect(await remaining('bob')).toBe(7);
  });

  // Erasing once gave the allowance back.
  it('counts erased lip-syncs too', async () => {
    const numbers = Array.from({ length: 7 }, (_, at) => at);
    const made = await Promise.all(
      numbers.map((at) => stage.create(speak(video, `Erased ${at}`), as('bob'))),
    );
    for (const each of made) {
      await stage.end(idOf(each), as('bob'));
      expect((await stage.remove(idOf(each), as('bob'))).__typename).toBe('DeleteLipsyncSuccess');
    }
    expect(await remaining('bob')).toBe(0);
    const again = await stage.create(speak(video, 'Once more'), as('bob'));
    expect(again).toMatchObject({ __typename: 'QuotaExceededError', retryable: true });
    expect(again.retryAfterSeconds).toBeGreaterThan(86_000);
    // Nothing else of an erased lip-sync is kept.
    const kept = await stage.test.app.db.query('select * from erasures');
    expect(Object.keys(kept[0] ?? {}).toSorted()).toEqual([
      'created_at',
      'off_peak',
      'owner',
      'turn',
    ]);
  });

  it('rejects without an upstream call, whatever the request names', async () => {
    await stage.forgetRequests();
    const unknown = Buffer.from('Voice:4711').toString('base64url');
    const speech = { text: { text: 'Too much', voiceId: unknown } };
    const made = await hundred((at) =>
      stage.create({ video: { id: video }, speech, reference: `${at}` }, as('ann')),
    );
    expect(kindsOf(made)).toEqual({ QuotaExceededError: 100 });
    expect(await stage.requests()).toEqual([]);
  });

  // The second request was once rejected because the first had used up the limit.
  it('answers concurrent requests with the same key alike, also with the last of the limit', async () => {
    const numbers = Array.from({ length: 6 }, (_, at) => at);
    await Promise.all(numbers.map((at) => stage.create(speak(video, `First ${at}`), as('cat'))));
    const twins = await hundred(() =>
      stage.create(speak(video, 'The last', { idempotencyKey: 'last' }), as('cat')),
    );
    expect(new Set(twins.map(idOf)).size).toBe(1);
    expect(twins.filter(({ replayed }) => !replayed)).toHaveLength(1);
  });

  it('is free again a day later, when the records of erased lip-syncs are deleted', async () => {
    stage.clock.aheadMs += 24 * hour;
    expect(await remaining('ann')).toBe(7);
    expect(await remaining('bob')).toBe(7);
    await stage.test.app.services.lipsyncs.eraseFinishedBefore(new Date(0));
    expect(await stage.test.app.db.query('select 1 from erasures')).toEqual([]);
  });
});

describe('the limit of unfinished lip-syncs', () => {
  it('is exact when a hundred requests come at once, and free again when they end', async () => {
    const env = { API_KEYS: apiKeys(...owners), LIPSYNCS_IN_FLIGHT: '5', ALLOW_ANONYMOUS: 'true' };
    const stage = await openStage({ env });
    try {
      const [video = ''] = await stage.sources();
      const ask = () => hundred((at) => stage.create(speak(video, `[[never]] ${at}`), as('ann')));
      const first = await ask();
      expect(kindsOf(first)).toEqual({ CreateLipsyncSuccess: 5, QuotaExceededError: 95 });
      const over = first.find(({ code }) => code === 'QUOTA_EXCEEDED');
      expect(over).toMatchObject({ retryable: true, retryAfterSeconds: 30 });
      expect(await stage.posts()).toHaveLength(3);
      const [one] = first.filter(({ lipsync }) => lipsync?.status === 'QUEUED');
      await stage.cancel(idOf(one as Made), as('ann'));
      expect(kindsOf(await ask())).toEqual({ CreateLipsyncSuccess: 1, QuotaExceededError: 99 });
    } finally {
      await stage.stop();
    }
  });
});

describe('credits', () => {
  const [poor, rich] = ['poor@sandbox.example', 'rich@sandbox.example'];
  let stage: Stage;
  let ofPoor: string;
  let ofRich: string;
  beforeAll(async () => {
    stage = await openStage({
      sandbox: {
        accounts: [
          { email: poor, maxJobs: 3, credits: 0 },
          { email: rich, maxJobs: 3 },
        ],
      },
    });
    [ofPoor = ''] = await stage.sources(poor);
    [ofRich = ''] = await stage.sources(rich);
    await stage.beBrief();
  });
  afterAll(() => stage?.stop());

  const features = () => stage.requests('GET /features');

  it('of an account without any reject a request bound to it, before anything is sent', async () => {
    const made = await hundred((at) => stage.create(speak(ofPoor, `Number ${at}`)));
    expect(kindsOf(made)).toEqual({ InsufficientCreditsError: 100 });
    expect(made[0]).toMatchObject({ code: 'INSUFFICIENT_CREDITS', retryable: false });
    expect(await stage.posts()).toEqual([]);
    // One read per account for all hundred requests, and perhaps one probe of the paused account.
    expect((await features()).length).toBeLessThanOrEqual(3);
    const fail = await stage.create(speak(ofPoor, 'Now', { whenBusy: 'FAIL' }));
    expect(fail.__typename).toBe('InsufficientCreditsError');
    const { lipsyncs } = await stage.ask<{ lipsyncs: { nodes: object[] } }>(
      '{ lipsyncs { nodes { id } } }',
    );
    expect(lipsyncs.nodes).toEqual([]);
  });

  it('of one account do not affect another account', async () => {
    const made = await stage.create(speak(ofRich, 'Rich'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await stage.end(idOf(made));
  });

  it('that run out while a lip-sync waits keep it waiting until there are some again', async () => {
    const blocking = await Promise.all(
      [1, 2, 3].map((at) => stage.create(speak(ofRich, `[[never]] ${at}`))),
    );
    const waiting = await stage.create(speak(ofRich, 'Patience'));
    expect(waiting.lipsync?.status).toBe('QUEUED');
    await stage.test.turn({ account412: rich });
    stage.clock.aheadMs += 61_000;
    expect((await stage.create(speak(ofRich, 'No'))).__typename).toBe('InsufficientCreditsError');
    for (const each of blocking) await stage.cancel(idOf(each));
    expect((await stage.find(idOf(waiting)))?.status).toBe('QUEUED');
    await stage.test.turn({ account412: null });
    await vi.waitFor(
      async () => {
        stage.clock.aheadMs += 61_000;
        expect((await stage.find(idOf(waiting)))?.status).toBe('COMPLETED');
      },
      { ...patient, interval: 500 },
    );
    expect((await stage.postsOf(idOf(waiting))).map(({ status }) => status)).toEqual([200]);
  });

  it('that the upstream does not report reject no request', async () => {
    const fault = { path: '/features', action: 'answer', status: 400, times: 100 };
    await stage.test.turn({ failPath: fault });
    stage.clock.aheadMs += 61_000;
    const made = await stage.create(speak(ofRich, 'Unknown'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await stage.clearSwitches();
    await stage.beBrief();
    await stage.end(idOf(made));
  });

  it('that the upstream is slow to report delay no request for long', async () => {
    await stage.test.turn({ failPath: { path: '/features', action: 'hang', times: 100 } });
    stage.clock.aheadMs += 61_000;
    const made = await stage.create(speak(ofRich, 'Silence'));
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await stage.clearSwitches();
    await stage.beBrief();
    await stage.end(idOf(made));
  });
});
