import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

const owners = ['ann', 'bob', 'cat', 'dan'];

let app: LipsyncApp;
let video: string;
beforeEach(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: apiKeys(...owners) },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 1 }], queuedMs: 10 },
  });
  [video = ''] = await app.listVideoIds();
  await app.sendFinalCallbacksOnly();
});
afterEach(() => app.stop());

/** Creates a lip-sync that runs until `end` is called. */
const ask = async (owner: string, text: string, more: object = {}) =>
  idOf(
    await app.create(
      { video: { videoId: video }, speech: { script: { text: `[[never]] ${text}` } }, ...more },
      signInAs(owner),
    ),
  );

const isSent = (id: string) =>
  vi.waitFor(async () => expect(await app.postsOf(id)).toHaveLength(1), longWait);

async function end(owner: string, id: string): Promise<void> {
  await isSent(id);
  await app.finishJob(id, 'FAILED');
  await app.waitForEnd(id, signInAs(owner));
}

describe('works', () => {
  it('an off-peak job, which takes no slot, does not cost its owner a turn', async () => {
    const blocking = await ask('dan', 'Blocking');
    const offPeak = await ask('ann', 'Off-peak', { offPeak: true });
    await isSent(offPeak);
    const first = await ask('ann', 'First');
    const second = await ask('bob', 'Second');
    await end('dan', blocking);
    await isSent(first);
    expect(await app.postsOf(second)).toEqual([]);
    await end('ann', first);
    await end('bob', second);
  });

  // Once an owner without finished lip-syncs was served first again.
  it('erasing finished lip-syncs does not give an owner its turn back', async () => {
    const ended: string[] = [];
    for (const owner of ['ann', 'bob', 'cat']) {
      const id = await ask(owner, 'Before');
      ended.push(id);
      await end(owner, id);
    }
    const blocking = await ask('dan', 'Blocking');
    const ofAnn = [await ask('ann', 'One'), await ask('ann', 'Two')] as const;
    const ofBob = await ask('bob', 'Only');
    const ofCat = await ask('cat', 'Only');
    await end('dan', blocking);
    await end('ann', ofAnn[0]);
    await isSent(ofBob);
    for (const id of [ended[0] ?? '', ofAnn[0]]) {
      expect(await app.delete(id, signInAs('ann'))).toMatchObject({
        __typename: 'DeleteLipsyncSuccess',
      });
    }
    await end('bob', ofBob);
    await isSent(ofCat);
    expect(await app.postsOf(ofAnn[1])).toEqual([]);
    await end('cat', ofCat);
    await end('ann', ofAnn[1]);
  });
});
