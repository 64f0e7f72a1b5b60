import fc from 'fast-check';
import { expect } from 'vitest';
import type { Outcome } from '../../../support/fake-upstream/outcomes.ts';
import type { FakeUpstream } from '../../../support/fake-upstream/server.ts';
import {
  type Command,
  Crash,
  Create,
  type CreateSpec,
  Dispatch,
  DispatchAndDie,
  DispatchWithoutUpstream,
  Poll,
  Tick,
  Wait,
} from './commands.ts';
import { Answer, Callback, Cancel, MoveJob } from './commands-of-one.ts';
import type { ControlledApp } from './controlled-app.ts';
import { isEnd, type Model, type ModelLipsync } from './plain-model.ts';

/** Time passes, and the upstream completes all jobs and answers all POSTs: every lip-sync must end. */
export async function finish(model: Model, world: ControlledApp): Promise<void> {
  const { upstream } = world;
  const has = (is: (lipsync: ModelLipsync) => boolean) => [...model.lipsyncs.values()].some(is);
  upstream.clearScripts();
  for (const outcome of ['created and cut', 'cut'] as const) {
    const answer = new Answer(0, outcome);
    while (answer.check(model)) await answer.run(model, world);
  }
  for (let round = 0; has(({ status }) => !isEnd(status)); round += 1) {
    expect(round).toBeLessThan(40);
    await completeAll(upstream);
    const isWaiting = has(({ status }) => status === 'QUEUED');
    await new Wait(isWaiting ? 71_000 : 7_200_000).run(model, world);
    for (const command of [new Tick(), new Poll(), new Dispatch()]) await command.run(model, world);
  }
  // Jobs of lip-syncs that were given up may be found once; after that nothing changes.
  for (const n of [...model.lipsyncs.keys(), ...model.lipsyncs.keys()].keys()) {
    await new Callback(n, 'itself').run(model, world);
  }
}

async function completeAll({ jobs }: FakeUpstream): Promise<void> {
  const running = jobs.filter(({ status }) => status === 5 || status === 10);
  for (const job of running) await job.become(1);
}

/** Repeats each command by its weight. */
function weighted(...choices: [weight: number, command: fc.Arbitrary<Command>][]) {
  return choices.flatMap(([weight, command]) => Array<fc.Arbitrary<Command>>(weight).fill(command));
}

const nth = fc.nat(9);
const unclear = [
  'created and cut',
  'created and 500',
  'created without an id',
  'cut',
  '500',
] as const;
const rejected = ['400', '422'] as const;
const postOutcome = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Outcome>('accepted') },
  { weight: 4, arbitrary: fc.constantFrom<Outcome>(...unclear) },
  { weight: 3, arbitrary: fc.constantFrom<Outcome>('created and held', 'held') },
  { weight: 2, arbitrary: fc.constant<Outcome>('429') },
  { weight: 1, arbitrary: fc.constantFrom<Outcome>(...rejected) },
);
const answer = fc.constantFrom<Outcome>('accepted', ...unclear, '429', '400', '422');
const states = fc.constantFrom<MoveJob['to']>('GENERATING', 'COMPLETED', 'FAILED', 'MODERATED');
const spec: fc.Arbitrary<CreateSpec> = fc.record({
  owner: fc.constantFrom('ann', 'bob'),
  mayWait: fc.constantFrom(true, true, false),
  script: fc.oneof(
    { weight: 9, arbitrary: fc.array(postOutcome, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant(Array<Outcome>(8).fill('429')) },
  ),
  expiresInMs: fc.option(fc.integer({ min: 1_000, max: 200_000 }), { freq: 6 }),
});
const crash = fc.constantFrom<Crash['how']>('alone', 'beside others', 'only thought to be dead');
const named = fc.constantFrom<Callback['names']>(
  'itself',
  'itself',
  'another',
  'rubbish',
  'nothing',
);
const pause = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1_000, max: 90_000 }) },
  { weight: 1, arbitrary: fc.constant(7_200_000) },
);

export const histories = fc.commands(
  weighted(
    [7, spec.map((each) => new Create(each))],
    [4, fc.constant(new Dispatch())],
    [1, fc.constant(new DispatchWithoutUpstream())],
    [1, fc.constant(new DispatchAndDie())],
    [2, crash.map((how) => new Crash(how))],
    [4, fc.constant(new Tick())],
    [4, fc.constant(new Poll())],
    [5, pause.map((ms) => new Wait(ms))],
    [2, nth.map((n) => new Cancel(n))],
    [5, fc.tuple(nth, named).map(([n, names]) => new Callback(n, names))],
    [6, fc.tuple(nth, states).map(([n, to]) => new MoveJob(n, to))],
    [4, fc.tuple(nth, answer).map(([n, outcome]) => new Answer(n, outcome))],
  ),
  { size: 'max', maxCommands: 40 },
);
