import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectSoundLog, idsOf, terminalStatuses, type Update } from '../../support/lipsync-app.ts';
import { cheapEnd, type Fleet, type Instance, openFleet } from './fleet.ts';

let fleet: Fleet;
let here: Instance;
let there: Instance;
let video: string;
beforeAll(async () => {
  fleet = await openFleet();
  here = await fleet.start();
  there = await fleet.start();
  video = await here.source();
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  await fleet.clearSwitches();
  await fleet.turn({ callbacks: 'final-only', generatingMs: 60, ...cheapEnd });
});

const inputs = (count: number, name: string, more: object = {}) =>
  Array.from({ length: count }, (_, n) => ({
    video: { videoId: video },
    speech: { script: { text: `${name} ${n}` } },
    idempotencyKey: `${name} ${n}`,
    ...more,
  }));

const of = (updates: readonly Update[], id: string) =>
  updates.filter(({ lipsync }) => lipsync.id === id).map(({ sequence }) => sequence);

async function expectWhole(seen: readonly Update[], ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const log = await there.readEvents(id);
    expectSoundLog(log);
    const sequences = of(seen, id);
    expect(sequences.length).toBeGreaterThan(0);
    expect(sequences).toEqual(log.map(({ sequence }) => sequence).slice(-sequences.length));
    expect(terminalStatuses).toContain(seen.findLast(({ lipsync }) => lipsync.id === id)?.status);
  }
}

describe('a list', () => {
  it('is watched on one instance while both instances send and poll its jobs', async () => {
    const ids = idsOf(await here.createAll(inputs(12, 'Elsewhere')));
    const seen = await there.watchAll(ids.toReversed());
    await expectWhole(seen, ids);
  });

  it('resumes after its cursor on another instance', async () => {
    const ids = idsOf(await there.createAll(inputs(20, 'Hopping')));
    const seen: Update[] = [];
    for (const [turn, instance] of [here, there, here, there, here].entries()) {
      const order = turn % 2 === 0 ? ids : ids.toReversed();
      const isEnough = (some: Update[]) => some.length === 11;
      seen.push(...(await instance.watchAll(order, { after: seen.at(-1)?.cursor, isEnough })));
    }
    seen.push(...(await there.watchAll(ids, { after: seen.at(-1)?.cursor })));
    await expectWhole(seen, ids);
    const cursors = seen.map(({ cursor }) => cursor);
    expect(new Set(cursors).size).toBe(cursors.length);
  });
});

describe('a batch', () => {
  it('is created once when both instances get it at once, in different orders', async () => {
    // Off-peak jobs need no slot, so each is sent at once.
    const batch = inputs(10, 'Twice', { offPeak: true });
    await fleet.turn({ delayMs: 50, generatingMs: 3_600_000 });
    const [one, other] = await Promise.all([
      here.createAll(batch),
      there.createAll(batch.toReversed()),
    ]);
    const ids = idsOf(one);
    expect(idsOf(other)).toEqual(ids.toReversed());
    const all = [...(one.results ?? []), ...(other.results ?? [])];
    expect(all.filter(({ replayed }) => replayed === false)).toHaveLength(10);
    for (const id of ids) expect(await fleet.jobsOf(id)).toHaveLength(1);
  });
});
