import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeId, keyOf } from '../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { UPSTREAM_TIMEOUT_MS: '9000' } });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const say = (text: string, more: object = {}) =>
  app.create({ video: { videoId: video }, text, ...more });

async function block() {
  const made = await Promise.all([1, 2, 3].map((n) => say(`[[never]] ${n}`)));
  const ids = made.map(idOf);
  return () => Promise.all(ids.map((id) => app.cancel(id)));
}

const deletesOf = async (id: string) => {
  const job = await app.jobOf(id);
  return app.requests(`DELETE /scheduler/${job?.video_id}`);
};

describe('works', () => {
  it('ends a waiting lip-sync free of charge and without a POST, and repeats the answer', async () => {
    const free = await block();
    const id = idOf(await say('Waiting'));
    const behind = idOf(await say('Behind'));
    for (let time = 0; time < 2; time += 1) {
      expect(await app.cancel(id)).toMatchObject({
        __typename: 'LipsyncCancelled',
        lipsync: { status: 'CANCELLED', failure: null, progress: { queuePosition: null } },
      });
    }
    expect((await app.read(behind))?.progress.queuePosition).toBe(1);
    await free();
    await app.waitForEnd(behind);
    expect(await app.postsOf(id)).toEqual([]);
    expectSoundLog(await app.readEvents(id));
    expectSoundLog(await app.readEvents(behind));
  });

  it('stops tracking a running job, with one upstream request, and says that the job continues', async () => {
    const id = idOf(await say('[[never]] Running'));
    for (let time = 0; time < 2; time += 1) {
      expect(await app.cancel(id)).toMatchObject({
        __typename: 'LipsyncTrackingStopped',
        lipsync: { status: 'CANCELLED', failure: null },
      });
    }
    expect(await deletesOf(id)).toHaveLength(1);
    expect((await app.jobOf(id))?.isTracked).toBe(false);
    // The end of the job no longer changes anything.
    await app.finishJob(id);
    expect(await app.read(id)).toMatchObject({ status: 'CANCELLED', result: null });
    expectSoundLog(await app.readEvents(id));
  });

  it('waits for the outcome of a POST under way', async () => {
    await app.turn({ generatingMs: 60_000, delayMs: 2_000 });
    const making = say('Being sent', { reference: 'being sent' });
    type Data = { lipsyncs: { nodes: { id: string; status: string }[] } };
    const found = await vi.waitFor(async () => {
      const { lipsyncs } = await app.askForData<Data>(
        '{ lipsyncs(filter: { reference: "being sent" }) { nodes { id status } } }',
      );
      expect(lipsyncs.nodes).toMatchObject([{ status: 'SUBMITTING' }]);
      return lipsyncs.nodes[0];
    }, longWait);
    const answers = await Promise.all([app.cancel(found?.id ?? ''), app.cancel(found?.id ?? '')]);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        __typename: 'LipsyncTrackingStopped',
        lipsync: { status: 'CANCELLED' },
      });
    }
    expect((await making).__typename).toBe('CreateLipsyncSuccess');
    expect((await deletesOf(found?.id ?? '')).length).toBeGreaterThan(0);
    expect(await app.postsOf(found?.id ?? '')).toHaveLength(1);
    const events = await app.readEvents(found?.id ?? '');
    expect(events.map(({ status }) => status)).toEqual(['SUBMITTING', 'SUBMITTED', 'CANCELLED']);
    expectSoundLog(events);
  });

  it('ends the search for the job of a POST without an answer', async () => {
    const id = idOf(await say('[[503]] nothing'));
    expect(await app.cancel(id)).toMatchObject({ __typename: 'LipsyncTrackingStopped' });
    expect(await app.cancel(id)).toMatchObject({ __typename: 'LipsyncTrackingStopped' });
    expect(await app.postsOf(id)).toHaveLength(1);
  });

  it('does not change a finished lip-sync', async () => {
    const id = idOf(await say('Ended'));
    const ended = await app.waitForEnd(id);
    expect(await app.cancel(id)).toMatchObject({
      __typename: 'LipsyncAlreadyFinished',
      lipsync: { status: 'COMPLETED', finishedAt: ended.finishedAt },
    });
    expect(await deletesOf(id)).toEqual([]);
  });

  // It once fell back to the percentage of the last event.
  it('keeps the percentage that was shown last', async () => {
    await app.turn({ callbacks: 'none', generatingMs: 60_000 });
    const id = idOf(await say('Half way'));
    await app.waitForStatus(id, 'GENERATING');
    app.clock.aheadMs += 45_000;
    const shown = (await app.read(id))?.progress.percent ?? 0;
    expect(shown).toBeGreaterThan(20);
    await app.cancel(id);
    expect((await app.read(id))?.progress.percent).toBeGreaterThanOrEqual(shown);
    expectSoundLog(await app.readEvents(id));
  });

  it('erases a finished lip-sync with its events and its idempotency key', async () => {
    const input = { idempotencyKey: 'erased', reference: 'erased' };
    const id = idOf(await say('Erased', input));
    await app.waitForEnd(id);
    expect(await app.delete(id)).toEqual({
      __typename: 'DeleteLipsyncSuccess',
      deletedLipsyncId: id,
    });
    expect(await app.read(id)).toBeNull();
    const rows = await app.db.query('select 1 from lipsync_events where lipsync_id = $1', [
      keyOf('Lipsync', id),
    ]);
    expect(rows).toEqual([]);
    const again = await say('Other words', input);
    expect(again).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
    await app.waitForEnd(idOf(again));
    expect(await app.delete(id)).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('frees the slot of a cancelled lip-sync whose process died before it notified the upstream', async () => {
    const free = await block();
    const waiting = idOf(await say('Waiting'));
    // The row after a process died between the cancellation and the release of the slot.
    await free();
    await app.waitForEnd(waiting);
    await app.db.query("update lipsyncs set holds_slot = true where status = 'CANCELLED'");
    app.clock.aheadMs += 70_000;
    await vi.waitFor(async () => {
      const held = await app.db.query('select id from lipsyncs where holds_slot');
      expect(held).toEqual([]);
    }, longWait);
  });
});

describe('refuses', () => {
  it('to erase an unfinished lip-sync', async () => {
    const id = idOf(await say('[[never]] Running'));
    expect(await app.delete(id)).toMatchObject({ __typename: 'InvalidInputError' });
    expect(await app.read(id)).not.toBeNull();
    await app.cancel(id);
  });

  it('unknown ids', async () => {
    const missing = encodeId('Lipsync', '00000000-0000-4000-8000-000000000000');
    for (const id of ['rubbish', '', missing, encodeId('Video', 'x'), encodeId('Lipsync', '1')]) {
      expect(await app.cancel(id)).toMatchObject({ __typename: 'NotFoundError' });
      expect(await app.delete(id)).toMatchObject({ __typename: 'NotFoundError' });
      expect(await app.read(id)).toBeNull();
    }
  });
});
