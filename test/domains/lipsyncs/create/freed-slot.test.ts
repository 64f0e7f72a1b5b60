import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresUrl } from '../../../support/database.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../../support/lipsync-app.ts';
import { inputOf, longWait } from '../../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    // Without a tick: only notifications and wake-ups send waiting lip-syncs.
    intervals: { tickMs: 3_600_000, callbackMs: 100 },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 1 }] },
  });
  [video = ''] = await app.listVideoIds();
  await app.sendFinalCallbacksOnly();
});
afterAll(() => app.stop());

/** Runs `work` in the next creation, between its decision that no slot is free and its insert. */
function beforeNextInsert(work: () => Promise<void>): void {
  const { db } = app.app;
  const transaction = db.transaction.bind(db);
  const spy = vi.spyOn(db, 'transaction').mockImplementation((change) =>
    transaction((tx) =>
      change({
        ...tx,
        finish: async (statements) => {
          spy.mockRestore();
          await work();
          return tx.finish(statements);
        },
      }),
    ),
  );
}

describe('works', () => {
  // The slot's own notification comes before the waiting row is committed. PGlite has no two transactions at a time.
  it.runIf(postgresUrl !== undefined)(
    'sends a lip-sync at once whose slot becomes free while it is being queued',
    async () => {
      const running = idOf(await app.create(inputOf(video, '[[never]] running')));
      const slots = vi.spyOn(app.services.accounts, 'readAvailability');
      beforeNextInsert(async () => {
        const before = slots.mock.calls.length;
        await app.finishJob(running);
        await vi.waitFor(() => expect(slots.mock.calls.length).toBeGreaterThan(before), longWait);
      });
      const made = await app.create(inputOf(video, 'next'));
      expect(made.lipsync?.status).toBe('QUEUED');
      await app.waitForStatus(idOf(made), ['SUBMITTED', 'GENERATING', 'COMPLETED']);
    },
  );
});
