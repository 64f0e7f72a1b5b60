import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idOf } from '../../support/lipsync-app.ts';
import type { CreateLipsyncResult } from '../../support/lipsyncs.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';

let fleet: Fleet;
let instances: Instance[];
let video: string;
beforeAll(async () => {
  fleet = await openFleet();
  instances = [await fleet.start(), await fleet.start()];
  video = (await instances[0]?.source()) ?? '';
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  await fleet.clearSwitches();
  await fleet.forgetRequests();
});

/** Sends this many requests at once, to the instances in turn. */
function askAll(count: number, key: string): Promise<CreateLipsyncResult[]> {
  const input = {
    video: { videoId: video },
    speech: { script: { text: key } },
    idempotencyKey: key,
  };
  const asked = Array.from({ length: count }, (_, n) =>
    instances[n % instances.length]?.create(input),
  );
  return Promise.all(asked) as Promise<CreateLipsyncResult[]>;
}

describe('works', () => {
  it('sends one POST for a hundred simultaneous requests to two instances, and answers all with the same lip-sync', async () => {
    // A request during the POST waits for its answer, also on the other instance.
    await fleet.turn({ delayMs: 200 });
    const made = await askAll(100, 'hundred');
    expect(made.map(({ __typename }) => __typename)).toEqual(
      Array(100).fill('CreateLipsyncSuccess'),
    );
    expect(new Set(made.map(idOf)).size).toBe(1);
    expect(made.filter(({ replayed }) => replayed === true)).toHaveLength(99);
    expect(made.map(({ lipsync }) => lipsync?.status)).not.toContain('SUBMITTING');
    expect(await fleet.posts()).toHaveLength(1);
    expect(await instances[1]?.list()).toHaveLength(1);
    expect(await fleet.jobs()).toHaveLength(1);
  });
});

describe('refuses', () => {
  it('all simultaneous requests to two instances with the one rejection of one POST', async () => {
    const before = (await instances[1]?.list())?.length;
    await fleet.turn({ failPath: { path: '/videos/lipsync', status: 422, delayMs: 4_000 } });
    const refused = await askAll(50, 'refused');
    expect(refused.map(({ __typename }) => __typename)).toEqual(
      Array(50).fill('ContentModeratedError'),
    );
    expect(await fleet.posts()).toHaveLength(1);
    expect(await instances[1]?.list()).toHaveLength(before ?? 0);
  });

  it('a second POST after an unknown outcome, and answers all requests to two instances with the same lip-sync', async () => {
    await fleet.turn({ delayMs: 200 });
    const key = '[[503]] unclear';
    const made = await askAll(50, key);
    expect(new Set(made.map(({ __typename }) => __typename))).toEqual(
      new Set(['OutcomeUnknownError']),
    );
    expect(new Set(made.map(idOf)).size).toBe(1);
    expect(await fleet.posts()).toHaveLength(1);
    // A later request too.
    expect(await askAll(2, key)).toMatchObject([
      { __typename: 'OutcomeUnknownError' },
      { __typename: 'OutcomeUnknownError' },
    ]);
    expect(await fleet.posts()).toHaveLength(1);
  });
});
