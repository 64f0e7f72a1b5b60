import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pollQueue } from '../../../src/domains/lipsyncs/schedule.ts';
import { idOf, patient } from '../../domains/lipsyncs/stage.ts';
import { startTestApp } from '../../support/app.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import {
  type OtherUpstream,
  otherToken,
  startOtherUpstream,
} from '../../support/other-upstream.ts';
import { type Questions, questionsOf } from './questions.ts';

const email = 'studio@polls.example';

let storage: TestStorage;
let upstream: OtherUpstream;
let instance: Awaited<ReturnType<typeof startTestApp>> & Questions;
beforeEach(async () => {
  storage = await testStorage();
  upstream = await startOtherUpstream({ accounts: [{ email, maxJobs: 3 }] });
  upstream.addVideo(email, 'a face');
  const test = await startTestApp({
    storage,
    upstream,
    // A poll comes when this test says so.
    env: { USEAPI_TOKEN: otherToken, ALLOW_ANONYMOUS: 'true', POLL_INTERVAL_MS: '3600000' },
  });
  instance = Object.assign(test, questionsOf(test));
});
afterEach(async () => {
  await instance.stop();
  await upstream.close();
  await storage.remove();
});

const query = <Row extends Record<string, unknown>>(text: string, params: unknown[] = []) =>
  instance.app.db.query<Row>(text, params);

async function pollsIn(state: string): Promise<number> {
  const rows = await query('select 1 from pgboss.job where name = $1 and state = $2', [
    pollQueue,
    state,
  ]);
  return rows.length;
}

/** What waits is due now. */
const makeDue = () =>
  query('update pgboss.job set start_after = now() where name = $1 and state = $2', [
    pollQueue,
    'created',
  ]);

/** No event is written until the function that it returns is called. */
async function holdEvents(): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const done = instance.app.db.transaction(async (tx) => {
    await tx.query('lock table lipsync_events in exclusive mode');
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return () => {
    released.resolve();
    return done;
  };
}

async function untilAnEventIsHeld(): Promise<void> {
  await vi.waitFor(async () => {
    const waiting = await query(
      "select 1 from pg_locks where relation = 'lipsync_events'::regclass and not granted",
    );
    expect(waiting).toHaveLength(1);
  }, patient);
}

describe('works', () => {
  it('nobody polled for what was accepted while the last poll of its account found nothing to look at', async () => {
    const video = { id: await instance.source() };
    const say = (text: string) => instance.create({ video, speech: { text: { text } } });
    const first = idOf(await say('First'));
    await (await upstream.nextJob()).become(1);
    await instance.end(first);
    // Left behind by the first one, which its callback has ended.
    expect(await pollsIn('created')).toBe(1);

    const answer = upstream.hold('POST /videos/lipsync');
    const making = say('Second');
    await vi.waitFor(() => expect(upstream.countOf('POST /videos/lipsync')).toBe(2), patient);
    const release = await holdEvents();
    answer();
    await untilAnEventIsHeld();
    // The poll runs in the middle of the transaction that writes down the answer.
    await makeDue();
    await vi.waitFor(async () => expect(await pollsIn('completed')).toBe(1), patient);
    await release();
    const second = idOf(await making);

    upstream.habits.callbacks = 'none';
    await (await upstream.nextJob()).become(8);
    await makeDue();
    expect(await instance.end(second)).toMatchObject({ status: 'FAILED' });
  });
});
