import { expect, vi } from 'vitest';
import { startTestApp } from '../../support/app.ts';
import { holdTable, testStorage } from '../../support/database.ts';
import { fakeToken } from '../../support/fake-upstream/behaviour.ts';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { createInstanceOperations } from './operations.ts';

const email = 'studio@held.example';

export type Held = Awaited<ReturnType<typeof openHeld>>;

/** One instance whose transactions a test can block, and an upstream whose jobs only the test moves. */
export async function openHeld(env: Record<string, string> = {}) {
  const clock = { aheadMs: 0 };
  const storage = await testStorage();
  const upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 3 }] });
  upstream.addVideo(email, 'a face');
  const test = await startTestApp({
    storage,
    upstream,
    now: () => new Date(Date.now() + clock.aheadMs),
    // Polls run only when the test makes them due.
    env: {
      USEAPI_TOKEN: fakeToken,
      ALLOW_ANONYMOUS: 'true',
      POLL_INTERVAL_MS: '3600000',
      ...env,
    },
  });
  const instance = Object.assign(test, createInstanceOperations(test));
  const { db } = test.app;
  const query = <Row extends Record<string, unknown>>(text: string, params: unknown[] = []) =>
    db.query<Row>(text, params);
  const video = { videoId: await instance.source() };
  return {
    clock,
    instance,
    upstream,
    query,
    say: (text: string, more: object = {}) =>
      instance.create({ video, speech: { script: { text } }, ...more }),
    /** Blocks every insert of an event until the returned function is called. */
    holdEvents: () => holdTable(db, 'lipsync_events', 'exclusive'),
    /** The PostgreSQL backend of the transaction that waits to insert an event. */
    untilAnEventIsHeld: () =>
      vi.waitFor(async () => {
        const [waiting] = await query<{ pid: number }>(
          "select pid from pg_locks where relation = 'lipsync_events'::regclass and not granted",
        );
        expect(waiting).toBeDefined();
        return waiting?.pid ?? 0;
      }, longWait),
    async stop(): Promise<void> {
      await test.stop();
      await upstream.close();
      await storage.remove();
    },
  };
}
