import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeId, keyOf } from '../../../src/graphql/ids.ts';
import { expectSoundLog, idOf, openStage, patient, type Stage } from './stage.ts';

let stage: Stage;
let video: string;
beforeAll(async () => {
  stage = await openStage({ env: { UPSTREAM_TIMEOUT_MS: '1500' } });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
beforeEach(() => stage.beBrief());

const say = (text: string, more: object = {}) =>
  stage.create({ video: { id: video }, speech: { text: { text } }, ...more });

async function block() {
  const made = await Promise.all([1, 2, 3].map((n) => say(`[[never]] ${n}`)));
  const ids = made.map(idOf);
  return () => Promise.all(ids.map((id) => stage.cancel(id)));
}

const deletesOf = async (id: string) => {
  const job = await stage.jobOf(id);
  return stage.requests(`DELETE /scheduler/${job?.video_id}`);
};

describe('works', () => {
  it('ends a waiting lip-sync free of charge and without a POST, and repeats the answer', async () => {
    const free = await block();
    const id = idOf(await say('Waiting'));
    const behind = idOf(await say('Behind'));
    for (let time = 0; time < 2; time += 1) {
      expect(await stage.cancel(id)).toMatchObject({
        __typename: 'LipsyncCancelled',
        lipsync: { status: 'CANCELLED', failure: null, progress: { queuePosition: null } },
      });
    }
    expect((await stage.find(behind))?.progress.queuePosition).toBe(1);
    await free();
    await stage.end(behind);
    expect(await stage.postsOf(id)).toEqual([]);
    expectSoundLog(await stage.events(id));
    expectSoundLog(await stage.events(behind));
  });

  it('stops tracking a running job, with one upstream request, and says that the job continues', async () => {
    const id = idOf(await say('[[never]] Running'));
    for (let time = 0; time < 2; time += 1) {
      expect(await stage.cancel(id)).toMatchObject({
        __typename: 'LipsyncTrackingStopped',
        lipsync: { status: 'CANCELLED', failure: null },
      });
    }
    expect(await deletesOf(id)).toHaveLength(1);
    expect((await stage.jobOf(id))?.isTracked).toBe(false);
    // The end of the job no longer changes anything.
    await stage.finish(id);
    expect(await stage.find(id)).toMatchObject({ status: 'CANCELLED', result: null });
    expectSoundLog(await stage.events(id));
  });

  it('waits for the outcome of a POST under way', async () => {
    await stage.test.turn({ generatingMs: 60_000, delayMs: 400 });
    const making = say('Being sent', { reference: 'being sent' });
    type Data = { lipsyncs: { nodes: { id: string; status: string }[] } };
    const found = await vi.waitFor(async () => {
      const { lipsyncs } = await stage.ask<Data>(
        '{ lipsyncs(filter: { reference: "being sent" }) { nodes { id status } } }',
      );
      expect(lipsyncs.nodes).toMatchObject([{ status: 'SUBMITTING' }]);
      return lipsyncs.nodes[0];
    }, patient);
    const answers = await Promise.all([
      stage.cancel(found?.id ?? ''),
      stage.cancel(found?.id ?? ''),
    ]);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        __typename: 'LipsyncTrackingStopped',
        lipsync: { status: 'CANCELLED' },
      });
    }
    expect((await making).__typename).toBe('CreateLipsyncSuccess');
    expect((await deletesOf(found?.id ?? '')).length).toBeGreaterThan(0);
    expect(await stage.postsOf(found?.id ?? '')).toHaveLength(1);
    const events = await stage.events(found?.id ?? '');
    expect(events.map(({ status }) => status)).toEqual(['SUBMITTING', 'SUBMITTED', 'CANCELLED']);
    expectSoundLog(events);
  });

  it('ends the search for the job of a POST without an answer', async () => {
    const id = idOf(await say('[[503]] nothing'));
    expect(await stage.cancel(id)).toMatchObject({ __typename: 'LipsyncTrackingStopped' });
    expect(await stage.cancel(id)).toMatchObject({ __typename: 'LipsyncTrackingStopped' });
    expect(await stage.postsOf(id)).toHaveLength(1);
  });

  it('does not change a finished lip-sync', async () => {
    const id = idOf(await say('Ended'));
    const ended = await stage.end(id);
    expect(await stage.cancel(id)).toMatchObject({
      __typename: 'LipsyncAlreadyFinished',
      lipsync: { status: 'COMPLETED', finishedAt: ended.finishedAt },
    });
    expect(await deletesOf(id)).toEqual([]);
  });

  // It once fell back to the percentage of the last event.
  it('keeps the percentage that was shown last', async () => {
    await stage.test.turn({ callbacks: 'none', generatingMs: 60_000 });
    const id = idOf(await say('Half way'));
    await stage.reach(id, 'GENERATING');
    stage.clock.aheadMs += 45_000;
    const shown = (await stage.find(id))?.progress.percent ?? 0;
    expect(shown).toBeGreaterThan(20);
    await stage.cancel(id);
    expect((await stage.find(id))?.progress.percent).toBeGreaterThanOrEqual(shown);
    expectSoundLog(await stage.events(id));
  });

  it('erases a finished lip-sync with its events and its idempotency key', async () => {
    const input = { idempotencyKey: 'erased', reference: 'erased' };
    const id = idOf(await say('Erased', input));
    await stage.end(id);
    expect(await stage.remove(id)).toEqual({
      __typename: 'DeleteLipsyncSuccess',
      deletedLipsyncId: id,
    });
    expect(await stage.find(id)).toBeNull();
    const rows = await stage.test.app.db.query(
      'select 1 from lipsync_events where lipsync_id = $1',
      [keyOf('Lipsync', id)],
    );
    expect(rows).toEqual([]);
    const again = await say('Other words', input);
    expect(again).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
    await stage.end(idOf(again));
    expect(await stage.remove(id)).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('frees the slot of a cancelled lip-sync whose process died before it notified the upstream', async () => {
    const free = await block();
    const waiting = idOf(await say('Waiting'));
    // The row after a process died between the cancellation and the release of the slot.
    await free();
    await stage.end(waiting);
    await stage.test.app.db.query(
      "update lipsyncs set holds_slot = true where status = 'CANCELLED'",
    );
    stage.clock.aheadMs += 70_000;
    await vi.waitFor(async () => {
      const held = await stage.test.app.db.query('select id from lipsyncs where holds_slot');
      expect(held).toEqual([]);
    }, patient);
  });
});

describe('refuses', () => {
  it('to erase an unfinished lip-sync', async () => {
    const id = idOf(await say('[[never]] Running'));
    expect(await stage.remove(id)).toMatchObject({ __typename: 'InvalidInputError' });
    expect(await stage.find(id)).not.toBeNull();
    await stage.cancel(id);
  });

  it('unknown ids', async () => {
    const missing = encodeId('Lipsync', '00000000-0000-4000-8000-000000000000');
    for (const id of ['rubbish', '', missing, encodeId('Video', 'x'), encodeId('Lipsync', '1')]) {
      expect(await stage.cancel(id)).toMatchObject({ __typename: 'NotFoundError' });
      expect(await stage.remove(id)).toMatchObject({ __typename: 'NotFoundError' });
      expect(await stage.find(id)).toBeNull();
    }
  });
});
