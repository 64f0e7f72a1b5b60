import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refreshExternalLoad } from '../../../../src/domains/lipsyncs/dispatch/external-load.ts';
import { createLog } from '../../../../src/log.ts';
import { createUpstream } from '../../../../src/upstream/client.ts';
import { insertLipsync, openWithFakeUpstream } from '../../accounts/slice-harness.ts';

const [email, other] = ['Studio@b.example', 'other@b.example'];
const full = `user:1-pixverse:${email}-video:77`;

let harness: Awaited<ReturnType<typeof openWithFakeUpstream>>;
let upstream: ReturnType<typeof createUpstream>;
const log = createLog('debug', { write: () => undefined });
beforeAll(async () => {
  harness = await openWithFakeUpstream();
  upstream = createUpstream({ ...harness.upstream, timeoutMs: 5_000, log, retryBaseMs: 1 });
});
afterAll(async () => {
  await upstream?.close();
  await harness?.close();
});

/** The external load of an account with one job of ours, while a lip-sync waits. */
async function readLoad(given: {
  stored: string;
  scheduled: string;
  running?: number;
  spelled?: string;
}) {
  const { stored, scheduled, running = 1, spelled = email } = given;
  await harness.reset({ email, maxJobs: 2 }, { email: other, maxJobs: 2 });
  const [account] = await harness.accounts.listPresent();
  const row = { owner: 'key:a', account_id: account?.id };
  const job = { status: 'GENERATING', holds_slot: true, upstream_video_id: stored };
  await insertLipsync(harness.db, { ...row, ...job });
  await insertLipsync(harness.db, { ...row, status: 'QUEUED' });
  const capacity = { maxJobs: 2, executing: running, available: 2 - running };
  harness.upstream.reply('GET /scheduler/available', {
    status: 200,
    body: JSON.stringify({
      executing: [{ video_id: scheduled }],
      available: [{ email: spelled, ...capacity }],
    }),
  });
  const { db, accounts } = harness;
  const now = () => harness.clock.now;
  await refreshExternalLoad({ db, accounts, upstream, log, now, timing: { pollMs: 1 } });
  return (await harness.accounts.listPresent())[0]?.externalLoad;
}

describe('a job of ours in the scheduler', () => {
  // A number alone counted as a job of another client, and a free slot stayed empty.
  it.each([
    { stored: full, scheduled: full },
    { stored: full, scheduled: '77' },
    { stored: '77', scheduled: full },
    { stored: '77', scheduled: full.toLowerCase() },
    { stored: '77', scheduled: '77' },
  ])('is no external load with the ids %j', async (ids) => {
    expect(await readLoad(ids)).toBe(0);
    expect(await readLoad({ ...ids, running: 2 })).toBe(1);
  });

  it('is no external load if the scheduler spells the e-mail without capital letters', async () => {
    const ids = { stored: full, scheduled: full, spelled: email.toLowerCase() };
    expect(await readLoad({ ...ids, running: 2 })).toBe(1);
    expect(await readLoad(ids)).toBe(0);
  });

  it.each([
    { stored: full, scheduled: '7' },
    { stored: full, scheduled: '177' },
    { stored: full, scheduled: full.replace(email, other) },
    { stored: '77', scheduled: full.replace(email, other) },
    { stored: '7', scheduled: full },
    { stored: full, scheduled: full.replace('-video:', '-image:') },
    { stored: randomUUID(), scheduled: '77' },
  ])('is another job with the ids %j', async (ids) => {
    expect(await readLoad(ids)).toBe(1);
  });
});
