import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf, openStage, patient, type Stage } from '../stage.ts';

const pollMs = 600_000;
const maxJobMs = 3_600_000;

let stage: Stage;
let video: string;
beforeAll(async () => {
  // No callbacks, and no polls on pg-boss's clock: only the deadline leads to a read.
  stage = await openStage({
    env: { POLL_INTERVAL_MS: String(pollMs), MAX_JOB_MS: String(maxJobMs) },
    sandbox: { queuedMs: 10 },
  });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  await stage.clearSwitches();
  await stage.test.turn({ callbacks: 'none' });
  await stage.forgetRequests();
});

const say = async (text: string) =>
  idOf(await stage.create({ video: { id: video }, speech: { text: { text } } }));

const failing = { method: 'GET', status: 503, times: 1_000 };
const unreadable = [
  { path: '/videos', ...failing },
  { path: '/videos/*', ...failing },
];
const reads = () => stage.requests('GET /videos/?');

/** Waits for this many further ticks of the scheduler. */
async function passTicks(count: number): Promise<void> {
  const probe = vi.spyOn(stage.test.app.services.accounts, 'probeDue');
  await vi.waitFor(() => expect(probe.mock.calls.length).toBeGreaterThan(count), patient);
  probe.mockRestore();
}

describe('a job without an end after MAX_JOB_MS', () => {
  it('ends as FAILED with its own error type, after one last read', async () => {
    const id = await say('[[never]] Silent');
    stage.clock.aheadMs += maxJobMs;
    expect(await stage.end(id)).toMatchObject({
      status: 'FAILED',
      failure: { __typename: 'GenerationFailedError', code: 'GENERATION_FAILED' },
      result: null,
    });
    expect((await reads()).length).toBeGreaterThan(0);
    const events = await stage.events(id);
    expectSoundLog(events);
    expect(events.at(-1)).toMatchObject({ status: 'FAILED', source: 'GATEWAY' });
    // Its slot is free again.
    const held = await stage.test.app.db.query('select 1 from lipsyncs where holds_slot');
    expect(held).toEqual([]);
    expect(await stage.postsOf(id)).toHaveLength(1);
  });

  it('ends with the status that the last read shows', async () => {
    const id = await say('[[never]] Made meanwhile');
    await stage.finish(id);
    stage.clock.aheadMs += maxJobMs;
    expect((await stage.end(id)).status).toBe('COMPLETED');
  });

  // It was once read every second.
  it('is read once per poll interval while the upstream cannot be read', async () => {
    const id = await say('[[never]] Unreadable');
    await stage.finish(id);
    await stage.test.turn({ failPath: unreadable });
    stage.clock.aheadMs += maxJobMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(3), patient);
    await passTicks(3);
    // One read with two retries.
    expect(await reads()).toHaveLength(3);
    expect((await stage.find(id))?.finishedAt).toBeNull();
    stage.clock.aheadMs += pollMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(6), patient);
    await passTicks(3);
    expect(await reads()).toHaveLength(6);

    await stage.test.turn({ failPath: null });
    stage.clock.aheadMs += pollMs;
    expect((await stage.end(id)).status).toBe('COMPLETED');
  });

  it('is given up if the upstream cannot be read for two intervals', async () => {
    const id = await say('[[never]] Never read');
    await stage.test.turn({ failPath: unreadable });
    stage.clock.aheadMs += maxJobMs;
    await vi.waitFor(async () => expect((await reads()).length).toBe(3), patient);
    stage.clock.aheadMs += 2 * pollMs;
    expect(await stage.end(id)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'GENERATION_FAILED' },
    });
  });
});
