import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

const pollMs = 600_000;
const maxJobMs = 3_600_000;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  // No callbacks, and no polls on pg-boss's clock: only the deadline leads to a read.
  app = await startLipsyncApp({
    env: { POLL_INTERVAL_MS: String(pollMs), MAX_JOB_MS: String(maxJobMs) },
    intervals: shortIntervals,
    sandbox: { queuedMs: 10 },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(async () => {
  await app.clearSwitches();
  await app.turn({ callbacks: 'none' });
  await app.forgetRequests();
});

const say = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

const failing = { method: 'GET', status: 503, times: 1_000 };
const unreadable = [
  { path: '/videos', ...failing },
  { path: '/videos/*', ...failing },
];
const reads = () => app.requests('GET /videos/?');

describe('a job without an end after MAX_JOB_MS', () => {
  it('ends as FAILED with its own error type, after one last read', async () => {
    const id = await say('[[never]] Silent');
    app.clock.aheadMs += maxJobMs;
    expect(await app.waitForEnd(id)).toMatchObject({
      status: 'FAILED',
      failure: { __typename: 'GenerationFailedError', code: 'GENERATION_FAILED' },
      result: null,
    });
    expect((await reads()).length).toBeGreaterThan(0);
    const events = await app.readEvents(id);
    expectSoundLog(events);
    expect(events.at(-1)).toMatchObject({ status: 'FAILED', source: 'GATEWAY' });
    // Its slot is free again.
    const held = await app.db.query('select 1 from lipsyncs where holds_slot');
    expect(held).toEqual([]);
    expect(await app.postsOf(id)).toHaveLength(1);
  });

  it('ends with the status that the last read shows', async () => {
    const id = await say('[[never]] Made meanwhile');
    await app.finishJob(id);
    app.clock.aheadMs += maxJobMs;
    expect((await app.waitForEnd(id)).status).toBe('COMPLETED');
  });

  // It was once read every second.
  it('is read once per poll interval while the upstream cannot be read', async () => {
    const id = await say('[[never]] Unreadable');
    await app.finishJob(id);
    await app.turn({ failPath: unreadable });
    app.clock.aheadMs += maxJobMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(3), longWait);
    await app.passTicks(3);
    // One read with two retries.
    expect(await reads()).toHaveLength(3);
    expect((await app.read(id))?.finishedAt).toBeNull();
    app.clock.aheadMs += pollMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(6), longWait);
    await app.passTicks(3);
    expect(await reads()).toHaveLength(6);

    await app.turn({ failPath: null });
    app.clock.aheadMs += pollMs;
    expect((await app.waitForEnd(id)).status).toBe('COMPLETED');
  });

  it('is given up if the upstream cannot be read for two intervals', async () => {
    const id = await say('[[never]] Never read');
    await app.turn({ failPath: unreadable });
    app.clock.aheadMs += maxJobMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(3), longWait);
    app.clock.aheadMs += 2 * pollMs;
    expect(await app.waitForEnd(id)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'GENERATION_FAILED' },
    });
  });
});
