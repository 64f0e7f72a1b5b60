import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Held, openHeld } from '../../e2e/instances/blocked-instance.ts';
import { createLipsyncOperations, expectSoundLog, idOf } from '../../support/lipsync-app.ts';
import { type CreateLipsyncResult, longWait } from '../../support/lipsyncs.ts';

let held: Held;
beforeEach(async () => {
  held = await openHeld();
});
afterEach(() => held.stop());

const post = 'POST /videos/lipsync';

const cancel = (id: string) => createLipsyncOperations(held.instance).cancel(id);

/** Cancels a lip-sync whose POST has no answer yet, then calls `answer`. */
async function cancelMeanwhile(id: string, answer: () => void): Promise<CreateLipsyncResult> {
  const cancelling = cancel(id);
  await vi.waitFor(async () => {
    const rows = await held.query('select 1 from lipsyncs where cancel_requested_at is not null');
    expect(rows).toHaveLength(1);
  }, longWait);
  answer();
  return cancelling;
}

const untilPosted = (count: number) =>
  vi.waitFor(() => expect(held.upstream.countOf(post)).toBe(count), longWait);

const rejection = (status: number) => ({ status, body: '{"error":"no"}' });

describe('a lip-sync cancelled before its POST is answered', () => {
  it.each([
    ['a job', null, 'LipsyncTrackingStopped'],
    ['429, so nothing is charged', rejection(429), 'LipsyncCancelled'],
    ['500, so the outcome is unknown', rejection(500), 'LipsyncTrackingStopped'],
  ])('waits for the answer, which is %s', async (_, reply, type) => {
    const { instance, upstream, say } = held;
    upstream.reply(post, reply);
    const answer = upstream.hold(post);
    const making = say('Being sent');
    await untilPosted(1);
    const [{ id = '' } = {}] = await instance.list();
    expect(await cancelMeanwhile(id, answer)).toMatchObject({
      __typename: type,
      lipsync: { id, status: 'CANCELLED' },
    });
    await making;
    // Repeating gives the first answer and sends no POST.
    expect(await cancel(id)).toMatchObject({
      __typename: type,
      lipsync: { id, status: 'CANCELLED' },
    });
    expect(upstream.countOf(post)).toBe(1);
    expectSoundLog(await instance.readEvents(id));
  });

  it('is deleted if the POST is rejected and the lip-sync never waited', async () => {
    const { instance, upstream, say } = held;
    upstream.reply(post, rejection(422));
    const answer = upstream.hold(post);
    const making = say('Rude');
    await untilPosted(1);
    const [{ id = '' } = {}] = await instance.list();
    expect(await cancelMeanwhile(id, answer)).toMatchObject({ __typename: 'NotFoundError' });
    expect((await making).code).toBe('CONTENT_MODERATED');
    expect(await instance.list()).toEqual([]);
  });

  it('has already failed if the POST is rejected and the lip-sync had waited', async () => {
    const { instance, upstream, say } = held;
    for (let n = 0; n < 3; n += 1) await say(`Running ${n}`);
    const running = await upstream.nextJob();
    const id = idOf(await say('Rude'));
    upstream.reply(post, rejection(422));
    const answer = upstream.hold(post);
    await running.become(8);
    await untilPosted(4);
    expect(await cancelMeanwhile(id, answer)).toMatchObject({
      __typename: 'LipsyncAlreadyFinished',
      lipsync: { id, status: 'MODERATED' },
    });
    expectSoundLog(await instance.readEvents(id));
  });
});
