import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { World } from './model.ts';
import { openStage, patient, type Stage } from './stage.ts';

const seed = 20_260_302;

let stage: Stage;
let video: string;
beforeAll(async () => {
  // Nothing moves by itself: no job ends, no callback comes and nobody polls, but by a step of a story.
  stage = await openStage({
    env: { POLL_INTERVAL_MS: '3600000' },
    sandbox: {
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 1 }],
      queuedMs: 10,
      generatingMs: 86_400_000,
    },
  });
  await stage.test.turn({ callbacks: 'none' });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());

const at = fc.nat(9);

/** What may happen, in any order. `at` is which of those there are, counted round. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('create' as const),
      kind: fc.constantFrom('plain', 'plain', 'plain', 'refused', 'found', 'lost'),
      failsWhenBusy: fc.constantFrom(false, false, true),
      expires: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant('replay' as const), at, changesInput: fc.boolean() }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      at,
      as: fc.constantFrom('COMPLETED', 'FAILED', 'MODERATED'),
      callbacks: fc.constantFrom('one', 'two at once', 'with lies'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), at }) },
  fc.record({ do: fc.constant('lie' as const), at }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      minutes: fc.constantFrom(1, 6, 15),
    }),
  },
);

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const asked = { do: 'create', kind: 'plain', failsWhenBusy: false } as const;
/** The second waits for a place longer than its caller does. */
const tooLate: Step[] = [
  { ...asked, expires: false },
  { ...asked, expires: true },
  { do: 'pass', minutes: 15 },
  { do: 'cancel', at: 1 },
];

describe('works', () => {
  it('as a plain model says, whatever is asked, refused, lost, called back and cancelled, in any order', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (story) => {
        const world = new World(stage, video);
        try {
          for (const each of story) {
            await world.take(each);
            await vi.waitFor(() => world.expectSame(), patient);
          }
        } finally {
          await world.clear();
        }
        await world.expectSoundLogs();
        for (const name of world.met) seen.add(name);
      }),
      { seed, numRuns: 20, endOnFailure: true, examples: [[tooLate]] },
    );
    // The stories reached what they are about.
    for (const name of [
      'CreateLipsyncSuccess',
      'ContentModeratedError',
      'OutcomeUnknownError',
      'RateLimitedError',
      'IdempotencyConflictError',
      'LipsyncCancelled',
      'LipsyncTrackingStopped',
      'LipsyncAlreadyFinished',
      'QUEUED',
      'EXPIRED',
      'COMPLETED',
      'FAILED',
      'MODERATED',
    ]) {
      expect(seen).toContain(name);
    }
  }, 120_000);
});
