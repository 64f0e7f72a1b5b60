import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf, terminalStatuses } from '../../support/lipsync-app.ts';
import { cheapEnd, type Fleet, openFleet, studio } from './fleet.ts';
import type { InstanceOperations } from './operations.ts';

const upstreamTimeoutMs = 9_000;
const hour = 3_600_000;
const patient = { timeout: 60_000, interval: 100 };

let fleet: Fleet;
beforeEach(async () => {
  fleet = await openFleet({ env: { UPSTREAM_TIMEOUT_MS: String(upstreamTimeoutMs) } });
  await fleet.turn({ callbacks: 'final-only', ...cheapEnd });
});
afterEach(() => fleet.stop());

const countOf = async (from: InstanceOperations, ...statuses: string[]) =>
  (await from.list()).filter(({ status }) => statuses.includes(status)).length;

const say = (video: string, text: string, more: object = {}) => ({
  video: { videoId: video },
  speech: { script: { text } },
  ...more,
});

describe('works', () => {
  // One instance without a restart: test/domains/lipsyncs/dispatch/queue.test.ts.
  it.each([
    { name: 'over one instance, which', hasOther: false },
    { name: 'over two instances, one of which', hasOther: true },
  ])(
    'runs fifty on three slots while $name is killed and restarted: no 429, never more than three at once, none lost',
    async ({ hasOther }) => {
      const lost = await fleet.spawn();
      const other = hasOther ? await fleet.start() : null;
      const video = await lost.source();
      // Jobs end when the test ends them, so that three run whenever others wait.
      await fleet.turn({ generatingMs: hour });
      const made = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          (n % 2 === 0 ? lost : (other ?? lost)).create(say(video, `Number ${n}`)),
        ),
      );
      expect(made.map(({ __typename }) => __typename)).toEqual(
        Array(50).fill('CreateLipsyncSuccess'),
      );
      await vi.waitFor(async () => {
        await fleet.finishJobs();
        expect(await countOf(lost, ...terminalStatuses)).toBeGreaterThan(10);
      }, patient);
      await vi.waitFor(async () => {
        expect((await fleet.accounts())[studio]?.executing).toBe(3);
      }, patient);
      // It is killed during three POSTs whose answers are lost: no slot is free for another one.
      await fleet.turn({ hangNext: 3 });
      await fleet.finishJobs();
      await vi.waitFor(async () => {
        expect((await fleet.posts()).filter(({ status }) => status === 'hang')).toHaveLength(3);
      }, patient);
      await lost.program.kill('SIGKILL');
      fleet.clock.aheadMs += upstreamTimeoutMs + 15_000;
      const again = await fleet.start();
      await vi.waitFor(async () => expect(await countOf(again, 'SUBMITTING')).toBe(0), patient);
      await fleet.turn({ generatingMs: 60 });
      await fleet.finishJobs();
      await vi.waitFor(async () => {
        expect(await countOf(other ?? again, 'MODERATED')).toBe(50);
      }, patient);
      expect((await fleet.accounts())[studio]?.highWater).toBe(3);
      const statuses = (await fleet.posts()).map(({ status }) => status);
      expect(statuses.filter((status) => status !== 200 && status !== 'hang')).toEqual([]);
      const jobs = await fleet.jobs();
      expect(new Set(jobs.map(({ replyRef }) => replyRef)).size).toBe(50);
      expect(jobs).toHaveLength(50);
      for (const each of made) expectSoundLog(await again.readEvents(idOf(each)));
    },
  );

  it('off-peak jobs take no slot and do not wait for one, on every instance', async () => {
    const instances = [await fleet.start(), await fleet.start()] as const;
    const video = await instances[0].source();
    await fleet.turn({ queuedMs: hour, generatingMs: hour });
    const create = (n: number, more?: object) =>
      instances[n % 2 === 0 ? 0 : 1].create(say(video, `Number ${n}`, more));
    const ask = (count: number, more?: object) =>
      Promise.all(Array.from({ length: count }, (_, n) => create(n, more)));
    const statuses = async (asked: ReturnType<typeof ask>) =>
      (await asked).map(({ lipsync }) => lipsync?.status);
    const offPeak = { offPeak: true };
    expect(await statuses(ask(5, offPeak))).toEqual(Array(5).fill('SUBMITTED'));
    // Exactly three slots are free.
    expect((await statuses(ask(6))).sort()).toEqual(
      ['QUEUED', 'SUBMITTED'].flatMap((status) => Array(3).fill(status)),
    );
    expect(await statuses(ask(5, offPeak))).toEqual(Array(5).fill('SUBMITTED'));
    expect(await statuses(ask(2))).toEqual(Array(2).fill('QUEUED'));
    expect((await fleet.accounts())[studio]).toMatchObject({ executing: 3, highWater: 3 });
    const posts = await fleet.posts();
    expect(posts.map(({ status }) => status)).toEqual(Array(13).fill(200));
    expect(posts.filter(({ body }) => body?.off_peak_mode === true)).toHaveLength(10);
  });
});
