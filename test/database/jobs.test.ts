import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createJobs, type Jobs } from '../../src/database/jobs.ts';
import { postgresUrl, silentLog, type TestStorage } from '../support/database.ts';
import { createRecordingHandler, type Note } from './recording-handler.ts';
import { startJobs, stopJobs } from './start-jobs.ts';

let storage: TestStorage;
let db: Database;
let jobs: Jobs;

beforeAll(async () => {
  ({ storage, db, jobs } = await startJobs());
});
afterAll(() => stopJobs({ storage, db, jobs }));

describe('works', () => {
  it('runs a job as soon as it is sent', async () => {
    const { notes, times, handler, until } = createRecordingHandler();
    await jobs.define('now');
    await jobs.work<Note>('now', handler, { pollingIntervalSeconds: 20 });
    // Lets the worker's first fetch find nothing, so that only NOTIFY can start the job before the next one.
    await wait(200);
    const sentAt = Date.now();
    await jobs.send('now', { note: 'a' });
    await until(1);
    expect(notes).toEqual(['a']);
    expect((times[0] ?? 0) - sentAt).toBeLessThan(10_000);
  });

  it('runs a delayed job when it is due', async () => {
    const { times, handler, until } = createRecordingHandler();
    await jobs.define('later');
    await jobs.work<Note>('later', handler);
    const dueAt = Date.now() + 1_500;
    await jobs.send('later', { note: 'a' }, { startAfter: new Date(dueAt) });
    await until(1);
    expect(times[0]).toBeGreaterThanOrEqual(dueAt - 50);
  });

  it('retries a failed job up to the retryLimit of its queue', async () => {
    const { notes, handler, until } = createRecordingHandler(() => {
      throw new Error('not today');
    });
    await jobs.define('retried', { retryLimit: 2, retryDelay: 0 });
    await jobs.work<Note>('retried', handler);
    await jobs.send('retried', { note: 'a' });
    await until(3);
    await vi.waitFor(
      async () =>
        expect(await db.query("select state::text from pgboss.job where name = 'retried'")).toEqual(
          [{ state: 'failed' }],
        ),
      { timeout: 60_000 },
    );
    expect(notes).toEqual(['a', 'a', 'a']);
  });

  it('processes a backlog without a pause after each job', async () => {
    const { notes, times, handler, until } = createRecordingHandler();
    await jobs.define('backlog');
    for (let n = 0; n < 60; n += 1) await jobs.send('backlog', { note: `${n}` });
    await jobs.work<Note>('backlog', handler);
    await until(60);
    expect(notes).toHaveLength(60);
    // With a pause of half a second it would be half a minute.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(20_000);
  });

  it('runs localConcurrency jobs at the same time', async () => {
    let running = 0;
    let maxRunning = 0;
    const three = Promise.withResolvers<void>();
    const { handler, until } = createRecordingHandler(async () => {
      running += 1;
      maxRunning = Math.max(maxRunning, running);
      if (running === 3) three.resolve();
      await three.promise;
      running -= 1;
    });
    await jobs.define('wide');
    await jobs.work<Note>('wide', handler, { localConcurrency: 3 });
    for (let n = 0; n < 6; n += 1) await jobs.send('wide', { note: `${n}` });
    await until(6);
    expect(maxRunning).toBe(3);
  });

  it('keeps a single waiting job per singletonKey', async () => {
    const { notes, handler, until } = createRecordingHandler();
    await jobs.define('single', { policy: 'short' });
    expect(await jobs.send('single', { note: 'a' }, { singletonKey: 'x' })).toEqual(
      expect.any(String),
    );
    expect(await jobs.send('single', { note: 'b' }, { singletonKey: 'x' })).toBeNull();
    expect(await jobs.send('single', { note: 'c' }, { singletonKey: 'y' })).toEqual(
      expect.any(String),
    );
    await jobs.work<Note>('single', handler);
    await until(2);
    expect(notes.sort()).toEqual(['a', 'c']);
  });

  it('sends a job when its transaction commits, and never if it rolls back', async () => {
    const { notes, handler, until } = createRecordingHandler();
    await jobs.define('outbox');
    await jobs.work<Note>('outbox', handler);
    const lost = db.transaction(async (tx) => {
      await jobs.send('outbox', { note: 'lost' }, { tx });
      throw new Error('no');
    });
    await expect(lost).rejects.toThrow('no');
    await db.transaction(async (tx) => {
      await jobs.send('outbox', { note: 'kept' }, { tx });
    });
    await until(1);
    expect(notes).toEqual(['kept']);
  });

  it('rejects a send inside a transaction without tx, instead of deadlocking', async () => {
    await jobs.define('outside');
    const attempt = db.transaction(() => jobs.send('outside', { note: 'a' }));
    await expect(attempt).rejects.toThrow('inside transaction()');
  });

  it('allows transactions in a handler', async () => {
    await db.query('create table done (note text)');
    await jobs.define('writing');
    await jobs.work<Note>('writing', ({ data }) =>
      db.transaction(async (tx) => {
        await tx.query('insert into done values ($1)', [data.note]);
      }),
    );
    await jobs.send('writing', { note: 'a' });
    await vi.waitFor(
      async () => expect(await db.query('select * from done')).toEqual([{ note: 'a' }]),
      { timeout: 60_000 },
    );
  });

  it('updates the options of an existing queue', async () => {
    await jobs.define('changed', { retryLimit: 1 });
    await jobs.define('changed', { retryLimit: 7, policy: 'standard' });
    expect(
      await db.query("select retry_limit, notify from pgboss.queue where name = 'changed'"),
    ).toEqual([{ retry_limit: 7, notify: true }]);
  });

  it('stores schedules', async () => {
    await jobs.define('nightly');
    await jobs.schedule('nightly', '0 3 * * *');
    await jobs.schedule('nightly', '0 4 * * *');
    expect(await db.query('select name, cron, timezone from pgboss.schedule')).toEqual([
      { name: 'nightly', cron: '0 4 * * *', timezone: 'UTC' },
    ]);
  });
});

describe.runIf(postgresUrl)('with several instances on one PostgreSQL', () => {
  it('runs each job once', async () => {
    const otherDb = await connectDatabase(storage);
    const other = createJobs(otherDb, silentLog);
    await other.start();
    const begun = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() };
    const both = Promise.all([begun.a.promise, begun.b.promise]);
    // Each waits with its first job until the other one has a job too.
    const createHandler = (own: 'a' | 'b') =>
      createRecordingHandler(async () => {
        begun[own].resolve();
        await both;
      });
    const [a, b] = [createHandler('a'), createHandler('b')];
    await jobs.define('shared');
    await other.define('shared');
    await jobs.work<Note>('shared', a.handler);
    await other.work<Note>('shared', b.handler);
    const names = Array.from({ length: 30 }, (_, n) => `${n}`);
    await Promise.all(names.map((note) => jobs.send('shared', { note })));
    await vi.waitFor(() => expect([...a.notes, ...b.notes].length).toBe(30), { timeout: 60_000 });
    expect([...a.notes, ...b.notes].map(Number).sort((x, y) => x - y)).toEqual(names.map(Number));
    expect(a.notes.length).toBeGreaterThan(0);
    expect(b.notes.length).toBeGreaterThan(0);
    await other.stop();
    await otherDb.close();
  });

  it('takes over the job of a dead instance within half a minute', async () => {
    await jobs.define('orphaned');
    await jobs.send('orphaned', { note: 'a' });
    await db.query(
      "update pgboss.job set state = 'active', started_on = now(), heartbeat_on = now() where name = 'orphaned'",
    );
    const { handler, until, times } = createRecordingHandler();
    const started = Date.now();
    await jobs.work<Note>('orphaned', handler);
    await until(1);
    expect((times[0] ?? 0) - started).toBeLessThan(30_000);
  });
});
