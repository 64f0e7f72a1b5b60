import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { postgresUrl, type TestStorage, testStorage } from '../../support/database.ts';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { type Cutter, openCutter, randomFrom } from './cutter.ts';
import { ResumingSubscriber } from './resuming-subscriber.ts';

const seed = 20_260_501;

/** On PostgreSQL all cuts on two instances; on PGlite, which allows one instance, a few. */
const size =
  postgresUrl === undefined
    ? { instances: 1, lipsyncs: 2, steps: 4, cuts: 40 }
    : { instances: 2, lipsyncs: 8, steps: 10, cuts: 200 };

/**
 * About half of the cuts are in the middle of an event, the others at any byte of the answer. A browser
 * waits before it reconnects, so under so many cuts it would receive no event.
 */
const mostBytes = { impatient: 1_500, browser: 20_000 };

// In live mode a job is expected to take a minute and a half and therefore has many percent events.
const env = { USEAPI_TOKEN: 'user:1001-sandbox', ALLOW_ANONYMOUS: 'true' };

let storage: TestStorage;
let app: LipsyncApp;
let second: TestApp | null = null;
let cutters: { impatient: Cutter; browser: Cutter };
beforeAll(async () => {
  storage = await testStorage();
  const accounts = [{ email: 'studio@sandbox.example', maxJobs: 8 }];
  app = await startLipsyncApp({ env, storage, sandbox: { accounts } });
  await app.turn({ callbacks: 'none' });
  if (size.instances > 1) {
    const now = () => new Date(Date.now() + app.clock.aheadMs);
    second = await startTestApp({ env, storage, upstream: app.sandbox, now });
  }
  const origins = [app.url, ...(second === null ? [] : [second.url])];
  const random = randomFrom(seed);
  cutters = {
    impatient: await openCutter(origins, { random, mostBytes: mostBytes.impatient }),
    browser: await openCutter(origins, { random, mostBytes: mostBytes.browser }),
  };
});
afterAll(async () => {
  for (const cutter of both()) await cutter.close();
  await second?.stop();
  await app.stop();
  await storage.remove();
});

const both = () => Object.values(cutters);
const countCuts = () => both().reduce((sum, { cuts }) => sum + cuts(), 0);

/** Advances the clock until each running lip-sync has logged another percent event, if it can. */
async function moveOn(ids: string[]): Promise<void> {
  const lengths = async () => Promise.all(ids.map(async (id) => (await app.readEvents(id)).length));
  const before = await lengths();
  // A little more than five points take, the smallest step that is logged.
  app.clock.aheadMs += 5_500;
  await vi.waitFor(async () => {
    const after = await lengths();
    for (const [at, length] of after.entries()) expect(length).toBeGreaterThan(before[at] ?? 0);
  }, longWait);
}

async function createAll(): Promise<string[]> {
  const [video = ''] = await app.listVideoIds();
  const ids: string[] = [];
  for (let n = 0; n < size.lipsyncs; n += 1) {
    const text = `[[never]] Number ${n}`;
    ids.push(idOf(await app.create({ video: { videoId: video }, text })));
  }
  return ids;
}

type Watching = { watched: string | string[]; watcher: ResumingSubscriber; end: Promise<void> };

/** Four subscribers of the lip-sync or list, one for each transport. */
function watch(watched: string | string[]): Watching[] {
  const begin = (
    how: (watcher: ResumingSubscriber) => Promise<void>,
    { url } = cutters.impatient,
  ) => {
    const watcher = new ResumingSubscriber(url, watched);
    return { watched, watcher, end: how(watcher) };
  };
  return [
    begin((watcher) => watcher.overWebSocket()),
    begin((watcher) => watcher.overFetch()),
    begin((watcher) => watcher.overFetchWithLastEventId()),
    begin((watcher) => watcher.overEventSource(), cutters.browser),
  ];
}

async function moveOnUnderCuts(ids: string[]): Promise<void> {
  for (let step = 0; step < size.steps; step += 1) {
    await moveOn(ids);
    // EventSource reconnects after a second and must still receive the events in between.
    for (const cutter of both()) cutter.cutAll();
  }
  const { impatient } = cutters;
  while (countCuts() < size.cuts) {
    impatient.cutAll();
    await vi.waitFor(() => expect(impatient.openCount()).toBeGreaterThan(ids.length), longWait);
  }
}

async function expectWhole({ watched, watcher }: Watching) {
  expect(watcher.isComplete).toBe(true);
  for (const id of [watched].flat()) {
    const log = await app.readEvents(id);
    expectSoundLog(log);
    const seen = watcher.events.filter(({ lipsync }) => lipsync.id === id);
    const rest = log.slice((seen[0]?.sequence ?? 0) - 1);
    expect(seen.map(({ sequence }) => sequence)).toEqual(rest.map(({ sequence }) => sequence));
    expect(seen.at(-1)?.status).toBe('COMPLETED');
    // Each cursor of a list occurs once.
    if (watched === id) {
      expect(seen.map(({ cursor }) => cursor)).toEqual(rest.map(({ cursor }) => cursor));
    }
  }
  const cursors = watcher.events.map(({ cursor }) => cursor);
  expect(new Set(cursors).size).toBe(cursors.length);
}

describe('connections cut at random', () => {
  test(`lose and repeat no event: ${size.cuts} cuts over every transport, seed ${seed}`, async () => {
    const ids = await createAll();
    const watchers = [...ids, ids].flatMap(watch);
    await moveOnUnderCuts(ids);
    // The last event is cut like the others, but only a limited number of times.
    for (const cutter of both()) cutter.calmDown(size.cuts);
    for (const id of ids) await app.finishJob(id);
    await Promise.all(watchers.map(({ end }) => end));

    for (const visits of cutters.impatient.visits()) expect(visits).toBeGreaterThan(size.cuts / 5);
    for (const each of watchers) await expectWhole(each);
  }, 120_000);
});
