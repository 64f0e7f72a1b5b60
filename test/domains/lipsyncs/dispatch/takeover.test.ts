import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  // A read that hangs lasts longer than this test.
  app = await startLipsyncApp({
    env: { UPSTREAM_TIMEOUT_MS: '120000', POLL_INTERVAL_MS: '3600000' },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

async function readRow(id: string) {
  const [row] = await app.db.query<{ unknownAt: Date | null; status: string }>(
    'select outcome_unknown_at as "unknownAt", status from lipsyncs where id = $1',
    [keyOf('Lipsync', id)],
  );
  return row;
}

/** The row that an instance leaves which died during its POST, after its lease is over. */
async function abandon(id: string): Promise<void> {
  await app.db.query(
    'update lipsyncs set outcome_unknown_at = null, lease_until = $2 where id = $1',
    [keyOf('Lipsync', id), new Date(0)],
  );
}

const isTakenOver = (id: string) =>
  vi.waitFor(
    async () => expect((await readRow(id))?.unknownAt).toEqual(expect.any(Date)),
    longWait,
  );

describe('works', () => {
  it('takes over the claims of dead instances also while the upstream hangs', async () => {
    const makeUnknown = async (text: string) =>
      idOf(await app.create({ video: { videoId: video }, text }));
    const [first, second] = [
      await makeUnknown('[[503]] first'),
      await makeUnknown('[[503]] second'),
    ];
    await vi.waitFor(async () => {
      const { db } = app.app;
      expect(await db.query('select 1 from lipsyncs where holds_slot')).toEqual([]);
    }, longWait);
    await app.forgetRequests();
    await app.turn({
      failPath: [
        { path: '/scheduler', method: 'GET', action: 'hang', times: 1_000 },
        { path: '/videos', method: 'GET', action: 'hang', times: 1_000 },
      ],
    });
    await abandon(first);
    await isTakenOver(first);
    await vi.waitFor(async () => expect(await app.requests('GET')).not.toEqual([]), longWait);
    await abandon(second);
    await isTakenOver(second);
    expect((await readRow(second))?.status).toBe('SUBMITTING');
  });
});
