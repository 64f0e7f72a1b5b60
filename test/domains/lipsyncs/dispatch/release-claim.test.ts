import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOperations } from '../../../e2e/instances/operations.ts';
import { startTestApp } from '../../../support/app.ts';
import { type TestStorage, testStorage } from '../../../support/database.ts';
import {
  type OtherUpstream,
  otherToken,
  startOtherUpstream,
} from '../../../support/other-upstream.ts';
import { expectSoundLog, idOf } from '../stage.ts';

const email = 'studio@back.example';

let storage: TestStorage;
let upstream: OtherUpstream;
let closers: (() => Promise<void>)[];
beforeEach(async () => {
  storage = await testStorage();
  upstream = await startOtherUpstream({ accounts: [{ email, maxJobs: 3 }] });
  upstream.addVideo(email, 'a face');
  closers = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await upstream.close();
  await storage.remove();
});

async function start(clock = { aheadMs: 0 }) {
  const test = await startTestApp({
    storage,
    upstream,
    now: () => new Date(Date.now() + clock.aheadMs),
    env: { USEAPI_TOKEN: otherToken, ALLOW_ANONYMOUS: 'true' },
  });
  closers.push(test.stop);
  return Object.assign(test, createOperations(test));
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
    const input = { video: { id: await stopping.source() }, speech: { text: { text: 'Later' } } };
    const stopped = onceClaimed(() => stopping.stop());
    const made = await stopping.create(input);
    expect(made).toMatchObject({
      __typename: 'CreateLipsyncSuccess',
      lipsync: { status: 'QUEUED' },
    });
    await stopped;
    expect(countPosts()).toBe(0);

    const next = await start();
    await (await upstream.nextJob()).become(1);
    expect((await next.end(idOf(made))).status).toBe('COMPLETED');
    expect(countPosts()).toBe(1);
    expectSoundLog(await next.events(idOf(made)));
  });

  it('is rejected and deleted at a stop with whenBusy FAIL', async () => {
    const stopping = await start();
    const input = {
      video: { id: await stopping.source() },
      speech: { text: { text: 'Now' } },
      whenBusy: 'FAIL',
    };
    const stopped = onceClaimed(() => stopping.stop());
    expect(await stopping.create(input)).toMatchObject({
      __typename: 'RateLimitedError',
      retryable: true,
    });
    await stopped;
    expect(await (await start()).list()).toEqual([]);
    expect(countPosts()).toBe(0);
  });

  it('is not sent after its expiresAt', async () => {
    const clock = { aheadMs: 0 };
    const instance = await start(clock);
    void onceClaimed(() => {
      clock.aheadMs += 61_000;
    });
    const made = await instance.create({
      video: { id: await instance.source() },
      speech: { text: { text: 'Too late' } },
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
    });
    expect(made.lipsync?.status).toBe('QUEUED');
    expect((await instance.end(idOf(made))).status).toBe('EXPIRED');
    expect(countPosts()).toBe(0);
    expectSoundLog(await instance.events(idOf(made)));
  });
});
