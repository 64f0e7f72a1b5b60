import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { type Held, openHeld } from './blocked-instance.ts';

const upstreamTimeoutMs = 30_000;

let held: Held;
beforeEach(async () => {
  held = await openHeld({ UPSTREAM_TIMEOUT_MS: String(upstreamTimeoutMs) });
});
afterEach(() => held.stop());

/**
 * Cancels the statement that stores the answer, like a statement timeout. The scheduler's own statements wait for the same
 * lock, so another one can be cancelled instead: then it cancels again.
 */
async function breakOff(times: number): Promise<void> {
  const waits = () =>
    held.instance.logs.filter(({ msg }) => msg === 'a submission waits for the database');
  await vi.waitFor(async () => {
    if (waits().length < times) {
      await held.query('select pg_cancel_backend($1)', [await held.untilAnEventIsHeld()]);
    }
    await vi.waitFor(() => expect(waits()).toHaveLength(times), { timeout: 20_000 });
  }, longWait);
}

describe('works', () => {
  it.each([
    ['that took it', null, 'CreateLipsyncSuccess'],
    ['that refused it', { status: 422, body: '{"error":"no"}' }, 'ContentModeratedError'],
  ])(
    'keeps the answer of an upstream %s when the database cancels the statement that stores it',
    async (_, reply, type) => {
      const { instance, upstream, say } = held;
      upstream.reply('POST /videos/lipsync', reply);
      const answer = upstream.hold('POST /videos/lipsync');
      const making = say('Written down late', { reference: 'late' });
      await vi.waitFor(() => expect(upstream.countOf('POST /videos/lipsync')).toBe(1), longWait);
      const release = await held.holdEvents();
      answer();
      await breakOff(1);
      // Past the lease, after which another instance takes over.
      held.clock.aheadMs += upstreamTimeoutMs + 10_000;
      await breakOff(2);
      await release();
      const made = await making;
      expect(made.__typename).toBe(type);
      expect(await instance.list()).toHaveLength(reply === null ? 1 : 0);
      if (reply !== null) return;
      const job = await upstream.nextJob();
      expect(job.replyRef).not.toBe('');
      await job.become(8);
      expect((await instance.waitForEnd(idOf(made))).status).toBe('FAILED');
      expectSoundLog(await instance.readEvents(idOf(made)));
    },
  );
});
