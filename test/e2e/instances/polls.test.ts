import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pollQueue } from '../../../src/domains/lipsyncs/reconcile/poll-interval.ts';
import { idOf } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { type Held, openHeld } from './blocked-instance.ts';

let held: Held;
beforeEach(async () => {
  held = await openHeld();
});
afterEach(() => held.stop());

async function pollsIn(state: string): Promise<number> {
  const rows = await held.query('select 1 from pgboss.job where name = $1 and state = $2', [
    pollQueue,
    state,
  ]);
  return rows.length;
}

/** Makes every waiting poll due. */
const makeDue = () =>
  held.query('update pgboss.job set start_after = now() where name = $1 and state = $2', [
    pollQueue,
    'created',
  ]);

describe('works', () => {
  it('polls a job that was accepted while the last poll of its account found no running job', async () => {
    const { instance, upstream, say } = held;
    const first = idOf(await say('First'));
    await (await upstream.nextJob()).become(1);
    await instance.waitForEnd(first);
    // The poll of the first lip-sync, which a callback has ended.
    expect(await pollsIn('created')).toBe(1);

    const answer = upstream.hold('POST /videos/lipsync');
    const making = say('Second');
    await vi.waitFor(() => expect(upstream.countOf('POST /videos/lipsync')).toBe(2), longWait);
    const release = await held.holdEvents();
    answer();
    await held.untilAnEventIsHeld();
    // The poll runs during the transaction that stores the answer.
    await makeDue();
    await vi.waitFor(async () => expect(await pollsIn('completed')).toBe(1), longWait);
    await release();
    const second = idOf(await making);

    upstream.behaviour.callbacks = 'none';
    await (await upstream.nextJob()).become(8);
    await makeDue();
    expect(await instance.waitForEnd(second)).toMatchObject({ status: 'FAILED' });
  });
});
