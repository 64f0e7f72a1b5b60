import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { idOf, patient } from '../../domains/lipsyncs/stage.ts';
import { openLeg, type Told, type Transport } from '../../support/leg.ts';
import { type Fleet, type Instance, openFleet, studio } from './fleet.ts';

const cuts = 200;
const seed = 20_260_301;

let fleet: Fleet;
let instances: [Instance, Instance];
let video: string;
beforeAll(async () => {
  fleet = await openFleet({
    sandbox: { accounts: [{ email: studio, maxJobs: 2 }], queuedMs: 40, generatingMs: 150 },
  });
  instances = [await fleet.start(), await fleet.start()];
  video = await instances[0].source();
});
afterAll(() => fleet.stop());

const transports: Transport[] = ['websocket', 'event stream', 'event stream by POST'];

/** How one connection goes: where, over what, and after how many events it is cut. 0 cuts it before it is told any. */
const leg = fc.record({
  instance: fc.nat(1),
  transport: fc.constantFrom(...transports),
  cutAfter: fc.nat(2),
});

describe('works', () => {
  it(`${cuts} cuts at random over both transports, hopping between two instances, leave no gap and no repeat`, async () => {
    await fleet.turn({ outcome: 'MODERATED' });
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, n) =>
        instances[n % 2]?.create({ video: { id: video }, speech: { text: { text: `Cut ${n}` } } }),
      ),
    );
    const ids = made.map((each) => idOf(each ?? { __typename: 'nothing' }));
    const legs = fc.sample(leg, { seed, numRuns: 5_000 }).values();
    const used = new Set<string>();
    const next = () => {
      const { value } = legs.next();
      if (value === undefined) throw new Error('More connections than were drawn.');
      return value;
    };
    let cut = 0;

    /** One connection. False where the log completed before it was cut. */
    async function goOn(id: string, told: Told[]): Promise<boolean> {
      const { instance, transport, cutAfter } = next();
      const url = instances[instance]?.url ?? '';
      const at = await openLeg({ url, id, transport, after: told.at(-1)?.cursor ?? null });
      if (cutAfter > 0) await at.count(cutAfter);
      const heard = at.told.slice(0, cutAfter);
      told.push(...heard);
      if (heard.length < cutAfter) {
        expect((await at.over).kind).toBe('completed');
        return false;
      }
      at.cut();
      await at.over;
      cut += 1;
      used.add(`${transport} ${instance}`);
      return true;
    }

    /** Follows one to its end, over as many connections as that takes. */
    async function walk(id: string): Promise<[id: string, told: Told[]]> {
      const told: Told[] = [];
      while (await goOn(id, told));
      return [id, told];
    }

    const walks: [string, Told[]][] = [];
    while (cut < cuts) walks.push(...(await Promise.all(ids.map(walk))));
    expect(cut).toBeGreaterThanOrEqual(cuts);
    expect(used.size).toBe(2 * transports.length);
    for (const [id, told] of walks) {
      const log = (await instances[0].events(id)).map(({ sequence, status }) => ({
        sequence,
        status,
      }));
      const begun = told[0]?.sequence ?? 0;
      expect(told.map(({ sequence, status }) => ({ sequence, status }))).toEqual(
        log.filter(({ sequence }) => sequence >= begun),
      );
      expect(told.at(-1)?.status).toBe('MODERATED');
    }
    // Some were followed while they moved, not only read when all was over.
    expect(walks.some(([, told]) => told.length > 3)).toBe(true);
    await vi.waitFor(() => {
      for (const { app } of instances) expect(app.services.lipsyncs.watchedCount()).toBe(0);
    }, patient);
  });
});
