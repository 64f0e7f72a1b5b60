import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ControlledApp } from './controlled-app.ts';
import { finish, histories } from './histories.ts';
import type { Model } from './plain-model.ts';

const seed = 20_260_504;
const numRuns = 60;

let world: ControlledApp;
beforeAll(async () => {
  world = await ControlledApp.open();
});
afterAll(() => world.close());

describe('any history', () => {
  it(`of ${numRuns} (seed ${seed}) keeps the rules of logs and POSTs and agrees with a plain model`, async () => {
    const given = fc.tuple(histories, fc.boolean(), fc.boolean());
    const property = fc.asyncProperty(given, async ([history, inScheduler, inLists]) => {
      await world.reset();
      world.upstream.behaviour.schedulesReplyRef = inScheduler;
      world.upstream.behaviour.listsReplyRef = inLists;
      const { upstream, instance } = world;
      const model: Model = { lipsyncs: new Map(), now: world.now.getTime(), upstream, instance };
      await fc.asyncModelRun(() => ({ model, real: world }), history);
      await world.expectTrueCounts();
      await finish(model, world);
      await world.expectTrueCounts();
      await world.expectCompleteStreams();
    });
    await fc.assert(property, { seed, numRuns });
  }, 120_000);
});
