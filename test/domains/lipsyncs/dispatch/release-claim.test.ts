import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestStorage, testStorage } from '../../../support/database.ts';
import { fakeToken } from '../../../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../support/fake-upstream/server.ts';
import { expectSoundLog, idOf, startLipsyncApp } from '../../../support/lipsync-app.ts';

const email = 'studio@back.example';

let storage: TestStorage;
let upstream: FakeUpstream;
let closers: (() => Promise<void>)[];
beforeEach(async () => {
  storage = await testStorage();
  upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 3 }] });
  upstream.addVideo(email, 'a face');
  closers = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await upstream.close();
  await storage.remove();
});

async function start() {
  const app = await startLipsyncApp({
    storage,
    upstream,
    env: { USEAPI_TOKEN: fakeToken, ALLOW_ANONYMOUS: 'true' },
  });
  closers.push(app.stop);
  return app;
}

/** Runs `act` between the claim and the POST. */
function onceClaimed(act: () => unknown): Promise<unknown> {
  return new Promise((resolve) => {
    const listener = () => {
      unsubscribe('lipsync:row-written', listener);
      resolve(act());
    };
    subscribe('lipsync:row-written', listener);
  });
}

const countPosts = () => upstream.countOf('POST /videos/lipsync');

describe('a claimed lip-sync whose POST has not started', () => {
  // It once stayed claimed until the lease ended.
  it('is requeued at once when the process stops', async () => {
    const stopping = await start();
    const [id] = await stopping.listVideoIds();
    const stopped = onceClaimed(() => stopping.stop());
    const made = await stopping.create({ video: { videoId: id } });
    expect(made).toMatchObject({
      __typename: 'CreateLipsyncSuccess',
      lipsync: { status: 'QUEUED' },
    });
    await stopped;
    expect(countPosts()).toBe(0);

    const next = await start();
    await (await upstream.nextJob()).become(1);
    expect((await next.waitForEnd(idOf(made))).status).toBe('COMPLETED');
    expect(countPosts()).toBe(1);
    expectSoundLog(await next.readEvents(idOf(made)));
  });

  it('is rejected and deleted at shutdown with whenBusy FAIL', async () => {
    const stopping = await start();
    const [id] = await stopping.listVideoIds();
    const stopped = onceClaimed(() => stopping.stop());
    expect(await stopping.create({ video: { videoId: id }, whenBusy: 'FAIL' })).toMatchObject({
      __typename: 'RateLimitedError',
      retryable: true,
    });
    await stopped;
    const next = await start();
    expect(await next.app.db.query('select 1 from lipsyncs')).toEqual([]);
    expect(countPosts()).toBe(0);
  });

  it('is not sent after its expiresAt', async () => {
    const instance = await start();
    void onceClaimed(() => {
      instance.clock.aheadMs += 61_000;
    });
    const made = await instance.create({
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
    });
    // The next tick, which may come before the answer is read, ends it.
    expect(['QUEUED', 'EXPIRED']).toContain(made.lipsync?.status);
    expect((await instance.waitForEnd(idOf(made))).status).toBe('EXPIRED');
    expect(countPosts()).toBe(0);
    expectSoundLog(await instance.readEvents(idOf(made)));
  });
});
