import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

describe('works after', () => {
  it('a failed script: later queries work', async () => {
    await db.query("alter table pgboss.queue add constraint not_this check (name <> 'refused')");
    // pg-boss creates a queue with a script that contains BEGIN and COMMIT.
    await expect(jobs.define('refused')).rejects.toMatchObject({ code: '23514' });
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
    await expect(db.query('begin; select 1; select nonsense; commit')).rejects.toThrow('nonsense');
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
    await db.transaction((tx) => tx.query('create table after_failure ()'));
  });

  it('a restart: runs the waiting jobs', async () => {
    await jobs.define('kept');
    await jobs.send('kept', { note: 'a' });
    await jobs.send('kept', { note: 'b' }, { startAfter: 1 });
    await jobs.stop();
    await db.close();
    db = await connectDatabase(storage);
    jobs = createJobs(db, silentLog);
    await jobs.start();
    const { notes, handler, until } = createRecordingHandler();
    await jobs.work<Note>('kept', handler);
    await until(2);
    expect(notes).toEqual(['a', 'b']);
  });

  it('a stop during a job: stops quickly, and the job runs again', async () => {
    const stuck = createRecordingHandler(() => wait(60_000, undefined, { ref: false }));
    await jobs.define('stuck', { retryLimit: 3 });
    await jobs.work<Note>('stuck', stuck.handler);
    await jobs.send('stuck', { note: 'a' });
    await stuck.until(1);
    const started = performance.now();
    await jobs.stop();
    // It waits for 1.5 s; pg-boss by itself would wait for 30 s.
    expect(performance.now() - started).toBeLessThan(15_000);
    jobs = createJobs(db, silentLog);
    await jobs.start();
    const { handler, until } = createRecordingHandler();
    await jobs.work<Note>('stuck', handler);
    await until(1);
  });

  it('a stop during a short job: waits for it, and starts no other', async () => {
    const ended: string[] = [];
    const { notes, handler, until } = createRecordingHandler(async (note) => {
      await wait(300);
      ended.push(note);
    });
    await jobs.define('ending');
    await jobs.work<Note>('ending', handler);
    await jobs.send('ending', { note: 'a' });
    await until(1);
    await jobs.stop();
    expect(ended).toEqual(['a']);
    await jobs.stop();
    await db.query("insert into pgboss.job (name, data) values ('ending', '{}')");
    await wait(700);
    expect(notes).toEqual(['a']);
  });
});

describe.skipIf(postgresUrl)('works after a crash of the embedded database', () => {
  const crashDuringJobOf = async (queue: string) => {
    await db.query("update pgboss.job set state = 'active', started_on = now() where name = $1", [
      queue,
    ]);
  };
  const startAgain = async () => {
    await jobs.stop();
    jobs = createJobs(db, silentLog);
    await jobs.start();
  };

  it('runs the interrupted job at once', async () => {
    await jobs.define('cut');
    await jobs.send('cut', { note: 'a' });
    await crashDuringJobOf('cut');
    await startAgain();
    const { notes, handler, until } = createRecordingHandler();
    await jobs.work<Note>('cut', handler);
    await until(1);
    expect(notes).toEqual(['a']);
  });

  it('starts if the next job with the same key waits already', async () => {
    await jobs.define('short', { policy: 'short' });
    await jobs.send('short', { note: 'a' }, { singletonKey: 'x' });
    await crashDuringJobOf('short');
    expect(await jobs.send('short', { note: 'b' }, { singletonKey: 'x' })).not.toBeNull();
    await startAgain();
    const { notes, handler, until } = createRecordingHandler();
    await jobs.work<Note>('short', handler);
    await until(1);
    expect(notes).toEqual(['b']);
  });
});
