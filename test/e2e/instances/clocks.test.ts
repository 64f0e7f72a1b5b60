import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startTestApp } from '../../support/app.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { fakeToken } from '../../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { apiKeys, expectSoundLog, idOf, signInAs } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { createInstanceOperations } from './operations.ts';

const email = 'studio@clocks.example';
const upstreamTimeoutMs = 60_000;
/** An instance whose clock is this far ahead sees every lease of the other instance as expired. */
const aheadMs = upstreamTimeoutMs + 30_000;

let storage: TestStorage;
let upstream: FakeUpstream;
const closers: (() => Promise<void>)[] = [];
beforeEach(async () => {
  storage = await testStorage();
  upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 1 }], callbacks: 'none' });
  upstream.addVideo(email, 'a face');
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await upstream.close();
  await storage.remove();
});

/** On the same database as the others, with a clock of its own. */
async function start(clockAheadMs: number) {
  const clock = { aheadMs: clockAheadMs };
  const test = await startTestApp({
    storage,
    upstream,
    now: () => new Date(Date.now() + clock.aheadMs),
    env: {
      USEAPI_TOKEN: fakeToken,
      ALLOW_ANONYMOUS: 'true',
      API_KEYS: apiKeys('ann', 'bob', 'cat'),
      UPSTREAM_TIMEOUT_MS: String(upstreamTimeoutMs),
      // No list is read again in the background.
      READ_FRESH_MS: '86400000',
    },
  });
  closers.push(test.stop);
  return Object.assign(test, createInstanceOperations(test), { clock });
}

async function placeOf(from: Awaited<ReturnType<typeof start>>, id: string) {
  type Data = { lipsync: { progress: { queuePosition: number | null } } };
  const query = 'query ($id: ID!) { lipsync(id: $id) { progress { queuePosition } } }';
  return (await from.ask<Data>(query, { id })).data?.lipsync.progress.queuePosition;
}

const countPosts = () => upstream.countOf('POST /videos/lipsync');

describe('clocks that differ', () => {
  it('do not raise a queue position when a POST that another instance took over is answered 429', async () => {
    const slow = await start(0);
    const video = { videoId: await slow.source() };
    const say = (text: string) => slow.create({ video, speech: { script: { text } } });
    await say('Running');
    const running = await upstream.nextJob();
    const [first, second] = [idOf(await say('First')), idOf(await say('Second'))];

    const answer = upstream.hold('POST /videos/lipsync');
    await running.become(1);
    await vi.waitFor(() => expect(countPosts()).toBe(2), longWait);
    // Otherwise it sees no running job of the first lip-sync and sends the second one.
    upstream.reply('GET /scheduler', { status: 503 });
    const fast = await start(aheadMs);
    const places = async () => (await fast.readEvents(second)).map((event) => event.queuePosition);
    await vi.waitFor(async () => expect(await places()).toEqual([2, 1]), longWait);

    upstream.reply('POST /videos/lipsync', { status: 429, body: '{"error":"busy"}' });
    answer();
    // By the fast clock the retry is already due.
    const again = upstream.hold('POST /videos/lipsync');
    await vi.waitFor(async () => {
      const queued = (await fast.readEvents(first)).filter(({ status }) => status === 'QUEUED');
      expect(queued).toHaveLength(2);
    }, longWait);
    const place = await placeOf(fast, second);
    again();
    expect(place).toBe(1);
    expectSoundLog(await fast.readEvents(first));
    expectSoundLog(await fast.readEvents(second));
  });

  it('cause no second POST, no lost lip-sync and no gap, whatever the difference', async () => {
    const instances = [await start(0), await start(aheadMs), await start(-aheadMs)];
    const at = (n: number) => instances[n % instances.length] ?? (instances[0] as never);
    upstream.accounts[0] = { email, maxJobs: 3 };
    const video = { videoId: await at(0).source() };
    // Each request is sent twice, to both instances.
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const text = `Number ${n % 12}`;
        return at(n % 12 === n ? n : n + 1).create({
          video,
          speech: { script: { text } },
          idempotencyKey: text,
        });
      }),
    );
    const ids = new Set(made.map(idOf));
    expect(ids.size).toBe(12);
    for (let done = 0; done < ids.size; done += 1) await (await upstream.nextJob()).become(1);
    for (const id of ids) {
      expect((await at(0).waitForEnd(id)).status).toBe('COMPLETED');
      expectSoundLog(await at(1).readEvents(id));
    }
    const { jobs } = upstream;
    expect(new Set(jobs.map(({ replyRef }) => replyRef)).size).toBe(jobs.length);
    expect(jobs).toHaveLength(ids.size);
    expect(countPosts()).toBe(ids.size);
  });

  it.each([
    ['ahead', aheadMs],
    ['behind', -aheadMs],
  ])(
    'send one POST for a key that is rejected while the other instance, whose clock is %s, validates the same request',
    async (_, apart) => {
      const here = await start(0);
      const there = await start(apart);
      const video = { videoId: await here.source() };
      const input = { video, speech: { script: { text: 'Rude' } }, idempotencyKey: 'rude' };
      upstream.reply('POST /videos/lipsync', { status: 422, body: '{"error":"no"}' });
      expect((await here.create(input)).code).toBe('CONTENT_MODERATED');
      // The accounts that the other instance has read are too old for another creation.
      there.clock.aheadMs += 61_000;
      const answer = upstream.hold('GET /accounts');
      const before = upstream.countOf('GET /accounts');
      const asked = there.create(input);
      await vi.waitFor(
        () => expect(upstream.countOf('GET /accounts')).toBeGreaterThan(before),
        longWait,
      );
      expect((await here.create(input)).code).toBe('CONTENT_MODERATED');
      upstream.reply('POST /videos/lipsync', null);
      answer();
      expect((await asked).code).toBe('CONTENT_MODERATED');
      expect(countPosts()).toBe(2);
      // A later request does not get this answer.
      expect(await there.create(input)).toMatchObject({ replayed: false });
      expect(countPosts()).toBe(3);
    },
  );

  it('keep the turns of owners fair when the last turn was recorded by another clock', async () => {
    const here = await start(0);
    const there = await start(aheadMs);
    const video = { videoId: await here.source(signInAs('ann')) };
    const ask = async (from: typeof here, owner: string, n: number) =>
      idOf(
        await from.create(
          { video, speech: { script: { text: `${owner} ${n}` } } },
          signInAs(owner),
        ),
      );
    const serve = async (from: typeof here, owner: string) => {
      const id = await ask(from, owner, 0);
      await (await upstream.nextJob()).become(8);
      await here.waitForEnd(id, signInAs(owner));
    };
    await serve(there, 'ann');
    await serve(here, 'bob');
    await ask(here, 'cat', 0);
    await ask(here, 'bob', 1);
    await ask(here, 'ann', 1);
    await (await upstream.nextJob()).become(8);
    const { body } = await upstream.nextJob();
    expect(body.prompt).toBe('ann 1');
  });
});
