import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: apiKeys('ann', 'bob') },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const ask = (key: string, text = 'Hello', more: object = {}) =>
  app.create({ video: { videoId: video }, text, idempotencyKey: key, ...more });

const times = <T>(count: number, work: () => Promise<T>) =>
  Promise.all(Array.from({ length: count }, work));

describe('works', () => {
  it('sends one POST for a hundred concurrent requests, and answers all with the same lip-sync', async () => {
    // A request that comes while the POST is under way waits for its answer.
    await app.turn({ delayMs: 100 });
    const made = await times(100, () => ask('hundred'));
    await app.turn({ delayMs: null });
    expect(new Set(made.map(idOf)).size).toBe(1);
    expect(made.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    expect(made.filter(({ replayed }) => replayed === true)).toHaveLength(99);
    expect(new Set(made.map(({ lipsync }) => lipsync?.status))).not.toContain('SUBMITTING');
    const [first] = made;
    expect(await app.postsOf(first === undefined ? '' : idOf(first))).toHaveLength(1);
  });

  it('answers with the same lip-sync while it waits, after it ended and at any later time', async () => {
    const made = await ask('ended');
    await app.waitForEnd(idOf(made));
    const again = await ask('ended');
    expect(again).toMatchObject({
      replayed: true,
      lipsync: { id: idOf(made), status: 'COMPLETED' },
    });
    expect(await app.postsOf(idOf(made))).toHaveLength(1);
  });

  it('answers a repeated request also after its expiresAt', async () => {
    const expiresAt = new Date(Date.now() + app.clock.aheadMs + 60_000).toISOString();
    const made = await ask('expiring', 'Soon', { expiresAt });
    expect(made.replayed).toBe(false);
    app.clock.aheadMs += 61_000;
    expect(await ask('expiring', 'Soon', { expiresAt })).toMatchObject({
      replayed: true,
      lipsync: { id: idOf(made) },
    });
  });

  it('keeps the keys of owners apart', async () => {
    const made = await Promise.all(
      [signInAs('ann'), signInAs('bob')].map((headers) =>
        app.create({ video: { videoId: video }, text: 'Hi', idempotencyKey: 'shared' }, headers),
      ),
    );
    expect(made.map(({ replayed }) => replayed)).toEqual([false, false]);
    expect(new Set(made.map(idOf)).size).toBe(2);
  });

  it('frees the key when the lip-sync is erased', async () => {
    const made = await ask('deleted');
    await app.waitForEnd(idOf(made));
    expect((await app.delete(idOf(made))).__typename).toBe('DeleteLipsyncSuccess');
    expect(await app.read(idOf(made))).toBeNull();
    expect((await ask('deleted')).replayed).toBe(false);
  });
});

describe('refuses', () => {
  it('all concurrent requests with the rejection of their one POST', async () => {
    const before = (await app.posts()).length;
    // All of them must have arrived before the rejection, also on a busy machine.
    const refusal = { path: '/videos/lipsync', status: 422, delayMs: 4_000 };
    await app.turn({ failPath: refusal });
    const refused = await times(50, () => ask('refused', 'Rude'));
    expect(new Set(refused.map(({ __typename }) => __typename))).toEqual(
      new Set(['ContentModeratedError']),
    );
    expect(await app.posts()).toHaveLength(before + 1);
    // The key can be used again.
    expect(await ask('refused', 'Polite')).toMatchObject({ replayed: false });
  });

  it('another input with the same key, also while the first is being sent', async () => {
    await app.turn({ delayMs: 100 });
    const [first, second] = await Promise.all([ask('conflict', 'One'), ask('conflict', 'Two')]);
    await app.turn({ delayMs: null });
    const names = [first?.__typename, second?.__typename].toSorted();
    expect(names).toEqual(['CreateLipsyncSuccess', 'IdempotencyConflictError']);
    for (const change of [{ offPeak: true }, { reference: 'x' }, { maxJobs: 1 }]) {
      expect(await ask('conflict 2', 'One', change)).toMatchObject(
        change.offPeak ? { replayed: false } : { __typename: 'IdempotencyConflictError' },
      );
    }
  });
});
