import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createJobs } from '../../src/database/jobs.ts';
import { postgresUrl, silentLog } from '../support/database.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

// Uses a separate server, because the shared one must not stop during other tests.
describe.runIf(postgresUrl)('while PostgreSQL is unavailable', () => {
  let server: PostgresServer;
  let url: string;
  let db: Database;

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    db = await connectDatabase({ url, dataDir: 'unused', log: silentLog });
  });
  afterAll(async () => {
    await db.close();
    await server.remove();
  });

  const untilAvailable = () => vi.waitFor(() => db.ping(), { timeout: 60_000, interval: 50 });

  it('queries fail without a retry, and work after it', async () => {
    await db.query('create table counted (n int)');
    await Promise.all([1, 2, 3].map(() => db.query('select pg_sleep(0.05)')));
    await server.stop();
    await expect(db.query('insert into counted values (1)')).rejects.toThrow();
    await expect(db.ping()).rejects.toThrow();
    await server.start();
    await untilAvailable();
    expect(await db.query('select * from counted')).toEqual([]);
  });

  it('an interrupted query and an interrupted transaction reject and are rolled back', async () => {
    const slow = db.query('select pg_sleep(20)').catch((error: unknown) => error);
    const attempt = db.transaction(async (tx) => {
      await tx.query('insert into counted values (2)');
      await tx.query('select pg_sleep(20)');
    });
    const outcome = attempt.catch((error: unknown) => error);
    await vi.waitFor(
      async () =>
        expect(
          await db.query(
            "select 1 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(20)'",
          ),
        ).toHaveLength(2),
      { timeout: 60_000 },
    );
    await server.restart();
    expect(await slow).toBeInstanceOf(Error);
    expect(await outcome).toBeInstanceOf(Error);
    await untilAvailable();
    expect(await db.query('select * from counted')).toEqual([]);
  });

  it('a transaction that is idle during a restart of the server rejects at its next statement', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const idle = Promise.withResolvers<void>();
    const attempt = db.transaction(async (tx) => {
      await tx.query('insert into counted values (3)');
      idle.resolve();
      await promise;
      await tx.query('select 1');
    });
    const outcome = attempt.catch((error: unknown) => error);
    await idle.promise;
    await server.restart();
    resolve();
    expect(await outcome).toBeInstanceOf(Error);
    await untilAvailable();
  });

  it('listeners are notified of the reconnect and receive messages again', async () => {
    const heard: string[] = [];
    let reconnects = 0;
    const listener = (name: string) => ({
      onMessage: (payload: string) => heard.push(`${name}: ${payload}`),
      onReconnected: () => {
        reconnects += 1;
      },
    });
    const stopA = await db.listen('a', listener('a'));
    const stopB = await db.listen('b', listener('b'));
    await server.stop();
    // Added during the outage: waits for the server without an error.
    const stopLater = db.listen('later', listener('later'));
    await wait(500);
    await server.start();
    await vi.waitFor(() => expect(reconnects).toBeGreaterThanOrEqual(2), { timeout: 60_000 });
    await untilAvailable();
    const stopC = await stopLater;
    for (const channel of ['a', 'b', 'later'])
      await db.query('select pg_notify($1, $2)', [channel, 'x']);
    await vi.waitFor(() => expect(heard.sort()).toEqual(['a: x', 'b: x', 'later: x']), {
      timeout: 60_000,
    });
    await Promise.all([stopA(), stopB(), stopC()]);
  });

  it('one connection serves all listeners, and is replaced if the server closes it', async () => {
    let reconnects = 0;
    const heard: string[] = [];
    const listener = {
      onMessage: (payload: string) => heard.push(payload),
      onReconnected: () => {
        reconnects += 1;
      },
    };
    const stops = await Promise.all(['p', 'q', 'r'].map((channel) => db.listen(channel, listener)));
    await vi.waitFor(
      async () => {
        // Its heartbeat can be its last query.
        await (await db.listen('s', listener))();
        const ended = await db.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'lipsync-graphql' and query ilike '%listen%' and datname = current_database()
             and pid <> pg_backend_pid()`,
        );
        expect(ended).toHaveLength(1);
      },
      { timeout: 60_000 },
    );
    await vi.waitFor(() => expect(reconnects).toBe(3), { timeout: 60_000 });
    await db.query("select pg_notify('q', 'still there')");
    await vi.waitFor(() => expect(heard).toEqual(['still there']), { timeout: 60_000 });
    await Promise.all(stops.map((stop) => stop()));
  });

  it('jobs continue after it', async () => {
    const jobs = createJobs(db, silentLog);
    await jobs.start();
    await jobs.define('outage');
    const done: string[] = [];
    await jobs.work<{ note: string }>('outage', async ({ data }) => {
      done.push(data.note);
    });
    await server.restart();
    await untilAvailable();
    await jobs.send('outage', { note: 'a' });
    await vi.waitFor(() => expect(done).toEqual(['a']), { timeout: 60_000 });
    await jobs.stop();
  });

  it('close is fast, also with listeners that wait for the server', async () => {
    const own = await connectDatabase({ url, dataDir: 'unused', log: silentLog });
    const listener = { onMessage: () => undefined, onReconnected: () => undefined };
    await own.listen('x', listener);
    await server.stop();
    const waiting = own.listen('y', listener).catch((error: unknown) => error);
    await wait(300);
    const started = performance.now();
    await own.close();
    expect(performance.now() - started).toBeLessThan(9_000);
    expect(await waiting).toBeInstanceOf(Error);
    await server.start();
    await untilAvailable();
  });

  it('a failed start reports the error code and no part of the URL', async () => {
    const wrong = new URL(url);
    wrong.password = 'top-secret';
    const error = await connectDatabase({
      url: wrong.href,
      dataDir: 'unused',
      log: silentLog,
    }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      message: 'Cannot connect to the database in DATABASE_URL: 28P01.',
      cause: { code: '28P01' },
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('top-secret');
  });
});
