import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeys, signInAs } from '../../support/lipsync-app.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';

let fleet: Fleet;
let instances: [Instance, Instance];
let video: string;
beforeAll(async () => {
  fleet = await openFleet({
    env: { API_KEYS: apiKeys('ann', 'bob'), QUEUE_LIMIT: '4', LIPSYNCS_IN_FLIGHT: '5' },
  });
  instances = [await fleet.start(), await fleet.start()];
  video = await instances[0].source(signInAs('ann'));
  await fleet.turn({ generatingMs: 3_600_000 });
});
afterAll(() => fleet.stop());

/** Sends fifty requests at once to both instances and counts each answer. */
async function askFifty(owner: string): Promise<Record<string, number>> {
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      instances[n % 2 === 0 ? 0 : 1].create(
        { video: { videoId: video }, speech: { script: { text: `${owner} ${n}` } } },
        signInAs(owner),
      ),
    ),
  );
  const counts = Map.groupBy(made, ({ __typename }) => __typename);
  return Object.fromEntries([...counts].map(([type, all]) => [type, all.length]));
}

describe('refuses', () => {
  it('exactly the requests over a limit, also when two instances get fifty at once', async () => {
    // Three run and two wait.
    expect(await askFifty('ann')).toEqual({ CreateLipsyncSuccess: 5, QuotaExceededError: 45 });
    // Two places are free, of which a second owner gets half.
    expect(await askFifty('bob')).toEqual({ CreateLipsyncSuccess: 1, QueueFullError: 49 });
    expect((await fleet.posts()).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});
