import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiKeys,
  as,
  expectSoundLog,
  idOf,
  type Made,
  openStage,
  patient,
  type Stage,
} from '../stage.ts';

const studio = 'studio@sandbox.example';
const owners = ['ann', 'bob', 'cat', 'dan'];
const speak = (id: string, text: string, more: object = {}) => ({
  video: { id },
  speech: { text: { text } },
  ...more,
});

let stage: Stage;
let video: string;
beforeAll(async () => {
  stage = await openStage({
    env: { API_KEYS: apiKeys(...owners) },
    sandbox: { queuedMs: 10, generatingMs: 60 },
  });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  await stage.beBrief();
  await stage.forgetRequests();
});

/** Fills the three slots until the returned function is called. */
async function block(at = stage, id = video) {
  const made = await Promise.all(
    [1, 2, 3].map((n) => at.create(speak(id, `[[never]] ${n}`), as('dan'))),
  );
  expect(made.map(({ lipsync }) => lipsync?.status)).toEqual([
    'SUBMITTED',
    'SUBMITTED',
    'SUBMITTED',
  ]);
  const ids = made.map(idOf);
  return {
    ids,
    free: () => Promise.all(ids.map((each) => at.cancel(each, as('dan')))),
  };
}

/** Moves the clock and runs the scheduler's tick. */
async function pass(ms: number, at = stage) {
  at.clock.aheadMs += ms;
  await at.test.app.db.query("select pg_notify('queue_changed', '')");
}

const kindsOf = (made: Made[]) => {
  const counts: Record<string, number> = {};
  for (const { __typename } of made) counts[__typename] = (counts[__typename] ?? 0) + 1;
  return counts;
};

describe('works', () => {
  it('runs fifty on three slots: no client gets a 429, never more than three run, all finish', async () => {
    // FAILED costs the sandbox no rendering.
    await stage.test.turn({ outcome: 'FAILED', generatingMs: 3_600_000 });
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, n) => stage.create(speak(video, `Number ${n}`))),
    );
    expect(kindsOf(made)).toEqual({ CreateLipsyncSuccess: 50 });
    await vi.waitFor(async () => {
      expect((await stage.accounts())[studio]).toMatchObject({ executing: 3 });
    }, patient);
    await stage.test.turn({ generatingMs: null });
    await stage.test.finishJobs('FAILED');
    for (const each of made) {
      expect(await stage.end(idOf(each))).toMatchObject({
        status: 'FAILED',
        failure: { code: 'GENERATION_FAILED' },
      });
    }
    const posts = await stage.posts();
    expect(posts.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect((await stage.accounts())[studio]?.highWater).toBe(3);
    for (const each of made) expectSoundLog(await stage.events(idOf(each)));
  }, 60_000);

  it('counts waiting lip-syncs only, and a 429 moves no position back', async () => {
    const refusal = { path: '/videos/lipsync', status: 429, delayMs: 1_000, times: 3 };
    await stage.test.turn({ outcome: 'FAILED', failPath: refusal });
    const ask = (n: number) => stage.create(speak(video, `Place ${n}`), as('ann'));
    const sent = [1, 2, 3].map(ask);
    await vi.waitFor(async () => expect(await stage.posts()).toHaveLength(3), patient);
    const behind = await Promise.all([ask(4), ask(5)]);
    const placesOf = (made: Made[]) =>
      Promise.all(
        made.map(async (each) => {
          const found = await stage.find(idOf(each), as('ann'));
          return found?.progress.queuePosition;
        }),
      );
    const places = await placesOf(behind);
    expect(places.toSorted()).toEqual([1, 2]);
    const back = await Promise.all(sent);
    expect(back.map(({ lipsync }) => lipsync?.status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
    expect(await placesOf(back)).toEqual([1, 1, 1]);
    expect(await placesOf(behind)).toEqual(places);
    await pass(31_000);
    for (const each of [...back, ...behind]) {
      expect((await stage.end(idOf(each), as('ann'))).status).toBe('FAILED');
      const events = await stage.events(idOf(each), as('ann'));
      const told = events.flatMap(({ queuePosition }) => queuePosition ?? []);
      expect(told).toEqual(told.toSorted((a, b) => b - a));
    }
  });

  it('serves owners in turn, however many lip-syncs each has waiting', async () => {
    const blocked = await block();
    await stage.forgetRequests();
    await stage.test.turn({ outcome: 'FAILED' });
    const all: [string, string][] = [];
    for (const [owner, count] of [
      ['ann', 30],
      ['bob', 10],
      ['cat', 1],
    ] as const) {
      for (let n = 0; n < count; n += 1) {
        const made = await stage.create(speak(video, `${owner} says ${n}`), as(owner));
        expect(made.lipsync?.status).toBe('QUEUED');
        expect(made.lipsync?.progress.queuePosition).toBe(n + 1);
        all.push([idOf(made), owner]);
      }
    }
    await blocked.free();
    for (const [id, owner] of all) {
      expect((await stage.end(id, as(owner))).status).toBe('FAILED');
    }
    const order = (await stage.posts()).map(({ body }) => String(body?.prompt).split(' ')[0] ?? '');
    expect(order).toHaveLength(41);
    expect(order.indexOf('cat')).toBeLessThan(3);
    expect(order.lastIndexOf('bob')).toBeLessThan(25);
    for (const [id, owner] of all) expectSoundLog(await stage.events(id, as(owner)));
  });

  it('requeues after a 429, and sends again when the account has a free slot', async () => {
    await stage.test.turn({ statusNext: Array(10).fill(429) });
    const made = await Promise.all(
      Array.from({ length: 6 }, (_, n) => stage.create(speak(video, `Storm ${n}`))),
    );
    expect(kindsOf(made)).toEqual({ CreateLipsyncSuccess: 6 });
    await vi.waitFor(async () => {
      await pass(31_000);
      for (const each of made) expect((await stage.find(idOf(each)))?.status).toBe('COMPLETED');
    }, patient);
    for (const each of made) {
      const posts = await stage.postsOf(idOf(each));
      expect(posts.filter(({ status }) => status === 200)).toHaveLength(1);
      expectSoundLog(await stage.events(idOf(each)));
    }
  });

  it('keeps the log short after forty rejections with 429', async () => {
    await stage.test.turn({ statusNext: Array(40).fill(429) });
    const id = idOf(await stage.create(speak(video, 'Patience')));
    await vi.waitFor(async () => {
      await pass(31_000);
      expect((await stage.find(id))?.status).toBe('COMPLETED');
    }, patient);
    expect(await stage.postsOf(id)).toHaveLength(41);
    const events = await stage.events(id);
    expectSoundLog(events);
    expect(events.length).toBeLessThan(20);
  });

  it('sends an off-peak lip-sync without a free slot', async () => {
    const blocked = await block();
    const made = await stage.create(speak(video, 'Cheap', { offPeak: true }));
    expect(made.lipsync?.status).toBe('SUBMITTED');
    expect((await stage.end(idOf(made))).status).toBe('COMPLETED');
    await blocked.free();
  });

  it('ends a lip-sync not sent by its expiresAt as EXPIRED, without a failure or a POST', async () => {
    const blocked = await block();
    const expiresAt = new Date(Date.now() + stage.clock.aheadMs + 60_000).toISOString();
    const id = idOf(await stage.create(speak(video, 'Late', { expiresAt })));
    const behind = await stage.create(speak(video, 'Behind'));
    expect(behind.lipsync?.progress.queuePosition).toBe(2);
    await pass(61_000);
    expect(await stage.end(id)).toMatchObject({
      status: 'EXPIRED',
      failure: null,
      submittedAt: null,
    });
    expect((await stage.find(idOf(behind)))?.progress.queuePosition).toBe(1);
    expect(await stage.postsOf(id)).toEqual([]);
    await blocked.free();
    await stage.end(idOf(behind));
  });

  // It once had to wait behind one that allowed fewer jobs beside it.
  it('sends a new lip-sync at once when a slot is free', async () => {
    const running = await stage.create(speak(video, '[[never]] one'), as('dan'));
    const calm = await stage.create(speak(video, 'Calm', { maxJobs: 1 }));
    expect(calm.lipsync?.status).toBe('QUEUED');
    const made = await stage.create(speak(video, 'Newcomer', { whenBusy: 'FAIL' }));
    expect(made).toMatchObject({ lipsync: { status: 'SUBMITTED' } });
    await stage.cancel(idOf(running), as('dan'));
    expect((await stage.end(idOf(calm))).status).toBe('COMPLETED');
  });

  // It was once sent too early, and answered with 429.
  it('sends the next lip-sync only after the upstream freed the slot of a cancelled one', async () => {
    const blocked = await block();
    const waiting = idOf(await stage.create(speak(video, 'Next')));
    await stage.test.turn({
      failPath: {
        path: '/scheduler/*',
        method: 'DELETE',
        effect: 'after',
        status: 204,
        body: '',
        delayMs: 200,
        times: 3,
      },
      delayMs: 20,
    });
    await blocked.free();
    expect((await stage.end(waiting)).status).toBe('COMPLETED');
    expect((await stage.postsOf(waiting)).map(({ status }) => status)).toEqual([200]);
  });
});

describe('refuses', () => {
  it('a lip-sync with whenBusy FAIL if no slot is free, and keeps nothing of it', async () => {
    const blocked = await block();
    const before = (await stage.posts()).length;
    const made = await stage.create(
      speak(video, 'Now or never', { whenBusy: 'FAIL', idempotencyKey: 'now' }),
    );
    expect(made).toMatchObject({
      __typename: 'RateLimitedError',
      reason: 'ACCOUNT_BUSY',
      retryable: true,
    });
    expect(await stage.posts()).toHaveLength(before);
    await blocked.free();
    await vi.waitFor(async () => {
      const again = await stage.create(
        speak(video, 'Now or never', { whenBusy: 'FAIL', idempotencyKey: 'now' }),
      );
      expect(again).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
      await stage.end(idOf(again));
    }, patient);
  });

  it('exactly the requests over a limit, also when fifty come at once', async () => {
    const limited = await openStage({
      env: {
        API_KEYS: apiKeys(...owners),
        ALLOW_ANONYMOUS: 'true',
        QUEUE_LIMIT: '4',
        LIPSYNCS_IN_FLIGHT: '5',
        LIPSYNCS_PER_DAY: '7',
      },
    });
    try {
      const [id = ''] = await limited.sources();
      const fifty = (owner: string, text: string) =>
        Promise.all(Array.from({ length: 50 }, () => limited.create(speak(id, text), as(owner))));
      const first = await fifty('ann', '[[never]] ann');
      expect(kindsOf(first)).toEqual({ CreateLipsyncSuccess: 5, QuotaExceededError: 45 });
      // Two of them wait. Two places are free, of which a second owner gets half.
      const second = await fifty('bob', 'bob');
      expect(kindsOf(second)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 49 });
      expect(second.find(({ code }) => code === 'QUEUE_FULL')?.retryable).toBe(true);
      for (const each of first) {
        if (each.lipsync !== undefined) await limited.cancel(idOf(each), as('ann'));
      }
      for (const each of second) {
        if (each.lipsync !== undefined) await limited.end(idOf(each), as('bob'));
      }
      const third = await fifty('ann', 'again');
      expect(kindsOf(third)).toEqual({ CreateLipsyncSuccess: 2, QuotaExceededError: 48 });
      const over = third.find(({ code }) => code === 'QUOTA_EXCEEDED');
      expect(over?.retryable).toBe(true);
      expect(over?.retryAfterSeconds).toBeGreaterThan(86_000);
      // The limits apply per owner.
      expect((await limited.create(speak(id, 'cat'), as('cat'))).__typename).toBe(
        'CreateLipsyncSuccess',
      );
    } finally {
      await limited.stop();
    }
  });
});

describe('keeps out', () => {
  // One owner once took every place in the queue.
  it('an owner that fills the queue: others still queue, exactly by their shares', async () => {
    const limited = await openStage({
      env: { API_KEYS: apiKeys(...owners), QUEUE_LIMIT: '8' },
    });
    try {
      const [id = ''] = await limited.sources();
      const many = async (owner: string, count: number) =>
        kindsOf(
          await Promise.all(
            Array.from({ length: count }, () =>
              limited.create(speak(id, `[[never]] ${owner}`), as(owner)),
            ),
          ),
        );
      // Three are sent, and four of eight places are half.
      expect(await many('ann', 60)).toEqual({ CreateLipsyncSuccess: 7, QueueFullError: 53 });
      expect(await many('bob', 20)).toEqual({ CreateLipsyncSuccess: 2, QueueFullError: 18 });
      expect(await many('cat', 20)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 19 });
      expect(await many('ann', 5)).toEqual({ QueueFullError: 5 });
      expect(await many('dan', 20)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 19 });
      const batch = await limited.createAll(
        [1, 2, 3].map((n) => speak(id, `Batch ${n}`)),
        as('bob'),
      );
      expect(kindsOf(batch.results ?? [])).toEqual({ QueueFullError: 3 });
    } finally {
      await limited.stop();
    }
  });
});
