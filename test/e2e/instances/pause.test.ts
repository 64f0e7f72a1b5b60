import { afterEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { cheapEnd, type Fleet, type Instance, openFleet } from './fleet.ts';

const hour = 3_600_000;
const big = 'big@sandbox.example';
const small = 'small@sandbox.example';

let fleet: Fleet;
afterEach(() => fleet.stop());

async function open(emails: readonly string[]): Promise<[Instance, Instance]> {
  fleet = await openFleet({
    // The clock jumps by a minute: leases and jobs must outlast that.
    env: { UPSTREAM_TIMEOUT_MS: String(hour), MAX_JOB_MS: String(100 * hour) },
    sandbox: { accounts: emails.map((email) => ({ email, maxJobs: 3 })) },
  });
  await fleet.turn({ callbacks: 'final-only', ...cheapEnd });
  return [await fleet.start(), await fleet.start()];
}

/** Fifty of an uploaded video, which every account can process, requested from both instances. */
async function askFifty(instances: [Instance, Instance]): Promise<string[]> {
  const uploadId = await instances[0].uploadVideo();
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      instances[n % 2 === 0 ? 0 : 1].create({
        video: { uploadId },
        speech: { script: { text: `Number ${n}` } },
      }),
    ),
  );
  expect(new Set(made.map(({ __typename }) => __typename))).toEqual(
    new Set(['CreateLipsyncSuccess']),
  );
  return made.map(idOf);
}

/** The number of lip-syncs per failure. */
async function failuresOf(instance: Instance): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, failure } of await instance.list()) {
    const name = failure?.code ?? status;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Fails the account in the middle of the queue, with three simultaneous POSTs to it. */
async function fallIll(name: string): Promise<void> {
  await vi.waitFor(async () => {
    expect((await fleet.jobs()).filter(({ email }) => email === big).length).toBeGreaterThan(5);
  }, longWait);
  await fleet.turn({ generatingMs: hour });
  await vi.waitFor(async () => {
    expect((await fleet.accounts())[big]?.executing).toBe(3);
    expect((await fleet.jobs()).filter(({ status }) => status === 'QUEUED')).toEqual([]);
  }, longWait);
  await fleet.turn({ generatingMs: 60, [`account${name}`]: big, delayMs: 100 });
  await fleet.finishJobs();
  await vi.waitFor(async () => {
    const codes = (await fleet.posts()).map(({ status }) => status);
    expect(codes).toContain(Number(name));
  }, longWait);
  await fleet.turn({ delayMs: null });
}

/** The reads that show whether the account has recovered. */
const accounts = [
  { name: '412', code: 'INSUFFICIENT_CREDITS', read: 'GET /features/' },
  { name: '596', code: 'ACCOUNT_PENDING', read: `GET /accounts/${big}` },
];

describe('works', () => {
  it.each(accounts)(
    'one of fifty fails when one of two accounts answers $name, and the rest use the other account',
    async ({ name, code }) => {
      const instances = await open([big, small]);
      const ids = await askFifty(instances);
      await fallIll(name);
      await vi.waitFor(async () => {
        expect(await failuresOf(instances[0])).toEqual({ [code]: 1, CONTENT_MODERATED: 49 });
      }, longWait);
      const posts = await fleet.posts();
      const met = posts.findIndex((post) => post.status === Number(name));
      expect(posts[met]?.body?.email).toBe(big);
      // The paused account gets no POST; the rest goes to the other account.
      const later = posts.slice(met + 1).filter(({ status }) => status === 200);
      expect(later.length).toBeGreaterThan(10);
      expect(new Set(later.map(({ body }) => body?.email))).toEqual(new Set([small]));
      expect(posts.filter((post) => post.status === 200)).toHaveLength(49);
      expect(await fleet.jobs()).toHaveLength(49);
      for (const id of ids) expectSoundLog(await instances[1].readEvents(id));
    },
  );

  it.each(accounts)(
    'one of fifty fails when the only account answers $name, and the rest wait until a read, one a minute, succeeds',
    async ({ name, code, read }) => {
      const instances = await open([big]);
      const ids = await askFifty(instances);
      const asked = (await fleet.requests(read)).length;
      await fallIll(name);
      const wait = (check: (counts: Record<string, number>) => void) =>
        vi.waitFor(async () => check(await failuresOf(instances[0])), longWait);
      await wait((counts) => {
        expect(counts).toEqual({
          [code]: 1,
          CONTENT_MODERATED: expect.any(Number),
          QUEUED: expect.any(Number),
        });
      });
      const paused = await failuresOf(instances[0]);
      const before = (await fleet.posts()).length;
      const reads = async () => (await fleet.requests(read)).length - asked;
      await fleet.pass(1_000);
      for (const minute of [1, 2, 3]) {
        // Both schedulers run every second, here three times, and there is one read a minute.
        for (const { app } of [...instances, ...instances, ...instances]) {
          await app.services.accounts.probeDue();
        }
        await vi.waitFor(async () => expect(await reads()).toBe(minute), longWait);
        await fleet.pass(60_000);
      }
      await vi.waitFor(async () => expect(await reads()).toBe(4), longWait);
      expect(await fleet.posts()).toHaveLength(before);
      expect(await failuresOf(instances[1])).toEqual(paused);
      await fleet.turn({ [`account${name}`]: null });
      await fleet.pass(60_000);
      await wait((counts) => expect(counts).toEqual({ [code]: 1, CONTENT_MODERATED: 49 }));
      expect(await reads()).toBe(5);
      expect((await fleet.posts()).filter((post) => post.status === 200)).toHaveLength(49);
      for (const id of ids) expectSoundLog(await instances[1].readEvents(id));
    },
  );
});
