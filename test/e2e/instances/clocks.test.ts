import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKeys, as, expectSoundLog, idOf, patient } from '../../domains/lipsyncs/stage.ts';
import { startTestApp } from '../../support/app.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { fakeToken } from '../../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { questionsOf } from './questions.ts';

const email = 'studio@clocks.example';
const upstreamTimeoutMs = 60_000;
/** One whose clock is so much ahead takes every claim of the other for one that nobody holds any more. */
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
  const test = await startTestApp({
    storage,
    upstream,
    now: () => new Date(Date.now() + clockAheadMs),
    env: {
      USEAPI_TOKEN: fakeToken,
      ALLOW_ANONYMOUS: 'true',
      API_KEYS: apiKeys('ann', 'bob', 'cat'),
      UPSTREAM_TIMEOUT_MS: String(upstreamTimeoutMs),
    },
  });
  closers.push(test.stop);
  return Object.assign(test, questionsOf(test));
}

async function placeOf(from: Awaited<ReturnType<typeof start>>, id: string) {
  type Data = { lipsync: { progress: { queuePosition: number | null } } };
  const query = 'query ($id: ID!) { lipsync(id: $id) { progress { queuePosition } } }';
  return (await from.ask<Data>(query, { id })).data?.lipsync.progress.queuePosition;
}

const countPosts = () => upstream.countOf('POST /videos/lipsync');

describe('clocks that differ', () => {
  it('let a place rise, as a POST that another instance had taken over was answered 429', async () => {
    const slow = await start(0);
    const video = { id: await slow.source() };
    const say = (text: string) => slow.create({ video, speech: { text: { text } } });
    await say('Running');
    const running = await upstream.nextJob();
    const [first, second] = [idOf(await say('First')), idOf(await say('Second'))];

    const answer = upstream.hold('POST /videos/lipsync');
    await running.become(1);
    await vi.waitFor(() => expect(countPosts()).toBe(2), patient);
    // Else it sees that nothing of the first one runs, and sends the second in its place.
    upstream.reply('GET /scheduler', { status: 503 });
    const fast = await start(aheadMs);
    const places = async () => (await fast.events(second)).map((event) => event.queuePosition);
    await vi.waitFor(async () => expect(await places()).toEqual([2, 1]), patient);

    upstream.reply('POST /videos/lipsync', { status: 429, body: '{"error":"busy"}' });
    answer();
    // By the clock of the fast one it is time already to try again.
    const again = upstream.hold('POST /videos/lipsync');
    await vi.waitFor(async () => {
      const told = (await fast.events(first)).filter(({ status }) => status === 'QUEUED');
      expect(told).toHaveLength(2);
    }, patient);
    const place = await placeOf(fast, second);
    again();
    expect(place).toBe(1);
    expectSoundLog(await fast.events(first));
    expectSoundLog(await fast.events(second));
  });

  it('send nothing twice, lose nothing and leave no gap, however far they are apart', async () => {
    const instances = [await start(0), await start(aheadMs), await start(-aheadMs)];
    const at = (n: number) => instances[n % instances.length] ?? (instances[0] as never);
    upstream.accounts[0] = { email, maxJobs: 3 };
    const video = { id: await at(0).source() };
    // Each is asked for twice, of two instances.
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const text = `Number ${n % 12}`;
        return at(n % 12 === n ? n : n + 1).create({
          video,
          speech: { text: { text } },
          idempotencyKey: text,
        });
      }),
    );
    const ids = new Set(made.map(idOf));
    expect(ids.size).toBe(12);
    for (let done = 0; done < ids.size; done += 1) await (await upstream.nextJob()).become(1);
    for (const id of ids) {
      expect((await at(0).end(id)).status).toBe('COMPLETED');
      expectSoundLog(await at(1).events(id));
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
    'sent a second POST of one key, as a refusal came while the other instance, whose clock is %s, still checked the request',
    async (_, apart) => {
      const here = await start(0);
      const there = await start(apart);
      const video = { id: await here.source() };
      const input = { video, speech: { text: { text: 'Rude' } }, idempotencyKey: 'rude' };
      upstream.reply('POST /videos/lipsync', { status: 422, body: '{"error":"no"}' });
      // It knows the accounts from here on, and the other one does not.
      expect((await here.create(input)).code).toBe('CONTENT_MODERATED');
      const answer = upstream.hold('GET /accounts');
      const asked = there.create(input);
      await vi.waitFor(() => expect(upstream.countOf('GET /accounts')).toBe(2), patient);
      expect((await here.create(input)).code).toBe('CONTENT_MODERATED');
      upstream.reply('POST /videos/lipsync', null);
      answer();
      expect((await asked).code).toBe('CONTENT_MODERATED');
      expect(countPosts()).toBe(2);
      // Whoever asks after it is not answered by it.
      expect(await there.create(input)).toMatchObject({ replayed: false });
      expect(countPosts()).toBe(3);
    },
  );

  it('gave a turn to whoever had just had one, as that was by the clock of another instance', async () => {
    const here = await start(0);
    const there = await start(aheadMs);
    const video = { id: await here.source(as('ann')) };
    const ask = async (from: typeof here, owner: string, n: number) =>
      idOf(await from.create({ video, speech: { text: { text: `${owner} ${n}` } } }, as(owner)));
    const serve = async (from: typeof here, owner: string) => {
      const id = await ask(from, owner, 0);
      await (await upstream.nextJob()).become(8);
      await here.end(id, as(owner));
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
