import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase, type Database, type Sql } from '../../src/database/connect.ts';
import { isConflict, isUniqueViolation } from '../../src/database/failures.ts';
import { postgresUrl, silentLog, testDatabase, testStorage } from '../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase({ migrated: false });
  await db.query('create table notes (id int primary key, body text not null unique)');
});
afterAll(() => db.close());

const bodies = async () =>
  (await db.query<{ body: string }>('select body from notes order by id')).map(({ body }) => body);

describe('query', () => {
  it('returns the rows of a statement, or an empty list', async () => {
    expect(await db.query('select $1::int as a, $2::text as b', [1, 'x'])).toEqual([
      { a: 1, b: 'x' },
    ]);
    expect(await db.query('create table nothing ()')).toEqual([]);
    expect(await db.query('delete from notes where id = $1', [-1])).toEqual([]);
  });

  it('runs a script of several statements and returns all their rows', async () => {
    expect(await db.query('select 1 as a; create table several (); select 2 as a')).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
  });

  it('reports the code and constraint of an error, and never the parameters', async () => {
    await db.query('insert into notes values ($1, $2)', [100, 'once']);
    const error = await db
      .query('insert into notes values ($1, $2)', [101, 'once'])
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: '23505', constraint: 'notes_body_key', table: 'notes' });
    expect(error).not.toHaveProperty('params');
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, 'notes_body_key')).toBe(true);
    expect(isUniqueViolation(error, 'notes_pkey')).toBe(false);
    await db.query('delete from notes');
  });

  // A migration of a newer version changes tables while this version runs. PostgreSQL then rejects the prepared statement.
  it('repeats a prepared statement whose columns changed since, alone and in a transaction', async () => {
    await db.query('create table changing (a int); insert into changing values (1)');
    const read = (sql: Sql) => sql.query('select * from changing', [], { isPrepared: true });
    const rows = [{ a: 1 }];
    expect(await Promise.all([read(db), read(db), db.transaction(read)])).toEqual([
      rows,
      rows,
      rows,
    ]);
    await db.query('alter table changing add b int default 2');
    expect(await read(db)).toEqual([{ a: 1, b: 2 }]);
    await db.query('alter table changing add c int default 3');
    expect(await db.transaction(read)).toEqual([{ a: 1, b: 2, c: 3 }]);
    expect(await read(db)).toEqual([{ a: 1, b: 2, c: 3 }]);
  });

  it('works after a failed statement', async () => {
    await expect(db.query('select nonsense')).rejects.toThrow('nonsense');
    await expect(db.query('select nonsense where $1', [true])).rejects.toThrow('nonsense');
    await expect(db.query('begin; select nonsense; commit')).rejects.toThrow('nonsense');
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
  });

  it('works in UTC, with any time zone of the machine', async () => {
    expect(await db.query("select current_setting('timezone') as zone")).toEqual([{ zone: 'UTC' }]);
  });
});

describe('transaction', () => {
  it('commits if the work resolves, and returns its result', async () => {
    const result = await db.transaction(async (tx) => {
      await tx.query('insert into notes values (1, $1)', ['a']);
      await tx.query('insert into notes values (2, $1)', ['b']);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await bodies()).toEqual(['a', 'b']);
    await db.query('delete from notes');
  });

  it('rolls back if the work throws, and throws the same error', async () => {
    const failure = { meant: 'no Error' };
    const attempt = db.transaction(async (tx) => {
      await tx.query('insert into notes values (1, $1)', ['a']);
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(await bodies()).toEqual([]);
  });

  it('rejects if a statement failed and the work ignored the error', async () => {
    const attempt = db.transaction(async (tx) => {
      await tx.query('insert into notes values (1, $1)', ['a']);
      await tx.query('select nonsense').catch(() => undefined);
    });
    await expect(attempt).rejects.toThrow();
    expect(await bodies()).toEqual([]);
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
  });

  it('commits the statements of `finish`, and returns their result', async () => {
    const { length } = await bodies();
    const result = await db.transaction(async (tx) => {
      await tx.query('select 1');
      return await tx.finish(async () => {
        const first = tx.query("insert into notes values (20, 'last but one')");
        const second = tx.query("insert into notes values (21, 'last') returning id");
        return [await first, await second];
      });
    });
    expect(result).toEqual([[], [{ id: 21 }]]);
    expect(await bodies()).toHaveLength(length + 2);
    await db.query('delete from notes where id in (20, 21)');
  });

  it('rolls back if a statement of `finish` fails, and throws its error', async () => {
    const before = await bodies();
    const failing = db.transaction((tx) =>
      tx.finish(() =>
        Promise.all([
          tx.query("insert into notes values (22, 'rolled back')"),
          tx.query('select 1 / $1::int', [0]),
        ]),
      ),
    );
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await bodies()).toEqual(before);
  });

  it('rejects a statement after `finish`, and commits those before', async () => {
    const late = await db.transaction(async (tx) => {
      await tx.finish(() => tx.query("insert into notes values (23, 'in time')"));
      return await tx.query("insert into notes values (24, 'late')").catch((e: unknown) => e);
    });
    expect(late).toEqual(new Error('This transaction has ended.'));
    expect(await db.query('delete from notes where id in (23, 24) returning id')).toEqual([
      { id: 23 },
    ]);
  });

  it('accepts concurrent statements', async () => {
    const rows = await db.transaction((tx) =>
      Promise.all([1, 2, 3].map((n) => tx.query('select $1::int as n', [n]))),
    );
    expect(rows.flat()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('throws the error of the first statement that failed, also if others were sent with it', async () => {
    const attempt = db.transaction((tx) =>
      Promise.all([
        tx.query('insert into notes values (1, $1)', ['a']),
        tx.query('select nonsense'),
        tx.query('select 1'),
      ]),
    );
    await expect(attempt).rejects.toThrow('nonsense');
    expect(await bodies()).toEqual([]);
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
  });

  // The embedded database runs one transaction at a time and takes no lock.
  it.runIf(postgresUrl)(
    'throws the error of the lock, not of the statements sent with it',
    async () => {
      const attempt = db.transaction((tx) => tx.query('select 1'), { lock: Number.NaN });
      await expect(attempt).rejects.toThrow(/nan/i);
      expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
    },
  );

  it('rolls back a statement that was not awaited if the work throws', async () => {
    const attempt = db.transaction(async (tx) => {
      tx.query('insert into notes values (1, $1)', ['a']).catch(() => undefined);
      throw new Error('too early');
    });
    await expect(attempt).rejects.toThrow('too early');
    expect(await bodies()).toEqual([]);
  });

  it('rejects all calls except tx inside the work, instead of deadlocking', async () => {
    const listener = { onMessage: () => undefined, onReconnected: () => undefined };
    await db.transaction(async (tx) => {
      const uses = [
        () => db.query('select 1'),
        () => db.transaction(() => Promise.resolve()),
        () => db.listen('inside', listener),
        () => db.ping(),
        () => db.close(),
      ];
      for (const use of uses) await expect(use()).rejects.toThrow('inside transaction()');
      await expect(tx.query('select 1 as a')).resolves.toEqual([{ a: 1 }]);
    });
  });

  it('allows code that outlives the transaction to use the database again', async () => {
    const { promise: isOver, resolve: tellOver } = Promise.withResolvers<void>();
    let later: Promise<unknown> | undefined;
    await db.transaction(async () => {
      later = isOver.then(() => db.query('select 1 as a'));
    });
    tellOver();
    await expect(later).resolves.toEqual([{ a: 1 }]);
  });

  it('rejects queries on tx after the transaction', async () => {
    const tx = await db.transaction(async (inner) => inner);
    await expect(tx.query('select 1')).rejects.toThrow('ended');
  });

  it('queues concurrent transactions', async () => {
    await Promise.all(
      [1, 2, 3, 4, 5].map((id) =>
        db.transaction(async (tx) => {
          await tx.query('insert into notes values ($1, $2)', [id, `${id}`]);
          await tx.query('update notes set body = body || $2 where id = $1', [id, '!']);
        }),
      ),
    );
    expect(await bodies()).toEqual(['1!', '2!', '3!', '4!', '5!']);
    await db.query('delete from notes');
  });

  it.each(['40001', '40P01'])(
    'runs the whole work again after %s, at most 3 times',
    async (code) => {
      let runs = 0;
      const attempt = db.transaction(async (tx) => {
        runs += 1;
        await tx.query('insert into notes values ($1, $2)', [runs, `run ${runs}`]);
        if (runs < 4)
          await tx.query(`do $$ begin raise exception using errcode = '${code}'; end $$`);
        return runs;
      });
      await expect(attempt).resolves.toBe(4);
      expect(await bodies()).toEqual(['run 4']);
      await db.query('delete from notes');
      runs = -10;
      const hopeless = db.transaction(async (tx) => {
        runs += 1;
        await tx.query(`do $$ begin raise exception using errcode = '${code}'; end $$`);
      });
      await expect(hopeless).rejects.toSatisfy(isConflict);
      expect(runs).toBe(-6);
    },
  );

  it('does not repeat the work after any other error', async () => {
    let runs = 0;
    const attempt = db.transaction(async (tx) => {
      runs += 1;
      await tx.query('select nonsense');
    });
    await expect(attempt).rejects.toThrow('nonsense');
    expect(runs).toBe(1);
  });
});

describe('close', () => {
  it('keeps the data for the next start', async () => {
    const storage = await testStorage({ migrated: false });
    const first = await connectDatabase(storage);
    await first.query("create table kept as select 'here' as value");
    await first.close();
    const second = await connectDatabase(storage);
    expect(await second.query('select value from kept')).toEqual([{ value: 'here' }]);
    await second.close();
    await storage.remove();
  });

  it('can be called twice, and rejects queries afterwards', async () => {
    const own = await testDatabase({ migrated: false });
    await own.listen('x', { onMessage: () => undefined, onReconnected: () => undefined });
    await own.ping();
    await own.close();
    await expect(own.query('select 1')).rejects.toThrow();
    await expect(own.ping()).rejects.toThrow();
  });

  it('discards an in-memory database, which needs no folder', async () => {
    const own = await connectDatabase({ dataDir: 'memory://', log: silentLog });
    expect(own.kind).toBe('embedded');
    await own.close();
    await own.close();
  });
});
