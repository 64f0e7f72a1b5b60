import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../../support/lipsync-app.ts';

/** Milliseconds, shortest first. About a minute, as the upstream's users report, with two outliers. */
const shortTexts = [
  58_400, 59_800, 61_200, 61_900, 63_000, 64_900, 66_100, 72_300, 240_000, 512_000,
];
const medianOfShort = 63_950;
/** Speech of more than ten seconds takes longer. */
const longTexts = [118_000, 131_000, 125_500];
const medianOfLong = 125_500;

/** The test moves the clock, so that the recorded durations are exact. */
let now = Date.parse('2026-05-01T12:00:00Z');
let app: LipsyncApp;
let video: string;

beforeAll(async () => {
  app = await startLipsyncApp({
    now: () => new Date(now),
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  await app.sendFinalCallbacksOnly();
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

const short = '[[never]] In a few words';
const long = `[[never]] ${'More than ten seconds of speech. '.repeat(5)}`;

const create = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

type Estimate = { percent: number; estimatedCompletionAt: string | null };

async function readEstimate(id: string): Promise<Estimate & { expectedMs: number }> {
  type Data = { lipsync: { submittedAt: string; progress: Estimate } };
  const { lipsync } = await app.askForData<Data>(
    'query ($id: ID!) { lipsync(id: $id) { submittedAt progress { percent estimatedCompletionAt } } }',
    { id },
  );
  const { progress, submittedAt } = lipsync;
  const expectedMs = Date.parse(progress.estimatedCompletionAt ?? '') - Date.parse(submittedAt);
  return { ...progress, expectedMs };
}

/** Runs jobs with this text that take these times. Jobs of a batch run concurrently. */
async function record(text: string, durations: readonly number[]): Promise<void> {
  for (let at = 0; at < durations.length; at += 8) {
    const batch = durations.slice(at, at + 8);
    const ids = await Promise.all(batch.map(() => create(text)));
    const start = now;
    for (const [n, ms] of batch.entries()) {
      now = start + ms;
      await app.finishJob(ids[n] ?? '');
      await app.waitForEnd(ids[n] ?? '');
    }
  }
}

describe('an estimate', () => {
  it('is the default until jobs have finished, then the median of jobs of the same kind', async () => {
    const first = await create(short);
    expect((await readEstimate(first)).expectedMs).toBe(5_000);
    await app.cancel(first);

    await record(short, shortTexts);
    const like = await create(short);
    expect((await readEstimate(like)).expectedMs).toBe(medianOfShort);
    // No job of this length has finished, so other lengths are used before the default.
    const other = await create(long);
    expect((await readEstimate(other)).expectedMs).toBe(medianOfShort);
    await Promise.all([app.cancel(like), app.cancel(other)]);

    await record(long, longTexts);
    const [again, longer] = [await create(short), await create(long)];
    expect((await readEstimate(again)).expectedMs).toBe(medianOfShort);
    expect((await readEstimate(longer)).expectedMs).toBe(medianOfLong);
    await Promise.all([app.cancel(again), app.cancel(longer)]);
  });

  it('never falls and stays at most 95 while a job takes ten times as long, and is 100 when COMPLETED', async () => {
    const id = await create(short);
    const start = now;
    const seen: number[] = [];
    for (let share = 0; share <= 10; share += 0.25) {
      now = start + share * medianOfShort;
      const { percent, estimatedCompletionAt } = await readEstimate(id);
      expect(Date.parse(estimatedCompletionAt ?? '')).toBeGreaterThan(now);
      seen.push(percent);
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen[2]).toBe(42.5);
    expect(seen[4]).toBe(85);
    expect(seen.at(-1)).toBeLessThanOrEqual(95);
    await app.finishJob(id);
    await app.waitForEnd(id);
    expect(await readEstimate(id)).toMatchObject({ percent: 100, estimatedCompletionAt: null });
  });
});
