import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiKeys,
  expectSoundLog,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import {
  type CreateLipsyncResult,
  countTypes,
  inputOf,
  longWait,
} from '../../../support/lipsyncs.ts';

const studio = 'studio@sandbox.example';
const owners = ['ann', 'bob', 'cat', 'dan'];
let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: apiKeys(...owners) },
    sandbox: { queuedMs: 10, generatingMs: 60 },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(async () => {
  await app.sendFinalCallbacksOnly();
  await app.forgetRequests();
});

/** Fills the three slots until the returned function is called. */
async function block(at = app, id = video) {
  const made = await Promise.all(
    [1, 2, 3].map((n) => at.create(inputOf(id, `[[never]] ${n}`), signInAs('dan'))),
  );
  expect(made.map(({ lipsync }) => lipsync?.status)).toEqual([
    'SUBMITTED',
    'SUBMITTED',
    'SUBMITTED',
  ]);
  const ids = made.map(idOf);
  return {
    ids,
    free: () => Promise.all(ids.map((each) => at.cancel(each, signInAs('dan')))),
  };
}

/** Moves the clock and runs the scheduler's tick. */
async function pass(ms: number, at = app) {
  at.clock.aheadMs += ms;
  await at.db.query("select pg_notify('queue_changed', '')");
}

describe('works', () => {
  it('runs twenty on three slots: no client gets a 429, never more than three run, all finish', async () => {
    // FAILED costs the sandbox no rendering.
    await app.turn({ outcome: 'FAILED', generatingMs: 3_600_000 });
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) => app.create(inputOf(video, `Number ${n}`))),
    );
    expect(countTypes(made)).toEqual({ CreateLipsyncSuccess: 20 });
    await vi.waitFor(async () => {
      expect((await app.accounts())[studio]).toMatchObject({ executing: 3 });
    }, longWait);
    await app.turn({ generatingMs: null });
    await app.finishJobs('FAILED');
    for (const each of made) {
      expect(await app.waitForEnd(idOf(each))).toMatchObject({
        status: 'FAILED',
        failure: { code: 'GENERATION_FAILED' },
      });
    }
    const posts = await app.posts();
    expect(posts.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect((await app.accounts())[studio]?.highWater).toBe(3);
    for (const each of made) expectSoundLog(await app.readEvents(idOf(each)));
  });

  it('counts waiting lip-syncs only, and a 429 moves no position back', async () => {
    const refusal = { path: '/videos/lipsync', status: 429, delayMs: 9_000, times: 3 };
    await app.turn({ outcome: 'FAILED', failPath: refusal });
    const ask = (n: number) => app.create(inputOf(video, `Place ${n}`), signInAs('ann'));
    const sent = [1, 2, 3].map(ask);
    await vi.waitFor(async () => expect(await app.posts()).toHaveLength(3), longWait);
    const behind = await Promise.all([ask(4), ask(5)]);
    const placesOf = (made: CreateLipsyncResult[]) =>
      Promise.all(
        made.map(async (each) => {
          const found = await app.read(idOf(each), signInAs('ann'));
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
      expect((await app.waitForEnd(idOf(each), signInAs('ann'))).status).toBe('FAILED');
      const events = await app.readEvents(idOf(each), signInAs('ann'));
      const positions = events.flatMap(({ queuePosition }) => queuePosition ?? []);
      expect(positions).toEqual(positions.toSorted((a, b) => b - a));
    }
  });

  it('serves owners in turn, however many lip-syncs each has waiting', async () => {
    const blocked = await block();
    await app.forgetRequests();
    await app.turn({ outcome: 'FAILED' });
    const all: [string, string][] = [];
    for (const [owner, count] of [
      ['ann', 12],
      ['bob', 6],
      ['cat', 1],
    ] as const) {
      for (let n = 0; n < count; n += 1) {
        const made = await app.create(inputOf(video, `${owner} says ${n}`), signInAs(owner));
        expect(made.lipsync?.status).toBe('QUEUED');
        expect(made.lipsync?.progress.queuePosition).toBe(n + 1);
        all.push([idOf(made), owner]);
      }
    }
    await blocked.free();
    for (const [id, owner] of all) {
      expect((await app.waitForEnd(id, signInAs(owner))).status).toBe('FAILED');
    }
    const order = (await app.posts()).map(({ body }) => String(body?.prompt).split(' ')[0] ?? '');
    expect(order).toHaveLength(19);
    expect(order.indexOf('cat')).toBeLessThan(3);
    expect(order.lastIndexOf('bob')).toBeLessThan(15);
    for (const [id, owner] of all) expectSoundLog(await app.readEvents(id, signInAs(owner)));
  });

  it('requeues after a 429, and sends again when the account has a free slot', async () => {
    await app.turn({ statusNext: Array(10).fill(429) });
    const made = await Promise.all(
      Array.from({ length: 6 }, (_, n) => app.create(inputOf(video, `Storm ${n}`))),
    );
    expect(countTypes(made)).toEqual({ CreateLipsyncSuccess: 6 });
    await vi.waitFor(async () => {
      await pass(31_000);
      for (const each of made) expect((await app.read(idOf(each)))?.status).toBe('COMPLETED');
    }, longWait);
    for (const each of made) {
      const posts = await app.postsOf(idOf(each));
      expect(posts.filter(({ status }) => status === 200)).toHaveLength(1);
      expectSoundLog(await app.readEvents(idOf(each)));
    }
  });

  it('keeps the log short after forty rejections with 429', async () => {
    await app.turn({ statusNext: Array(40).fill(429) });
    const id = idOf(await app.create(inputOf(video, 'Patience')));
    await vi.waitFor(async () => {
      await pass(31_000);
      expect((await app.read(id))?.status).toBe('COMPLETED');
    }, longWait);
    expect(await app.postsOf(id)).toHaveLength(41);
    const events = await app.readEvents(id);
    expectSoundLog(events);
    expect(events.length).toBeLessThan(20);
  });

  it('sends an off-peak lip-sync without a free slot', async () => {
    const blocked = await block();
    const made = await app.create(inputOf(video, 'Cheap', { offPeak: true }));
    expect(made.lipsync?.status).toBe('SUBMITTED');
    expect((await app.waitForEnd(idOf(made))).status).toBe('COMPLETED');
    await blocked.free();
  });

  it('ends a lip-sync not sent by its expiresAt as EXPIRED, without a failure or a POST', async () => {
    const blocked = await block();
    const expiresAt = new Date(Date.now() + app.clock.aheadMs + 60_000).toISOString();
    const id = idOf(await app.create(inputOf(video, 'Late', { expiresAt })));
    const behind = await app.create(inputOf(video, 'Behind'));
    expect(behind.lipsync?.progress.queuePosition).toBe(2);
    await pass(61_000);
    expect(await app.waitForEnd(id)).toMatchObject({
      status: 'EXPIRED',
      failure: null,
      submittedAt: null,
    });
    expect((await app.read(idOf(behind)))?.progress.queuePosition).toBe(1);
    expect(await app.postsOf(id)).toEqual([]);
    await blocked.free();
    await app.waitForEnd(idOf(behind));
  });

  // It once had to wait behind one that allowed fewer jobs beside it.
  it('sends a new lip-sync at once when a slot is free', async () => {
    const running = await app.create(inputOf(video, '[[never]] one'), signInAs('dan'));
    const calm = await app.create(inputOf(video, 'Calm', { maxJobs: 1 }));
    expect(calm.lipsync?.status).toBe('QUEUED');
    const made = await app.create(inputOf(video, 'Next', { whenBusy: 'FAIL' }));
    expect(made).toMatchObject({ lipsync: { status: 'SUBMITTED' } });
    await app.cancel(idOf(running), signInAs('dan'));
    expect((await app.waitForEnd(idOf(calm))).status).toBe('COMPLETED');
  });

  // It was once sent too early, and answered with 429.
  it('sends the next lip-sync only after the upstream freed the slot of a cancelled one', async () => {
    const blocked = await block();
    const waiting = idOf(await app.create(inputOf(video, 'Next')));
    await app.turn({
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
    expect((await app.waitForEnd(waiting)).status).toBe('COMPLETED');
    expect((await app.postsOf(waiting)).map(({ status }) => status)).toEqual([200]);
  });
});

describe('refuses', () => {
  it('a lip-sync with whenBusy FAIL if no slot is free, and stores nothing', async () => {
    const blocked = await block();
    const before = (await app.posts()).length;
    const made = await app.create(
      inputOf(video, 'Now or never', { whenBusy: 'FAIL', idempotencyKey: 'now' }),
    );
    expect(made).toMatchObject({
      __typename: 'RateLimitedError',
      limit: 'ACCOUNT_BUSY',
      retryable: true,
    });
    expect(await app.posts()).toHaveLength(before);
    await blocked.free();
    await vi.waitFor(async () => {
      const again = await app.create(
        inputOf(video, 'Now or never', { whenBusy: 'FAIL', idempotencyKey: 'now' }),
      );
      expect(again).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
      await app.waitForEnd(idOf(again));
    }, longWait);
  });

  it('exactly the requests over a limit, also when fifty come at once', async () => {
    const limited = await startLipsyncApp({
      env: {
        API_KEYS: apiKeys(...owners),
        ALLOW_ANONYMOUS: 'true',
        QUEUE_LIMIT: '4',
        LIPSYNCS_IN_FLIGHT: '5',
        LIPSYNCS_PER_DAY: '7',
      },
    });
    try {
      const [id = ''] = await limited.listVideoIds();
      const fifty = (owner: string, text: string) =>
        Promise.all(
          Array.from({ length: 50 }, () => limited.create(inputOf(id, text), signInAs(owner))),
        );
      const first = await fifty('ann', '[[never]] ann');
      expect(countTypes(first)).toEqual({ CreateLipsyncSuccess: 5, QuotaExceededError: 45 });
      // Two of them wait. Two places are free, of which a second owner gets half.
      const second = await fifty('bob', 'bob');
      expect(countTypes(second)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 49 });
      expect(second.find(({ code }) => code === 'QUEUE_FULL')?.retryable).toBe(true);
      for (const each of first) {
        if (each.lipsync !== undefined) await limited.cancel(idOf(each), signInAs('ann'));
      }
      for (const each of second) {
        if (each.lipsync !== undefined) await limited.waitForEnd(idOf(each), signInAs('bob'));
      }
      const third = await fifty('ann', 'again');
      expect(countTypes(third)).toEqual({ CreateLipsyncSuccess: 2, QuotaExceededError: 48 });
      const over = third.find(({ code }) => code === 'QUOTA_EXCEEDED');
      expect(over?.retryable).toBe(true);
      expect(over?.retryAfterSeconds).toBeGreaterThan(86_000);
      // The limits apply per owner.
      expect((await limited.create(inputOf(id, 'cat'), signInAs('cat'))).__typename).toBe(
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
    const limited = await startLipsyncApp({
      env: { API_KEYS: apiKeys(...owners), QUEUE_LIMIT: '8' },
    });
    try {
      const [id = ''] = await limited.listVideoIds();
      const many = async (owner: string, count: number) =>
        countTypes(
          await Promise.all(
            Array.from({ length: count }, () =>
              limited.create(inputOf(id, `[[never]] ${owner}`), signInAs(owner)),
            ),
          ),
        );
      // Three are sent, and four of eight places are half.
      expect(await many('ann', 60)).toEqual({ CreateLipsyncSuccess: 7, QueueFullError: 53 });
      expect(await many('bob', 20)).toEqual({ CreateLipsyncSuccess: 2, QueueFullError: 18 });
      expect(await many('cat', 20)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 19 });
      expect(await many('ann', 5)).toEqual({ QueueFullError: 5 });
      const overShare = await limited.create(inputOf(id, 'more'), signInAs('ann'));
      expect(overShare.message).toContain('Too many of your lip-syncs');
      expect(await many('dan', 20)).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 19 });
      const batch = await limited.createAll(
        [1, 2, 3].map((n) => inputOf(id, `Batch ${n}`)),
        signInAs('bob'),
      );
      expect(countTypes(batch.results ?? [])).toEqual({ QueueFullError: 3 });
      expect(batch.results?.[0]?.message).toContain('of all owners');
    } finally {
      await limited.stop();
    }
  });
});
